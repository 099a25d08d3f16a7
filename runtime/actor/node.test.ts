/** What a node does beyond what its agents see: code that changed, supervisors, drains, many agents. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { sha256 } from '../codec/digest.ts';
import { digestText } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { allowList } from '../kernel/allow-list.ts';
import type { Gate } from '../kernel/gate.ts';
import { MemoryWorld } from '../log/memory-log.ts';
import { add, Counter, counter, hold, pay } from './agents.fixture.ts';
import type { Context } from './context.ts';
import { contract } from './contract.ts';
import { type Hosts, inlineHosts } from './hosts.ts';
import { implement } from './implement.ts';
import { AgentNode } from './node.ts';
import { refTo } from './ref.ts';
import { TestNode } from './test-kit.ts';
import { endOfTick } from './tick.ts';
import { provide, tool } from './tool.ts';

const step = tool('job.step', { in: z.string(), out: z.string(), effect: 'idempotent' });
const other = tool('job.other', { in: z.string(), out: z.string(), effect: 'idempotent' });
const Job = contract('job', {
  messages: { run: { in: z.object({}), out: z.string(), within: '1h' }, ping: { in: z.object({}), out: z.string() } },
  events: { Done: z.object({}) },
  uses: { step, other },
});
type JobContext = Context<(typeof Job)['spec'], { done: number }>;

const job = (run: (ctx: JobContext) => Promise<string>) =>
  implement(Job, {
    state: () => ({ done: 0 }),
    evolve: { Done: (s) => ({ done: s.done + 1 }) },
    on: { run: (_, ctx) => run(ctx), ping: () => 'pong' },
  });

const first = job(async (ctx) => {
  await ctx.must.step('a');
  ctx.emit('Done', {});
  await ctx.sleep('1m');
  return ctx.must.step('b');
});

/** Runs the first code until it sleeps, then opens the log with other code and lets it wake. */
async function changed(second: (ctx: JobContext) => Promise<string>) {
  const world = new MemoryWorld(seededRandom(1));
  const clock = new ManualClock();
  const calls: string[] = [];
  const tools = [step, other].map((one) => provide(one, (input) => `${one.name} ${calls.push(input)}`));
  const parts = { clock, contracts: [Job], tools, gates: { policy: allowList({ '*': ['*'] }) } };
  const settle = async () => {
    for (let n = 0; n < 200; n++) await endOfTick();
  };
  {
    const { log } = await world.open(clock);
    const node = AgentNode.open({ ...parts, log, random: seededRandom(2), hosts: inlineHosts([first]) });
    await node.tell(await node.spawn(Job, 'j')).run({});
    await settle();
    await node.drain();
  }
  const { log } = await world.open(clock);
  const node = AgentNode.open({ ...parts, log, random: seededRandom(3), hosts: inlineHosts([job(second)]) });
  clock.advance(60_000);
  await settle();
  const types = [...log.read()].map(({ type }) => type);
  const stuck = [...log.read()].find(({ type }) => type === 'turn.stuck')?.payload;
  return { node, types, calls, stuck: stuck?.type === 'json' ? stuck.value : undefined };
}

describe('code that changed under a parked turn', () => {
  test('and does the same goes on', async () => {
    const { types, calls } = await changed(async (ctx) => {
      await ctx.use.step('a');
      ctx.emit('Done', {});
      await ctx.sleep('1m');
      return ctx.must.other('c');
    });

    expect(types.at(-1)).toBe('turn.committed');
    expect(calls).toEqual(['a', 'c']);
  });

  test.each<[string, (ctx: JobContext) => Promise<string>, string, string]>([
    ['uses another tool', (ctx) => ctx.must.other('a'), 'use job.step', 'use job.other'],
    ['uses it with other input', (ctx) => ctx.must.step('z'), 'use job.step', 'use job.step with other input'],
    ['does less', async () => 'nothing', 'use job.step', 'the end'],
    [
      'emits something else',
      async (ctx) => {
        await ctx.must.step('a');
        await ctx.sleep('1m');
        return 'short';
      },
      'what it committed before',
      'the end',
    ],
  ])('and %s is stuck, with both sides named, and the agent goes on', async (...row) => {
    const [, code, expected, found] = row;
    const { types, stuck, node } = await changed(code);

    expect(stuck).toMatchObject({ expected, found });
    expect(types.filter((type) => type === 'turn.failed')).toEqual([]);
    expect(await node.ask(refTo(Job, 'j')).ping({})).toMatchObject({ value: 'pong' });
  });
});

/** Inline hosts that can be made to die. */
function mortalHosts() {
  const inner = inlineHosts([counter]);
  const living: { kill(): void }[] = [];
  const hosts: Hosts = {
    start(profile, listener) {
      const process = inner.start(profile, listener);
      living.push({ kill: () => process.kill({ code: 'host.exited', message: 'killed by the test' }) });
      return process;
    },
  };
  return { hosts, killLast: () => living.at(-1)?.kill(), started: () => living.length };
}

