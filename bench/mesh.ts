/**
 * `npm run bench -- mesh [--json] [--seconds N] [--rounds N]`: an agent asks agents of another process over a broker, beside a
 * plain `nc.request()` loop with the same client, the same 600 bytes and the same server, in the same run.
 *
 * A governed ask is decided, recorded and flushed before it leaves, signed, verified, accepted and flushed, answered by a turn
 * that is flushed, signed, verified and recorded again: two signatures a side at most, four flushed records. The other rows take
 * one of these away, to show what it costs.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { systemClock, systemRandom } from '../runtime/core/system.ts';
import { findBroker } from '../swarm/broker/find-broker.ts';
import { spawnBroker } from '../swarm/broker/spawn-broker.ts';
import { brokerUsers, provisionRealm } from '../swarm/realm/realm-folder.ts';
import { ASKS_PER_TURN, Asker, ECHOES } from './mesh.fixture.ts';
import { openPeer, type PeerTask } from './mesh-node.ts';
import { median } from './rounds.ts';

const WIDTHS = [1, 64, 256] as const;
const PAYLOAD = 'x'.repeat(600);

/** What is measured: `null` for the plain loop. */
const VARIANTS = [
  { name: 'plain', what: 'nc.request(), nothing else', governed: null },
  {
    name: 'disk.inline',
    what: 'governed, both logs flushed, agents inline',
    governed: { log: 'disk', hosts: 'inline' },
  },
  {
    name: 'memory.inline',
    what: 'governed, logs in memory, agents inline',
    governed: { log: 'memory', hosts: 'inline' },
  },
  {
    name: 'disk.child',
    what: 'governed, both logs flushed, agents in child hosts',
    governed: { log: 'disk', hosts: 'child' },
  },
] as const;

type Variant = (typeof VARIANTS)[number];
type Runner = {
  readonly run: (width: number, atLeastMs: number) => Promise<number>;
  readonly close: () => Promise<void>;
};

export async function benchMesh(args: readonly string[]): Promise<void> {
  const numberAfter = (flag: string, otherwise: number): number => {
    const at = args.indexOf(flag);
    return at === -1 ? otherwise : Number(args[at + 1]);
  };
  const [seconds, rounds] = [numberAfter('--seconds', 2), numberAfter('--rounds', 3)];
  const { version } = await findBroker(process.env['PATH']);
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ringmesh-bench-mesh-'));
  const rates = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const variant of VARIANTS) {
      const runner = await open(variant, join(folder.path, `${variant.name}-${round}`));
      try {
        await runner.run(16, 300); // warm
        for (const width of WIDTHS) {
          const key = `${variant.name}.${width}`;
          rates.set(key, [...(rates.get(key) ?? []), await runner.run(width, seconds * 1_000)]);
        }
      } finally {
        await runner.close();
      }
    }
  }
  const rows = VARIANTS.flatMap(({ name, what }) =>
    WIDTHS.map((width) => {
      const [own = [], plain = []] = [rates.get(`${name}.${width}`), rates.get(`plain.${width}`)];
      const ratio = median(own.map((rate, n) => rate / (plain[n] ?? Number.NaN)));
      return {
        name: `${name}.${width}`,
        what,
        inFlight: width,
        perSecond: Math.round(median(own)),
        ofPlain: round2(ratio),
      };
    }),
  );
  const machine = { node: process.version, cores: availableParallelism(), server: version };
  if (args.includes('--json')) console.log(JSON.stringify({ bench: 'mesh', machine, rounds, seconds, rows }));
  else {
    console.log(
      `node ${machine.node}, nats-server ${version}, ${machine.cores} cores, ${rounds} rounds of ${seconds} s`,
    );
    console.table(rows.map(({ what, inFlight, perSecond, ofPlain }) => ({ what, inFlight, perSecond, ofPlain })));
  }
}

async function open({ governed }: Variant, directory: string): Promise<Runner> {
  const agents = Array.from({ length: ECHOES }, (_, n) => `echo-${n}`);
  const nodes = [
    { name: 'asking', agents: ['asker'] },
    { name: 'answering', agents },
  ];
  const roster = provisionRealm(directory, { realm: 'bench', nodes }, { clock: systemClock, random: systemRandom });
  const binary = await findBroker(process.env['PATH']);
  const users = governed === null ? [] : brokerUsers(roster);
  const broker = await spawnBroker({ binary, realm: roster.realm, users }, systemClock, new AbortController().signal);
  const task = (name: string, own: readonly string[]): PeerTask => ({
    ...{ kind: governed === null ? 'plain' : 'governed', servers: [broker.url], realm: directory, name, agents: own },
    log: governed?.log === 'disk' ? join(directory, `log-${name}`) : null,
    hosts: governed?.hosts ?? 'inline',
  });
  const other = await peer(task('answering', agents));
  const mine = governed === null ? await plain(broker.url) : await governedAsks(task('asking', ['asker']));
  const close = async (): Promise<void> => {
    await mine.close();
    other.disconnect();
    await once(other, 'exit');
    await broker[Symbol.asyncDispose]();
  };
  return { run: mine.run, close };
}

async function plain(url: string): Promise<Runner> {
  const nc = await connect({ servers: [url] });
  const payload = new TextEncoder().encode(PAYLOAD);
  return {
    run: (width, atLeastMs) => timed(width, atLeastMs, () => nc.request('echo', payload, { timeout: 10_000 })),
    close: () => nc.close(),
  };
}

async function governedAsks(task: PeerTask): Promise<Runner> {
  const { node, close } = await openPeer(task);
  const ref = await node.agents.spawn(Asker, 'asker');
  const ask = async (asks: number, width: number): Promise<void> => {
    const answer = await node.agents.ask(ref).run({ asks, width, text: PAYLOAD });
    const isGood = answer.type === 'ok' && (answer.value as { ok: number }).ok === asks;
    if (!isGood) throw new Error(`expected ${asks} answers, found ${JSON.stringify(answer).slice(0, 300)}`);
  };
  await ask(1, 1);
  return {
    async run(width, atLeastMs) {
      const began = performance.now();
      let asked = 0;
      const each = Math.min(ASKS_PER_TURN, width * 20);
      for (; performance.now() - began < atLeastMs; asked += each) await ask(each, width);
      return (asked / (performance.now() - began)) * 1_000;
    },
    close,
  };
}

async function timed(width: number, atLeastMs: number, call: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  let calls = 0;
  const worker = async (): Promise<void> => {
    for (; performance.now() - began < atLeastMs; calls++) await call();
  };
  await Promise.all(Array.from({ length: width }, worker));
  return (calls / (performance.now() - began)) * 1_000;
}

async function peer(task: PeerTask): Promise<ChildProcess> {
  const child = fork(new URL('./mesh-peer.ts', import.meta.url), [JSON.stringify(task)], { stdio: 'inherit' });
  await once(child, 'message');
  return child;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
