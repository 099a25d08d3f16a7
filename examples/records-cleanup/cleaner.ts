/** "Clean up old records": an agent that does what it was told, all too readily. What stops it is not here. */
import { implement } from 'ringmesh/runtime';
import { Cleaner } from './contract.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

export const cleaner = implement(Cleaner, {
  state: () => ({ deleted: 0 }),
  evolve: { Cleaned: (state, { deleted }) => ({ deleted: state.deleted + deleted }) },
  on: {
    async clean({ keepDays }, ctx) {
      const before = Math.floor((ctx.now() - keepDays * DAY_MS) / 1000);
      const { total, old } = await ctx.must.findOld({ before });
      const done = await ctx.use.deleteOld({ before });
      const deleted = done.type === 'ok' ? done.value.deleted : 0;
      const refused = done.type === 'ok' ? null : 'code' in done ? done.code : done.type;
      ctx.emit('Cleaned', { old, deleted, refused });
      return { total, old, deleted, refused };
    },
  },
});
