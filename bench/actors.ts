/**
 * `node --expose-gc --conditions=source bench/actors.ts [COUNT]`: what agents cost, beside XState's actors in the same run.
 *
 * An XState actor keeps nothing and isolates nothing; the rows differ in what they promise, so read the ratio together
 * with the words. Durability is the difference between memory and disk, isolation the one between inline and child.
 */
import { mkdtempDisposable } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
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

const COUNT = Number(process.argv[2] ?? 2_000);
const AT_ONCE = 64;
const modules = { counter: { module: import.meta.resolve('../runtime/actor/agents.fixture.ts'), name: 'counter' } };
const rows: { readonly what: string; readonly perSecond: number; readonly microseconds: number }[] = [];

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

async function measure(what: string, count: number, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  rows.push({ what, perSecond: Math.round((1_000 * count) / ms), microseconds: Math.round((1_000 * ms) / count) });
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

async function agents(where: string, log: EventLog, hosts: Hosts, count: number): Promise<void> {
  await using node = open(log, hosts);
  const names = Array.from({ length: AT_ONCE }, (_, n) => `a${n}`);
  await measure(`${where}: spawn, ${AT_ONCE} agents`, AT_ONCE, () =>
    Promise.all(names.map((name) => node.spawn(Counter, name))),
  );
  const refs = names.map((name) => refTo(Counter, name));
  const ref = (n: number) => refs[n % AT_ONCE] ?? refTo(Counter, 'a0');
  await node.ask(ref(0)).get({}); // the host is up
  await measure(`${where}: ask, one at a time`, count / 4, () => many(count / 4, 1, () => node.ask(ref(0)).get({})));
  await measure(`${where}: ask, ${AT_ONCE} at once`, count, () =>
    many(count, AT_ONCE, (n) => node.ask(ref(n)).add({ n: 1 })),
  );
  await measure(`${where}: tell, ${AT_ONCE} at once`, count, () =>
    many(count, AT_ONCE, (n) => node.tell(ref(n)).add({ n: 1 })),
  );
  await measure(`${where}: turn with two tool calls`, count / 4, () =>
    many(count / 4, AT_ONCE, (n) => node.ask(ref(n)).sum({ n: 0 })),
  );
}

async function xstateActors(): Promise<void> {
  const machine = setup({
    types: { context: {} as { count: number }, events: {} as { type: 'add'; n: number } },
  }).createMachine({
    context: { count: 0 },
    on: { add: { actions: assign({ count: ({ context, event }) => context.count + event.n }) } },
  });
  const actor = createActor(machine).start();
  await measure('xstate: send, nothing kept, nothing isolated', COUNT * 10, async () => {
    for (let n = 0; n < COUNT * 10; n++) actor.send({ type: 'add', n: 1 });
  });
  await measure('xstate: createActor and start', COUNT, async () => {
    for (let n = 0; n < COUNT; n++) createActor(machine).start();
  });
}

/** Bytes of heap per agent: put away, and awake and idle. */
async function memory(count: number): Promise<void> {
  if (globalThis.gc === undefined) return;
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
  console.log(`heap per agent, ${count} known: put away ${Math.round(putAway)} B`);
  console.log(
    `awake and idle: ${Math.round(awake)} B, with its state and ${(log.size - records) / count} records in memory`,
  );
}

async function withNode<T>(log: EventLog, use: (node: AgentNode) => Promise<T>): Promise<T> {
  await using node = open(log, inlineHosts([counter]));
  return await use(node);
}

await using folder = await mkdtempDisposable(join(tmpdir(), 'ringmesh-bench-'));
const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
await xstateActors();
const memoryLog = async () => (await new MemoryWorld(systemRandom).open(systemClock)).log;
await agents('memory log, inline', await memoryLog(), inlineHosts([counter]), COUNT);
await agents('memory log, child', await memoryLog(), childHosts({ modules }), COUNT);
for (const [name, hosts] of [
  ['disk, inline', inlineHosts([counter])],
  ['disk, child', childHosts({ modules })],
] as const) {
  const [directory, anchors] = [join(folder.path, name.replace(/\W+/g, '-')), join(folder.path, 'anchors')];
  await createLog(directory, { anchors }, systemRandom);
  await using log = await openLog(directory, { anchors, reserveBytes: 0 }, ports);
  await agents(name, log, hosts, COUNT);
}
console.log(`node ${process.version}, ${availableParallelism()} cores`);
console.table(rows);
await memory(20_000);
