/**
 * `npm run bench -- actors [--json]`, or `node --expose-gc --conditions=source bench/actors.ts [--json] [COUNT]`: what agents
 * cost, beside the actors of XState and of nact in the same run.
 *
 * Those keep nothing and isolate nothing; the rows differ in what they promise, so read the ratio together with the words.
 * Durability is the difference between memory and disk, isolation the one between inline and child.
 * A tell of ours ends when it is durably accepted, one of theirs when it is served. The first rows of a run are the coldest.
 */
import { mkdtempDisposable } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { dispatch, query, type Ref, spawn, start, stop } from 'nact';
import { assign, createActor, setup } from 'xstate';
import { add, Counter, counter } from '../runtime/actor/agents.fixture.ts';
import { childHosts } from '../runtime/actor/child-hosts.ts';
import { type Hosts, inlineHosts } from '../runtime/actor/hosts.ts';
import { AgentNode } from '../runtime/actor/node.ts';
import { refTo } from '../runtime/actor/ref.ts';
import { provide } from '../runtime/actor/tool.ts';
import { systemClock, systemRandom, thisProcess } from '../runtime/core/system.ts';
import { allowList } from '../runtime/kernel/allow-list.ts';
import type { EventLog } from '../runtime/log/event-log.ts';
import { createLog, openLog } from '../runtime/log/log-directory.ts';
import { MemoryWorld } from '../runtime/log/memory-log.ts';

const COUNT = 2_000;
const AT_ONCE = 64;
const modules = { counter: { module: import.meta.resolve('../runtime/actor/agents.fixture.ts'), name: 'counter' } };

/** `name` never changes between versions; `what` is for people. */
type Row = {
  readonly name: string;
  readonly what: string;
  readonly count: number;
  readonly perSecond: number;
  readonly microseconds: number;
};

type Heap = {
  readonly agents: number;
  readonly putAwayBytes: number;
  readonly awakeBytes: number;
  readonly recordsPerAgent: number;
};

export async function benchActors({ json = false, count = COUNT }: { json?: boolean; count?: number }): Promise<void> {
  const rows: Row[] = [...(await xstateActors(count)), ...(await nactActors(count))];
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ringmesh-bench-'));
  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  const kinds = { inline: () => inlineHosts([counter]), child: () => childHosts({ modules, limitsOf: () => ({}) }) }; // the cost of a process, not of a ring
  for (const [kind, hosts] of Object.entries(kinds)) {
    const { log } = await new MemoryWorld(systemRandom).open(systemClock);
    rows.push(...(await agents(['memory', kind], log, hosts(), count)));
  }
  for (const [kind, hosts] of Object.entries(kinds)) {
    const [directory, anchors] = [join(folder.path, kind), join(folder.path, 'anchors')];
    await createLog(directory, { anchors }, systemRandom);
    await using log = await openLog(directory, { anchors, reserveBytes: 0 }, ports);
    rows.push(...(await agents(['disk', kind], log, hosts(), count)));
  }
  const heap = await memory(count * 10);
  const machine = { node: process.version, cores: availableParallelism() };
  if (json) {
    console.log(JSON.stringify({ bench: 'actors', machine, rows, heap }));
    return;
  }
  console.log(`node ${machine.node}, ${machine.cores} cores`);
  console.table(rows.map(({ what, perSecond, microseconds }) => ({ what, perSecond, microseconds })));
  if (heap === null) return;
  console.log(`heap per agent, ${heap.agents} known: put away ${heap.putAwayBytes} B`);
  console.log(`awake and idle: ${heap.awakeBytes} B, with its state and ${heap.recordsPerAgent} records in memory`);
}

function open(log: EventLog, hosts: Hosts, idleMs = 120_000): AgentNode {
  const tools = [provide(add, ({ a, b }) => a + b)];
  const gates = { policy: allowList({ '*': ['*'] }) };
  return AgentNode.open({
    log,
    clock: systemClock,
    random: systemRandom,
    contracts: [Counter],
    hosts,
    tools,
    gates,
    idleMs,
  });
}

async function measure(name: string, what: string, count: number, work: () => Promise<unknown>): Promise<Row> {
  const began = performance.now();
  await work();
  const ms = performance.now() - began;
  const [perSecond, microseconds] = [Math.round((1_000 * count) / ms), Number(((1_000 * ms) / count).toFixed(2))];
  return { name, what, count, perSecond, microseconds };
}

