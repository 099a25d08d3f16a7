/** The agents of the mesh benchmark: one that asks others, and one that answers. Loaded by it and by child hosts. */
import { z } from 'zod';
import { contract } from '../runtime/actor/contract.ts';
import { implement } from '../runtime/actor/implement.ts';
import { refTo } from '../runtime/actor/ref.ts';

export const Echo = contract('echo', {
  messages: { say: { in: z.object({ text: z.string() }), out: z.object({ text: z.string() }), within: '60s' } },
});

export const echo = implement(Echo, {
  state: () => ({}),
  evolve: {},
  on: { say: ({ text }) => ({ text }) },
});

/** How many of an asker's questions fit into one turn. */
export const ASKS_PER_TURN = 900;
/** Answerers: with fewer, one agent's turns, of which there is one at a time, would be what is measured. */
export const ECHOES = 64;
/** Askers, for the same reason: within one turn answers are handed out one by one, so that it can be repeated. */
export const ASKERS = 64;

export const Asker = contract('asker', {
  messages: {
    run: {
      in: z.object({ asks: z.int().max(ASKS_PER_TURN), width: z.int(), from: z.int(), text: z.string() }),
      out: z.object({ ok: z.int(), other: z.array(z.string()) }),
      within: '5m',
    },
  },
});

export const asker = implement(Asker, {
  state: () => ({}),
  evolve: {},
  on: {
    async run({ asks, width, from, text }, ctx) {
      const seen = { ok: 0, other: [] as string[] };
      let next = 0;
      const worker = async (): Promise<void> => {
        for (let n = next++; n < asks; n = next++) {
          const answer = await ctx.ask(refTo(Echo, `echo-${(from + n) % ECHOES}`)).say({ text });
          if (answer.type === 'ok') seen.ok += 1;
          else seen.other.push(answer.type);
        }
      };
      await Promise.all(Array.from({ length: width }, worker));
      return seen;
    },
  },
});
