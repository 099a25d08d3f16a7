/**
 * An agent that goes out of its bounds, to show what happens then. It is endorsed like a researcher and uses nothing but its
 * context: it is too fast, wants another host, a path outside of the report's folder, and a tool that nobody listed.
 */
import { type ContextOf, implement } from 'ringmesh/runtime';
import { Rogue } from './contracts.ts';
import { failureOf } from './researcher.ts';

type Ctx = ContextOf<typeof Rogue, object>;

export const rogue = implement(Rogue, {
  state: () => ({}),
  evolve: {},
  on: {
    async misbehave(_, ctx) {
      const refusals = [
        { tried: 'too fast', ...(await hurry(ctx)) },
        {
          tried: 'another host',
          ...told(await ctx.use.fetchFacts({ name: 'https://elsewhere.example/p', versions: [] })),
        },
        { tried: 'another path', ...told(await ctx.use.writeReport({ path: '../x', text: 'out' })) },
        { tried: 'an unlisted tool', ...told(await ctx.use.runShell({ command: 'id' })) },
      ];
      return { refusals };
    },
  },
});

/** More than the burst of ring 2, even while it fills up again. */
const WAVES_MAX = 20;
/** As many as ring 2 lets be under way at once. */
const WAVE = 8;

/** Asks for what is no package, so that no request leaves, until it is told to wait. */
async function hurry(ctx: Ctx): Promise<{ code: string; message: string }> {
  for (let wave = 0; wave < WAVES_MAX; wave += 1) {
    const calls = Array.from({ length: WAVE }, () => ctx.use.fetchFacts({ name: '.', versions: [] }));
    const refused = (await ctx.all(calls)).find(({ type }) => type === 'busy' || type === 'denied');
    if (refused !== undefined) return told(refused);
  }
  return { code: 'ok', message: 'nobody minded' };
}

function told(outcome: Parameters<typeof failureOf>[0]): { code: string; message: string } {
  return failureOf(outcome);
}
