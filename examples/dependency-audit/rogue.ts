/**
 * An agent that goes out of its bounds, to show what happens then. It is endorsed like a researcher and uses nothing but its
 * context: it is too fast, gives away more than it has, uses what was taken back, and wants others' packages, another host, a
 * path outside of the report's folder, and a tool that nobody listed.
 */
import { type ContextOf, implement, type Outcome } from 'ringmesh/runtime';
import { COORDINATOR, Rogue } from './contracts.ts';
import { patiently } from './patience.ts';
import { failureOf } from './researcher.ts';

type Ctx = ContextOf<typeof Rogue, object>;

export const rogue = implement(Rogue, {
  state: () => ({}),
  evolve: {},
  on: {
    async misbehave({ stage }, ctx) {
      const { use } = ctx;
      if (stage === 'given') {
        const where = [{ arg: 'name', is: 'in' as const, value: ['left-pad'] }];
        const wider = { to: COORDINATOR, command: '/tool/registry/facts', where, forMs: 60_000 };
        return {
          refusals: [
            { tried: 'too fast', ...(await hurry(ctx)) },
            { tried: 'a wider grant', ...(await told(ctx, () => use.delegate(wider))) },
          ],
        };
      }
      const elsewhere = { name: 'https://elsewhere.example/p', versions: [] };
      const refusals = [
        { tried: 'what was taken back', ...(await told(ctx, () => use.fetchFacts({ name: '.', versions: [] }))) },
        { tried: 'others’ packages', ...(await told(ctx, () => use.fetchFacts({ name: 'left-pad', versions: [] }))) },
        { tried: 'another host', ...(await told(ctx, () => use.fetchFacts(elsewhere))) },
        { tried: 'another path', ...(await told(ctx, () => use.writeReport({ path: '../x', text: 'out' }))) },
        { tried: 'an unlisted tool', ...(await told(ctx, () => use.runShell({ command: 'id' }))) },
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
    if (refused !== undefined) return failureOf(refused);
  }
  return { code: 'ok', message: 'nobody minded' };
}

/** What it is told about one act. It waits out what is left of its haste, so that the act is looked at for itself. */
async function told(ctx: Ctx, attempt: () => Promise<Outcome<unknown>>): Promise<{ code: string; message: string }> {
  return failureOf(await patiently(ctx, attempt));
}
