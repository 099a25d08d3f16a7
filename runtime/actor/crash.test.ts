/** Power is lost at every event that a run records, before and after the write: the end is the same, and no effect twice. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { add, Counter, type CounterState, counter, hold, pay } from './agents.fixture.ts';
import type { AgentNode } from './node.ts';
import { refTo } from './ref.ts';
import { crashAfter, TestNode } from './test-kit.ts';
import { provide } from './tool.ts';

const one = refTo(Counter, 'one');
const two = refTo(Counter, 'two');

function world(seed = 1) {
  const paid: string[] = [];
  const kit = new TestNode({
    seed,
    implementations: [counter],
    tools: [
      provide(add, ({ a, b }) => a + b),
      provide(pay, ({ cents }, { key }) => {
        paid.push(key);
        return `receipt ${cents}`;
      }),
      provide(hold, { run: ({ cents }) => `hold ${cents}`, probe: () => 'absent' }),
    ],
  });
  return { kit, paid };
}

/** What the operator does: say everything that was not accepted before, however often the power fails. */
const script: readonly ((node: AgentNode) => Promise<unknown>)[] = [
  (node) => node.spawn(Counter, 'one'),
  (node) => node.spawn(Counter, 'two'),
  (node) => node.tell(one).sum({ n: 4 }),
  (node) => node.tell(one).pay({ cents: 5 }),
  (node) => node.tell(one).say({ to: 'two', n: 7 }),
  (node) => node.tell(one).remind({ after: 1_000, n: 100 }),
  (node) => node.tell(two).nap({ ms: 2_000 }),
];

async function run(kit: TestNode): Promise<void> {
  for (const [n, step] of script.entries()) {
    for (;;) {
      const node = kit.isOpen ? kit.node : await kit.open();
      const before = kit.accepted;
      const done = await Promise.race([
        step(node).then(
          () => true,
          () => false,
        ),
        node.ended.then(() => false),
      ]);
      if (done && !kit.hasFailed) break;
      await kit.crash();
      await kit.open();
      if (n >= 2 && kit.accepted > before) break; // the reply was lost, not the message
    }
  }
  for (let n = 0; n < 12; n++) {
    await kit.settle();
    if (kit.hasFailed) {
      await kit.crash();
      await kit.open();
    }
    await kit.advance('1s');
  }
}

function outcome(kit: TestNode, paid: readonly string[]) {
  const [first, second] = [kit.stateOf(one), kit.stateOf(two)] as [CounterState, CounterState];
  return { one: first.count, two: second.count, repeated: paid.length - new Set(paid).size };
}

describe('a loss of power', () => {
  test('at any event, before or after the write, changes neither the end nor the number of effects', async () => {
    const expected = { one: 8 + 1 + 7 + 100, two: 7 + 11, repeated: 0 };

    const runs = await crashAfter({
      make: world,
      run: ({ kit }) => run(kit),
      end: ({ kit, paid }) => {
        expect(outcome(kit, paid)).toMatchObject(expected);
        return outcome(kit, paid);
      },
    });

    expect(runs).toBeGreaterThan(40);
  });

  test('however often, loses no accepted message and repeats no payment', async () => {
    const given = fc.assert(
      fc.asyncProperty(fc.array(fc.nat(60), { minLength: 1, maxLength: 6 }), fc.boolean(), async (gaps, isLost) => {
        const { kit, paid } = world();
        let index = 0;
        for (const gap of gaps) {
          index += gap + 1;
          kit.crashAt({ index, fault: isLost ? 'lost' : 'reply_lost' });
        }
        await run(kit);
        expect(outcome(kit, paid)).toEqual({ one: 8 + 1 + 7 + 100, two: 7 + 11, repeated: 0 });
        await kit.crash();
      }),
      { numRuns: 60 },
    );
    await expect(given).resolves.toBeUndefined();
  });
});
