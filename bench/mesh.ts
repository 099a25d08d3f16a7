/**
 * `npm run bench -- mesh [--json] [--seconds N] [--rounds N] [--warm N]`: an agent asks agents of another process over a
 * broker, beside a plain `nc.request()` loop with the same client, the same 600 bytes and the same server, in the same run.
 *
 * `CPU` is that of both processes for one ask, all threads, without the server's and without that of child hosts: the machine's
 * other users change it less than the rates. `p50` at one in flight is that of tens of asks of one turn.
 *
 * Every row runs for `--warm` seconds at 64 in flight before its figures begin: until then it is the compiler that is measured,
 * and it has more to do for a node than for a loop.
 *
 * A governed ask is decided, recorded and flushed before it leaves, signed, verified, accepted and flushed, answered by a turn
 * that is flushed, signed, verified and recorded again: two signatures a side at most, four flushed records. The other rows change
 * one of these, to show what it costs; `bare` has the wire and the logs alone, which no agent runtime can be faster than.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { generateKeyPair, sign, verify } from '../runtime/codec/ed25519.ts';
import { systemClock, systemRandom } from '../runtime/core/system.ts';
import { findBroker } from '../swarm/broker/find-broker.ts';
import { spawnBroker } from '../swarm/broker/spawn-broker.ts';
import { brokerUsers, provisionRealm } from '../swarm/realm/realm-folder.ts';
import { ASKERS, ASKS_PER_TURN, Asker, ECHOES } from './mesh.fixture.ts';
import { openBare } from './mesh-bare.ts';
import { cpuMs, openPeer, type PeerTask } from './mesh-node.ts';
import { median } from './rounds.ts';

const WIDTHS = [1, 64, 256] as const;
const PAYLOAD = 'x'.repeat(600);
/** Asks of one turn for each that it has in flight. */
const ASKS_EACH = 20;
const NOTHING: Figures = { perSecond: Number.NaN, p50Ms: Number.NaN, cpuUs: Number.NaN };

/** What is measured. Each line but the first two changes one thing about the third. */
const VARIANTS = [
  { name: 'plain', kind: 'plain', what: 'nc.request(), nothing else' },
  { name: 'bare', kind: 'bare', log: 'disk', what: 'link and logs alone: both flushed, no agents, nothing decided' },
  { name: 'disk.inline', kind: 'governed', log: 'disk', what: 'governed, both logs flushed, agents inline' },
  { name: 'memory.inline', kind: 'governed', what: 'logs in memory' },
  { name: 'disk.single', kind: 'governed', log: 'disk', batchMax: 1, what: 'one signature per message' },
  { name: 'disk.child', kind: 'governed', log: 'disk', hosts: 'child', what: 'agents in child hosts' },
] as const satisfies readonly VariantOptions[];

type VariantOptions = {
  readonly name: string;
  readonly what: string;
  readonly kind: PeerTask['kind'];
  /** Default: in memory. */
  readonly log?: 'disk';
  readonly hosts?: PeerTask['hosts'];
  readonly batchMax?: number;
};

type Run = { readonly asks: number; readonly ms: number; readonly p50Ms: number };
type Runner = {
  readonly run: (width: number, atLeastMs: number) => Promise<Run>;
  readonly close: () => Promise<void>;
  /** Of both processes. */
  readonly cpuMs: () => Promise<number>;
};
type Figures = { readonly perSecond: number; readonly p50Ms: number; readonly cpuUs: number };