describe('supervision', () => {
  const tools = [
    provide(add, ({ a, b }) => a + b),
    provide(pay, () => new Promise<string>(() => undefined)),
    provide(hold, { run: () => 'held', probe: () => 'absent' }),
  ];

  test('a host that dies under a turn is an exit; the turn goes on in the next one, and unsafe effects are in doubt', async () => {
    const mortal = mortalHosts();
    await using kit = new TestNode({
      implementations: [counter],
      tools: [...tools.slice(0, 1), provide(pay, () => new Promise(() => undefined))],
      hosts: mortal.hosts,
    });
    const node = await kit.open();
    const one = await node.spawn(Counter, 'one');

    const paying = node.ask(one).pay({ cents: 1 }, { within: '1h' });
    await kit.until('it pays', () => kit.count('action.decided') === 1);
    mortal.killLast();
    await kit.advance('31s');
    await kit.advance('1s');

    expect(await paying).toMatchObject({ type: 'ok', value: { type: 'unknown', count: 1 } });
    expect(kit.count('supervisor.decided')).toBe(1);
    expect(mortal.started()).toBe(2);
  });

  test('S3: too many deaths and the node ends, with the reason; opened again, it has not forgotten', async () => {
    const mortal = mortalHosts();
    await using kit = new TestNode({
      implementations: [counter],
      tools,
      hosts: mortal.hosts,
      supervise: { restarts: '1 in 1h' },
    });
    const node = await kit.open();
    const one = await node.spawn(Counter, 'one');
    void node.tell(one).pay({ cents: 1 });
    await kit.until('it pays', () => kit.count('action.decided') === 1);
    mortal.killLast();
    await kit.settle();
    await kit.advance('31s'); // until then the payment may still come back
    await kit.advance('1s');
    await kit.until('it was restarted', () => kit.count('agent.started') === 2);

    await kit.crash();
    const again = await kit.open();
    void again.tell(one).pay({ cents: 2 });
    await kit.until('it pays again', () => kit.count('action.decided') === 2);
    mortal.killLast();
    await kit.settle();
    await kit.advance('31s');

    expect(await again.ended).toMatchObject({ code: 'node.gave_up' });
  });

  test('S2: one for all takes the siblings along, in reverse order, and starts them in order', async () => {
    const mortal = mortalHosts();
    await using kit = new TestNode({
      implementations: [counter],
      tools,
      hosts: mortal.hosts,
      supervise: { strategy: 'one_for_all' },
    });
    const node = await kit.open();
    for (const name of ['a', 'b', 'c']) await node.spawn(Counter, name, { stopWithin: 0 });
    void node.tell(refTo(Counter, 'b')).pay({ cents: 1 });
    await kit.until('it pays', () => kit.count('action.decided') === 1);
    mortal.killLast();
    await kit.advance('31s');
    await kit.advance('1s');

    const lives = kit.events.filter(({ type }) => type === 'agent.exited' || type === 'agent.started').slice(3);
    expect(lives.map(({ stream, type }) => `${type} ${stream}`)).toEqual([
      'agent.exited agent/b',
      'agent.exited agent/c',
      'agent.exited agent/a',
      'agent.started agent/a',
      'agent.started agent/b',
      'agent.started agent/c',
    ]);
  });
});

describe('a message between the word and its commit', () => {
  const digest = (text: string) => digestText(sha256(utf8(text)));

  test('is a dead letter, and never leaves, where another policy that refuses it came into force', async () => {
    let asked = 0;
    const policy: Gate = {
      get policy() {
        return digest(asked <= 1 ? 'old' : 'new');
      },
      check: () =>
        ++asked === 1 ? { verdict: 'allow' } : { verdict: 'deny', code: 'policy.revoked', message: 'no more' },
    };
    await using kit = new TestNode({ implementations: [counter], tools: [], gates: { policy } });
    const node = await kit.open();
    const one = await node.spawn(Counter, 'one');
    await node.spawn(Counter, 'two');

    const said = node.ask(one).say({ to: 'two', n: 7 });
    await kit.until('it was decided', () => asked === 1);
    asked = 2;
    await said;
    await kit.settle();

    expect(kit.stateOf(refTo(Counter, 'two'))).toMatchObject({ count: 0 });
    expect(kit.events.find(({ type }) => type === 'message.delivered')?.payload).toMatchObject({
      type: 'dead',
      code: 'policy.revoked',
    });
  });

  test('takes of the rate once, and is not refused by what it took itself', async () => {
    let left = 1;
    const budget: Gate = {
      check: () =>
        left > 0
          ? { verdict: 'allow' }
          : { verdict: 'deny', code: 'budget.too_fast', message: 'too fast', retryAfterMs: 10 },
      hold: () => {
        left -= 1;
        return { [Symbol.dispose]: () => undefined };
      },
    };
    const policy: Gate = { policy: digest('one'), check: () => ({ verdict: 'allow' }) };
    await using kit = new TestNode({ implementations: [counter], tools: [], gates: { budget, policy } });
    const node = await kit.open();
    const one = await node.spawn(Counter, 'one');
    await node.spawn(Counter, 'two');

    await node.ask(one).say({ to: 'two', n: 7 });
    await node.ask(one).say({ to: 'two', n: 7 });
    await kit.settle();

    expect(kit.stateOf(refTo(Counter, 'two'))).toMatchObject({ count: 7 });
    expect(left).toBe(0);
  });
});

