/** The agents of a node that is killed: two that pass numbers on, and one that takes them, with two effects for each. */
import { z } from 'zod';
import { contract } from './contract.ts';
import { implement } from './implement.ts';
import { refTo } from './ref.ts';
import { tool } from './tool.ts';

const Numbered = z.object({ from: z.string(), n: z.int() });

/** Effects that the test counts: one that must never be repeated, one that may be while its end is in doubt. */
export const mark = tool('ledger.mark', { in: Numbered, out: z.int(), effect: 'unsafe' });
export const note = tool('ledger.note', { in: Numbered, out: z.int(), effect: 'idempotent' });

export const Taker = contract('taker', {
  messages: { take: { in: Numbered } },
  events: { Taken: Numbered },
  uses: { mark, note },
});

export const taker = implement(Taker, {
  state: () => ({ count: 0 }),
  evolve: { Taken: ({ count }) => ({ count: count + 1 }) },
  on: {
    async take(numbered, ctx) {
      await Promise.all([ctx.use.mark(numbered), ctx.must.note(numbered)]);
      ctx.emit('Taken', numbered);
    },
  },
});

export const Passer = contract('passer', {
  messages: { pass: { in: z.object({ n: z.int() }) } },
  events: { Passed: z.object({ n: z.int() }) },
});

export const passer = implement(Passer, {
  state: () => ({ last: 0 }),
  evolve: { Passed: (_, { n }) => ({ last: n }) },
  on: {
    async pass({ n }, ctx) {
      await ctx.tell(refTo(Taker, 'taker')).take({ from: ctx.self.agent, n });
      ctx.emit('Passed', { n });
    },
  },
});
