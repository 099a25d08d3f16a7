/** Answers that no event of their own records: a turn entered again is told the same, or nothing depended on them. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Gates } from '../kernel/gate.ts';
import { contract } from './contract.ts';
import { implement } from './implement.ts';
import { refTo } from './ref.ts';
import { crashAfter, TestNode } from './test-kit.ts';
import { provide, tool } from './tool.ts';

const dig = tool('field.dig', { in: z.int(), out: z.int(), effect: 'idempotent' });
const Digger = contract('digger', {
  messages: { dig: { in: z.object({ times: z.int() }), within: '1h' } },
  events: { Dug: z.object({ found: z.int(), busy: z.int() }) },
  uses: { dig },
});
const digger = implement(Digger, {
  state: () => ({ found: 0, busy: 0 }),
  evolve: { Dug: (_, dug) => dug },
  on: {
    async dig({ times }, ctx) {
      const dug = { found: 0, busy: 0 };
      for (let n = 0; n < times; n++) {
        const answer = await ctx.use.dig(n);
        if (answer.type === 'ok') dug.found += 1;
        if (answer.type === 'busy') {
          dug.busy += 1;
          if (dug.busy % 10 === 0) await ctx.sleep('1s'); // one branch that only a refusal leads to
        }
      }
      ctx.emit('Dug', dug);
    },
  },
});
const one = refTo(Digger, 'one');

/** Refuses the first `refusals` acts of this life of the node: the next life refuses others. */
function patience(refusals: number): Gates {
  let left = refusals;
  const policy = { check: () => ({ verdict: 'allow' }) as const };
  const budget = {
    check: () =>
      left-- > 0
        ? ({ verdict: 'deny', code: 'budget.exceeded', message: 'too fast', retryAfterMs: 50 } as const)
        : ({ verdict: 'allow' } as const),
  };
  return { budget, policy };
}

async function digUntilDone(kit: TestNode): Promise<void> {
  for (let n = 0; n < 200 && kit.count('turn.committed') === 0; n++) {
    if (kit.hasFailed) {
      await kit.crash();
      await kit.open();
    }
    await kit.advance('1s');
  }
}

describe('refusals that are only counted', () => {
  test('are told again to a turn that parked on their account, and to one that a fresh gate would treat better', async () => {
    let calls = 0;
    const gates = patience(35);
    await using kit = new TestNode({ implementations: [digger], tools: [provide(dig, (n) => ++calls && n)], gates });
    const node = await kit.open();
    await node.spawn(Digger, 'one');
    await node.tell(one).dig({ times: 40 });
    await kit.until('it sleeps', () => kit.count('turn.parked') === 1);
    await kit.advance('1s');
    await kit.until('it sleeps again', () => kit.count('turn.parked') === 2);

    await kit.crash();
    Object.assign(gates, patience(0));
    await kit.open();
    await digUntilDone(kit);

    expect(kit.count('turn.stuck')).toBe(0);
    expect(kit.stateOf(one)).toEqual({ found: 20, busy: 20 });
    expect(calls).toBe(20);
    expect(kit.events.filter(({ type }) => type === 'action.decided').length).toBeLessThan(40);
  });

  const crash = {
    make: () => {
      const keys: string[] = [];
      const gates = patience(25);
      const tools = [provide(dig, (n, { key }) => keys.push(key) && n)];
      return { keys, kit: new TestNode({ implementations: [digger], tools, gates }) };
    },
    run: async ({ kit }: { kit: TestNode }) => {
      await kit.open();
      for (const say of [() => kit.node.spawn(Digger, 'one'), () => kit.node.tell(one).dig({ times: 30 })]) {
        for (;;) {
          const before = kit.accepted;
          const done = await Promise.race([
            say().then(
              () => true,
              () => false,
            ),
            kit.node.ended.then(() => false),
          ]);
          if (done && !kit.hasFailed) break;
          await kit.crash();
          await kit.open();
          if (kit.accepted > before) break;
        }
      }
      await digUntilDone(kit);
    },
    end: ({ kit }: { kit: TestNode }) => ({ stuck: kit.count('turn.stuck'), done: kit.count('turn.committed') }),
  };

  test('leave no turn stuck, wherever the power fails', async () => {
    expect(await crashAfter(crash)).toBeGreaterThan(20);
  });
});