test('a message that its handler does not wait for leaves all the same', async () => {
  const Hasty = contract('hasty', { messages: { go: { in: z.object({}), out: z.string() } } });
  const hasty = implement(Hasty, {
    state: () => ({}),
    evolve: {},
    on: {
      go(_, ctx) {
        void ctx.tell(refTo(Counter, 'two')).add({ n: 7 });
        return 'gone';
      },
    },
  });
  await using kit = new TestNode({ implementations: [counter, hasty], tools: [] });
  const node = await kit.open();
  await node.spawn(Counter, 'two');

  expect(await node.ask(await node.spawn(Hasty, 'one')).go({})).toMatchObject({ value: 'gone' });
  await kit.settle();

  expect(kit.stateOf(refTo(Counter, 'two'))).toMatchObject({ count: 7 });
});

test('a reply is seen only as the gates let it: what is withheld is neither answered nor on record', async () => {
  const policy: Gate = {
    check: () => ({ verdict: 'allow' }),
    checkOutput: (_, { point, value }) =>
      point === 'output' && JSON.stringify(value).includes('7')
        ? { verdict: 'deny', code: 'policy.secret', message: 'no sevens' }
        : { verdict: 'allow' },
  };
  await using kit = new TestNode({ implementations: [counter], tools: [], gates: { policy } });
  const node = await kit.open();
  const one = await node.spawn(Counter, 'one');

  expect(await node.ask(one).add({ n: 5 })).toMatchObject({ type: 'ok', value: { count: 5 } });
  expect(await node.ask(one).add({ n: 2 })).toMatchObject({ type: 'denied', code: 'policy.secret' });

  expect(kit.stateOf(one)).toMatchObject({ count: 7 });
  const replies = kit.events.filter(({ type }) => type === 'turn.committed').map(({ payload }) => payload);
  expect(replies[1]).toMatchObject({ reply: { type: 'denied', withheld: { digest: expect.any(String) } } });
  expect(JSON.stringify(replies[1])).not.toContain('"count":7');
});

describe('a drain', () => {
  test('lets what runs come to an end, takes nothing new, and leaves nothing behind', async () => {
    await using kit = new TestNode({ implementations: [counter], tools: [provide(add, ({ a, b }) => a + b)] });
    const node = await kit.open();
    const one = await node.spawn(Counter, 'one');

    const asked = node.ask(one).sum({ n: 2 });
    await kit.until('it began', () => kit.count('action.decided') === 1);
    const drained = node.drain();
    expect(await node.ask(one).get({})).toMatchObject({ type: 'busy' });
    expect(await asked).toMatchObject({ type: 'ok' });
    await drained;

    expect(kit.events.at(-1)?.type).toBe('turn.committed');
  });

  test('ends turns that do not, and what they began is resolved in the next life', async () => {
    await using kit = new TestNode({
      implementations: [counter],
      tools: [provide(pay, () => new Promise<string>(() => undefined))],
    });
    const node = await kit.open();
    const one = await node.spawn(Counter, 'one');
    await node.tell(one).pay({ cents: 1 });
    await kit.until('it pays', () => kit.count('action.decided') === 1);

    const drained = node.drain(1_000);
    await kit.advance('2s');
    await drained;
    await kit.crash();
    await kit.open();
    await kit.until('it was resolved', () => kit.count('turn.committed') === 1);

    expect(kit.events.find(({ type }) => type === 'action.settled')?.payload).toMatchObject({ status: 'unknown' });
  });
});

test('N7: a host whose agents are all put away is ended, quietly, and comes back when it is needed', async () => {
  const mortal = mortalHosts();
  await using kit = new TestNode({ implementations: [counter], tools: [], hosts: mortal.hosts, idleMs: 1_000 });
  const node = await kit.open();
  const one = await node.spawn(Counter, 'one');
  await node.ask(one).add({ n: 2 });
  await kit.advance('1s');
  await kit.advance('1s');

  expect(await node.ask(one).get({})).toMatchObject({ value: { count: 2 } });
  expect(mortal.started()).toBe(2);
  expect(kit.count('host.exited')).toBe(0);
});

test('N7: many agents are known and few are awake', async () => {
  await using kit = new TestNode({ implementations: [counter], tools: [], idleMs: 1_000 });
  const node = await kit.open();
  const names = Array.from({ length: 300 }, (_, n) => `agent-${n}`);
  for (const name of names) await node.spawn(Counter, name);
  await Promise.all(names.map((name) => node.tell(refTo(Counter, name)).add({ n: 1 })));
  await kit.until('all counted', () => kit.count('turn.committed') === 300);
  await kit.advance('1s');
  await kit.advance('1s');
  expect(node.census).toMatchObject({ known: 300, awake: 0 });

  await kit.crash();
  const again = await kit.open();
  expect(again.census).toMatchObject({ known: 300, awake: 0 });
  expect(await again.ask(refTo(Counter, 'agent-7')).get({})).toMatchObject({ value: { count: 1 } });
});