/** `count` calls, `width` at a time. */
async function many(
  count: number,
  width: number,
  call: (n: number) => Promise<{ readonly type: string }>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      const outcome = await call(n);
      if (outcome.type !== 'ok') throw new Error(`expected ok, found ${JSON.stringify(outcome)}`);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

async function agents(
  [store, kind]: readonly [string, string],
  log: EventLog,
  hosts: Hosts,
  count: number,
): Promise<readonly Row[]> {
  await using node = open(log, hosts);
  const row = (name: string, what: string, n: number, work: () => Promise<unknown>) =>
    measure(`ringmesh.${store}.${kind}.${name}`, `${store}, ${kind}: ${what}`, n, work);
  const names = Array.from({ length: AT_ONCE }, (_, n) => `a${n}`);
  const refs = names.map((name) => refTo(Counter, name));
  const ref = (n: number) => refs[n % AT_ONCE] ?? refTo(Counter, 'a0');
  const few = Math.ceil(count / 4);
  const spawned = await row('spawn', `spawn, ${AT_ONCE} agents`, AT_ONCE, () =>
    Promise.all(names.map((name) => node.spawn(Counter, name))),
  );
  await node.ask(ref(0)).get({}); // the host is up
  return [
    spawned,
    await row('ask_one', 'ask, one at a time', few, () => many(few, 1, () => node.ask(ref(0)).get({}))),
    await row('ask', `ask, ${AT_ONCE} at once`, count, () =>
      many(count, AT_ONCE, (n) => node.ask(ref(n)).add({ n: 1 })),
    ),
    await row('tell', `tell until accepted, ${AT_ONCE} at once`, count, () =>
      many(count, AT_ONCE, (n) => node.tell(ref(n)).add({ n: 1 })),
    ),
    await row('turn_two_tools', 'turn with two tool calls', few, () =>
      many(few, AT_ONCE, (n) => node.ask(ref(n)).sum({ n: 0 })),
    ),
  ];
}

async function xstateActors(count: number): Promise<readonly Row[]> {
  const machine = setup({
    types: { context: {} as { count: number }, events: {} as { type: 'add'; n: number } },
  }).createMachine({
    context: { count: 0 },
    on: { add: { actions: assign({ count: ({ context, event }) => context.count + event.n }) } },
  });
  const actor = createActor(machine).start();
  return [
    await measure('xstate.tell', 'xstate: send, nothing kept, nothing isolated', count * 10, async () => {
      for (let n = 0; n < count * 10; n++) actor.send({ type: 'add', n: 1 });
    }),
    await measure('xstate.spawn', 'xstate: createActor and start', count, async () => {
      for (let n = 0; n < count; n++) createActor(machine).start();
    }),
  ];
}

type NactMessage = { readonly n: number; readonly sender?: Ref<number> };

async function nactActors(count: number): Promise<readonly Row[]> {
  const system = start();
  const spawnOne = (name: string) =>
    spawn(
      system,
      (sum: number | undefined, { n, sender }: NactMessage) => {
        const next = (sum ?? 0) + n;
        if (sender !== undefined) dispatch(sender, next);
        return next;
      },
      name,
    );
  const one = spawnOne('one');
  const ask = (n: number) => query(one, (sender: Ref<number>) => ({ n, sender }), 60_000);
  const few = Math.ceil(count / 4);
  try {
    return [
      await measure(
        'nact.tell',
        'nact: dispatch until it is served, nothing kept, nothing isolated',
        count * 10,
        () => {
          for (let n = 1; n < count * 10; n++) dispatch(one, { n: 1 });
          return ask(1);
        },
      ),
      await measure('nact.ask_one', 'nact: query, one at a time', few, async () => {
        for (let n = 0; n < few; n++) await ask(1);
      }),
      await measure('nact.spawn', 'nact: spawn', count, async () => {
        for (let n = 0; n < count; n++) spawnOne(`n${n}`);
      }),
    ];
  } finally {
    stop(system);
  }
}

/** Heap per agent, put away and awake and idle; `null` without `--expose-gc`. */
async function memory(count: number): Promise<Heap | null> {
  if (globalThis.gc === undefined) return null;
  const { log } = await new MemoryWorld(systemRandom).open(systemClock);
  const heap = (): number => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  {
    await using node = open(log, inlineHosts([counter]));
    for (let n = 0; n < count; n += 256) {
      const batch = Array.from({ length: Math.min(256, count - n) }, (_, i) => node.spawn(Counter, `agent-${n + i}`));
      await Promise.all(batch);
    }
  }
  const opened = await withNode(log, async () => heap());
  const putAway = (opened - heap()) / count;
  const records = log.size;
  const awake = await withNode(log, async (node) => {
    await many(count, AT_ONCE, (n) => node.ask(refTo(Counter, `agent-${n}`)).get({}));
    return (heap() - opened) / count + putAway;
  });
  const recordsPerAgent = (log.size - records) / count;
  return { agents: count, putAwayBytes: Math.round(putAway), awakeBytes: Math.round(awake), recordsPerAgent };
}

async function withNode<T>(log: EventLog, use: (node: AgentNode) => Promise<T>): Promise<T> {
  await using node = open(log, inlineHosts([counter]));
  return await use(node);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const args = process.argv.slice(2);
  const count = args.find((arg) => /^[1-9]\d*$/.test(arg));
  await benchActors({ json: args.includes('--json'), ...(count === undefined ? {} : { count: Number(count) }) });
}