export async function benchMesh(args: readonly string[]): Promise<void> {
  const numberAfter = (flag: string, otherwise: number): number => {
    const at = args.indexOf(flag);
    return at === -1 ? otherwise : Number(args[at + 1]);
  };
  const [seconds, rounds, warm] = [numberAfter('--seconds', 2), numberAfter('--rounds', 3), numberAfter('--warm', 5)];
  const { version } = await findBroker(process.env['PATH']);
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ringmesh-bench-mesh-'));
  const figures = new Map<string, Figures[]>();
  for (let round = 0; round < rounds; round++) {
    for (const variant of VARIANTS) {
      const runner = await open(variant, join(folder.path, `${variant.name}-${round}`));
      try {
        await runner.run(64, warm * 1_000);
        for (const width of WIDTHS) {
          const key = `${variant.name}.${width}`;
          const used = await runner.cpuMs();
          const { asks, ms, p50Ms } = await runner.run(width, seconds * 1_000);
          const cpuUs = (((await runner.cpuMs()) - used) / asks) * 1_000;
          figures.set(key, [...(figures.get(key) ?? []), { perSecond: (asks / ms) * 1_000, p50Ms, cpuUs }]);
        }
      } finally {
        await runner.close();
      }
    }
  }
  const rows = VARIANTS.flatMap(({ name, what }) =>
    WIDTHS.map((width) => {
      const [own = [], plain = []] = [figures.get(`${name}.${width}`), figures.get(`plain.${width}`)];
      const against = (of: (figure: Figures) => number): number =>
        round2(median(own.map((figure, n) => of(figure) / of(plain[n] ?? NOTHING))));
      return {
        name: `${name}.${width}`,
        what,
        inFlight: width,
        perSecond: Math.round(median(own.map(({ perSecond }) => perSecond))),
        ofPlain: against(({ perSecond }) => perSecond),
        cpuUs: Math.round(median(own.map(({ cpuUs }) => cpuUs))),
        cpuOfPlain: against(({ cpuUs }) => cpuUs),
        ...(width === 1
          ? { p50Ms: round2(median(own.map(({ p50Ms }) => p50Ms))), p50OfPlain: against(({ p50Ms }) => p50Ms) }
          : {}),
      };
    }),
  );
  const machine = {
    node: process.version,
    cores: availableParallelism(),
    server: version,
    load: loadavg().map(round2),
  };
  const signature = signatureUs();
  if (args.includes('--json'))
    console.log(JSON.stringify({ bench: 'mesh', machine, rounds, seconds, warm, signature, rows }));
  else {
    console.log(
      `node ${machine.node}, nats-server ${version}, ${machine.cores} cores (load ${machine.load.join(', ')}), ` +
        `${rounds} rounds of ${seconds} s after ${warm} s; one signature ${signature.sign} us, its verification ${signature.verify} us`,
    );
    console.table(rows.map(({ name: _, ...row }) => row));
  }
}

async function open({ kind, log, hosts = 'inline', batchMax }: VariantOptions, directory: string): Promise<Runner> {
  const agents = Array.from({ length: ECHOES }, (_, n) => `echo-${n}`);
  const askers = Array.from({ length: ASKERS }, (_, n) => `asker-${n}`);
  const nodes = [
    { name: 'asking', agents: askers },
    { name: 'answering', agents },
  ];
  const roster = provisionRealm(directory, { realm: 'bench', nodes }, { clock: systemClock, random: systemRandom });
  const binary = await findBroker(process.env['PATH']);
  const users = kind === 'plain' ? [] : brokerUsers(roster);
  const broker = await spawnBroker({ binary, realm: roster.realm, users }, systemClock, new AbortController().signal);
  const task = (name: string, own: readonly string[]): PeerTask => ({
    ...{ kind, servers: [broker.url], realm: directory, name, agents: own, hosts, batchMax: batchMax ?? null },
    log: log === 'disk' ? join(directory, `log-${name}`) : null,
  });
  const other = await peer(task('answering', agents));
  const mine = await ASKING[kind](task('asking', askers));
  const close = async (): Promise<void> => {
    await mine.close();
    other.disconnect();
    await once(other, 'exit');
    await broker[Symbol.asyncDispose]();
  };
  const theirMs = async (): Promise<number> => {
    other.send('usage');
    const [used] = (await once(other, 'message')) as [number];
    return used;
  };
  return { run: mine.run, close, cpuMs: async () => cpuMs() + (await theirMs()) };
}

