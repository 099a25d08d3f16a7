/** The agents of the tests with real nodes: each has a book on disk, and is told and asked what to write into it. */
import { z } from 'zod';
import { bundle } from '../../policies/bundle/bundle.ts';
import { policy } from '../../policies/document/document.ts';
import { contract } from '../../runtime/actor/contract.ts';
import { implement } from '../../runtime/actor/implement.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import { tool } from '../../runtime/actor/tool.ts';

/** Whether a line is written can be looked up, so that it is written once whatever dies meanwhile. */
export const write = tool('book.write', { in: z.object({ line: z.string() }), out: z.null(), effect: 'reconcile' });

const Entry = z.object({ by: z.string(), n: z.int() });

/** Writes what it is told and asked. */
export const Post = contract('post', {
  messages: {
    put: { in: Entry },
    double: { in: Entry, out: z.int(), within: '1m' },
  },
  events: { Put: Entry },
  uses: { write },
});

/** Tells and asks. Another agent than the post: two that asked each other would wait for each other. */
export const Desk = contract('desk', {
  messages: {
    /** Tells each of these the next `count` numbers. */
    send: { in: z.object({ to: z.array(z.string()), count: z.int() }) },
    /** Asks another to double a number. */
    ask: {
      in: z.object({ to: z.string(), n: z.int(), withinMs: z.int() }),
      out: z.object({ type: z.string(), value: z.int().nullable() }),
      within: '1m',
    },
  },
  events: { Sent: z.object({ count: z.int() }) },
});

export const post = implement(Post, {
  state: () => ({ entries: 0 }),
  evolve: { Put: ({ entries }) => ({ entries: entries + 1 }) },
  on: {
    async put({ by, n }, ctx) {
      await ctx.must.write({ line: `put ${by} ${n}` });
      ctx.emit('Put', { by, n });
    },
    async double({ by, n }, ctx) {
      await ctx.must.write({ line: `double ${by} ${n}` });
      return 2 * n;
    },
  },
});

export const desk = implement(Desk, {
  state: () => ({ sent: 0 }),
  evolve: { Sent: ({ sent }, { count }) => ({ sent: sent + count }) },
  on: {
    async send({ to, count }, ctx) {
      const by = ctx.self.agent;
      for (let n = 1; n <= count; n++) {
        for (const other of to) {
          await ctx.tell(refTo(Post, other)).put({ by, n: ctx.before.sent + n }, { retryFor: '10m' });
        }
      }
      ctx.emit('Sent', { count });
    },
    async ask({ to, n, withinMs }, ctx) {
      const answer = await ctx.ask(refTo(Post, to)).double({ by: ctx.self.agent, n }, { within: `${withinMs}ms` });
      return { type: answer.type, value: answer.type === 'ok' ? answer.value : null };
    },
  },
});

export const postRules = bundle([
  policy({
    name: 'post',
    layer: 'org',
    tools: { 'book.write': { effects: ['write'], reversibility: 'reversible', risk: 1 } },
    rules: [
      { id: 'book', on: { verb: 'use', tool: 'book.write' }, effect: 'allow' },
      { id: 'words', on: { verb: ['tell', 'ask'], tool: 'post.*' }, effect: 'allow' },
    ],
  }),
]);
