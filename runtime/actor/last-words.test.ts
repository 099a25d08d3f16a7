/** What an agent leaves behind when it ends: what it said is still sent, what it was told has an end, nobody is an orphan. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { add, Counter, counter } from './agents.fixture.ts';
import { contract } from './contract.ts';
import { implement } from './implement.ts';
import { refTo } from './ref.ts';
import { TestNode } from './test-kit.ts';
import { provide } from './tool.ts';

const Herald = contract('herald', {
  messages: {
    farewell: { in: z.object({ to: z.string(), n: z.int() }) },
    raise: { in: z.object({ child: z.string() }) },
    wait: { in: z.object({}), out: z.string(), within: '1h' },
  },
});
const herald = implement(Herald, {
  state: () => 0,
  evolve: {},
  on: {
    async farewell({ to, n }, ctx) {
      await ctx.tell(refTo(Counter, to)).add({ n });
      await ctx.stop();
    },
    async raise({ child }, ctx) {
      await ctx.spawn(Counter, child);
    },
    async wait(_, ctx) {
      await ctx.sleep('30m');
      return 'waited';
    },
  },
});

const one = refTo(Herald, 'one');
const two = refTo(Counter, 'two');

async function kitOf(): Promise<TestNode> {
  const kit = new TestNode({ implementations: [herald, counter], tools: [provide(add, ({ a, b }) => a + b)] });
  await kit.open();
  await kit.node.spawn(Counter, 'two');
  await kit.node.spawn(Herald, 'one', { restart: 'transient' });
  return kit;
}

/** Runs it once in peace, then again and again with a loss of power at each of its events. */
async function atEachEvent(
  work: (kit: TestNode) => Promise<void>,
  check: (kit: TestNode) => Promise<void>,
): Promise<number> {
  await using peace = await kitOf();
  const first = peace.events.length;
  await work(peace);
  await check(peace);
  const last = peace.events.length;
  for (let index = first; index < last; index++) {
    for (const fault of ['lost', 'reply_lost'] as const) {
      await using kit = await kitOf();
      kit.crashAt({ index, fault });
      await work(kit).catch(() => undefined);
      await kit.crash();
      await kit.open();
      for (let n = 0; n < 5; n++) await kit.advance('1s');
      await check(kit);
    }
  }
  return last - first;
}

describe('an agent that ends', () => {
  test('has ended, whenever power is lost after its message was accepted', async () => {
    const events = await atEachEvent(
      async (kit) => {
        await kit.node.tell(one).farewell({ to: 'two', n: 5 });
        await kit.until('it has left', () => kit.count('agent.exited') === 1);
      },
      async (kit) => {
        const isAccepted = kit.events.some(({ type, stream }) => type === 'message.accepted' && stream === 'agent/one');
        expect(kit.node.living.includes('one')).toBe(!isAccepted);
      },
    );

    expect(events).toBeGreaterThan(5);
  });

  test('is heard for the last time, whenever power is lost: what it said is delivered', async () => {
    const events = await atEachEvent(
      async (kit) => {
        await kit.node.tell(one).farewell({ to: 'two', n: 5 });
        await kit.advance('1s');
      },
      async (kit) => {
        const { count } = kit.stateOf(two) as { count: number };
        expect(count).toBe(kit.count('message.sent') * 5);
        expect(kit.count('message.delivered')).toBe(kit.count('message.sent'));
      },
    );
    expect(events).toBeGreaterThan(5);
  });

  test('before what it said could be delivered is heard after a loss of power, and by whoever comes late', async () => {
    await using kit = await kitOf();
    await kit.node.tell(one).farewell({ to: 'late', n: 5 });
    await kit.advance('1s');
    expect(kit.node.living).toEqual(['two']);
    await kit.crash();
    await kit.open();
    await kit.node.spawn(Counter, 'late');
    for (let n = 0; n < 5; n++) await kit.advance('10s');
    expect(kit.stateOf(refTo(Counter, 'late'))).toMatchObject({ count: 5 });
  });

  test('and is told things meanwhile leaves no message without an end, whenever power is lost', async () => {
    await atEachEvent(
      async (kit) => {
        for (let n = 0; n < 3; n++) await kit.node.tell(one).wait({});
        await kit.advance('1s');
        await kit.node.stop('one');
      },
      async (kit) => {
        if (kit.node.living.includes('one')) return;
        const ended = new Set(kit.node.deadLetters('one').map(({ message }) => message));
        expect(ended.size).toBe(
          kit.events.filter(({ type, stream }) => type === 'message.accepted' && stream === 'agent/one').length,
        );
      },
    );
  });

  test('takes its children along, whenever power is lost', async () => {
    await atEachEvent(
      async (kit) => {
        await kit.node.tell(one).raise({ child: 'one/child' });
        await kit.advance('1s');
        await kit.node.tell(one).farewell({ to: 'two', n: 1 });
        await kit.advance('1s');
      },
      async (kit) => {
        if (!kit.node.living.includes('one')) expect(kit.node.living).toEqual(['two']);
      },
    );
  });

  test('is suspended in the midst of failures: the attempt under way is the last, until it may go on', async () => {
    for (let ticks = 0; ticks < 30; ticks++) {
      await using kit = await kitOf();
      void kit.node.ask(two).wrong({ how: 'throw' });
      await kit.settle(ticks);
      await kit.node.suspend('two', 'a look');
      await kit.advance('1s');
      const types = kit.events.map(({ type }) => type);
      const after = types.slice(types.indexOf('agent.suspended')).filter((type) => type === 'turn.failed');
      expect(after.length).toBeLessThanOrEqual(1);

      await kit.node.resume('two');
      await kit.advance('1s');
      expect(kit.count('turn.failed')).toBe(3);
    }
  });

  test('is stopped in the midst of failures: its message has one end, and no turn comes after', async () => {
    for (let ticks = 0; ticks < 30; ticks++) {
      await using kit = await kitOf();
      const failing = kit.node.ask(two).wrong({ how: 'throw' });
      await kit.settle(ticks);
      await kit.node.stop('two');
      await kit.advance('1s');

      const types = kit.events.filter(({ stream }) => stream === 'agent/two').map(({ type }) => type);
      expect(types.filter((type) => type === 'message.dead_lettered')).toHaveLength(1);
      const after = types.slice(types.indexOf('agent.exited') + 1);
      expect(after.filter((type) => type !== 'message.dead_lettered')).toEqual([]);
      expect((await failing).type).toMatch(/died|failed/);
    }
  });

  test('is told something in the very moment: that has an end, too', async () => {
    await using kit = await kitOf();
    const stopping = kit.node.stop('one');
    const asked = kit.node.ask(one).wait({}, { within: '10s' });
    await kit.settle();
    await stopping;
    await kit.advance('20s');
    expect((await asked).type).not.toBe('timeout');
  });
});