const ASKING: { readonly [K in PeerTask['kind']]: (task: PeerTask) => Promise<Omit<Runner, 'cpuMs'>> } = {
  plain: plainRequests,
  bare: bareAsks,
  governed: governedAsks,
};

async function plainRequests({ servers }: PeerTask): Promise<Omit<Runner, 'cpuMs'>> {
  const nc = await connect({ servers: [...servers] });
  const payload = new TextEncoder().encode(PAYLOAD);
  return {
    run: (width, atLeastMs) => timed(width, atLeastMs, () => nc.request('echo', payload, { timeout: 10_000 })),
    close: () => nc.close(),
  };
}

async function bareAsks(task: PeerTask): Promise<Omit<Runner, 'cpuMs'>> {
  const { ask, close } = await openBare(task);
  let next = 0;
  return { run: (width, atLeastMs) => timed(width, atLeastMs, () => ask(next++, PAYLOAD)), close };
}

async function governedAsks(task: PeerTask): Promise<Omit<Runner, 'cpuMs'>> {
  const { node, close } = await openPeer(task);
  const refs = await Promise.all(task.agents.map((name) => node.agents.spawn(Asker, name)));
  const turn = async (asker: number, asks: number, width: number): Promise<void> => {
    const ref = refs[asker] ?? unknownAsker(asker);
    const answer = await node.agents.ask(ref).run({ asks, width, from: asker, text: PAYLOAD });
    const isGood = answer.type === 'ok' && (answer.value as { ok: number }).ok === asks;
    if (!isGood) throw new Error(`expected ${asks} answers, found ${JSON.stringify(answer).slice(0, 300)}`);
  };
  await turn(0, 1, 1);
  return {
    async run(width, atLeastMs) {
      const began = performance.now();
      const askers = Math.min(ASKERS, width);
      const each = Math.min(ASKS_PER_TURN, (width / askers) * ASKS_EACH);
      const turnsMs: number[] = [];
      let asks = 0;
      const keepAsking = async (asker: number): Promise<void> => {
        while (performance.now() - began < atLeastMs) {
          const from = performance.now();
          await turn(asker, each, width / askers);
          turnsMs.push(performance.now() - from);
          asks += each;
        }
      };
      await Promise.all(Array.from({ length: askers }, (_, asker) => keepAsking(asker)));
      return { asks, ms: performance.now() - began, p50Ms: median(turnsMs) / ASKS_EACH };
    },
    close,
  };
}

async function timed(width: number, atLeastMs: number, call: () => Promise<unknown>): Promise<Run> {
  const began = performance.now();
  const callsMs: number[] = [];
  const worker = async (): Promise<void> => {
    for (let from = began; from - began < atLeastMs; from = performance.now()) {
      await call();
      callsMs.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return { asks: callsMs.length, ms: performance.now() - began, p50Ms: median(callsMs) };
}

/** What one signature and its verification take here, in microseconds: an ask that shared none with others would need two. */
function signatureUs(): { readonly sign: number; readonly verify: number } {
  const pair = generateKeyPair(systemRandom);
  const message = systemRandom.bytes(64);
  const signed = sign(pair, message);
  const each = (work: () => unknown): number => {
    const runs = Array.from({ length: 500 }, () => {
      const began = performance.now();
      work();
      return (performance.now() - began) * 1_000;
    });
    return Math.round(median(runs));
  };
  return { sign: each(() => sign(pair, message)), verify: each(() => verify(pair.publicKey, message, signed)) };
}

function unknownAsker(asker: number): never {
  throw new Error(`expected asker ${asker} to have been started`);
}

async function peer(task: PeerTask): Promise<ChildProcess> {
  const child = fork(new URL('./mesh-peer.ts', import.meta.url), [JSON.stringify(task)], { stdio: 'inherit' });
  await once(child, 'message');
  return child;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
