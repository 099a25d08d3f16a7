/** What the cleaner answers, and the two tools it uses: one looks, one destroys. */
import { contract, tool } from 'ringmesh/runtime';
import { z } from 'zod';

/** Seconds since 1970. */
const before = z.int().nonnegative();

export const findOld = tool('records.find', {
  in: z.strictObject({ before }),
  out: z.strictObject({ total: z.int(), old: z.int() }),
  effect: 'idempotent',
});

/** Nobody can say afterwards whether it happened, and nobody can take it back. */
export const deleteOld = tool('records.delete', {
  in: z.strictObject({ before }),
  out: z.strictObject({ deleted: z.int() }),
  effect: 'unsafe',
  risk: 3,
});

export const Cleaner = contract('cleaner', {
  messages: {
    clean: {
      in: z.strictObject({ keepDays: z.int().min(1).max(36_500) }),
      out: z.strictObject({ total: z.int(), old: z.int(), deleted: z.int(), refused: z.string().nullable() }),
    },
  },
  events: { Cleaned: z.strictObject({ old: z.int(), deleted: z.int(), refused: z.string().nullable() }) },
  uses: { findOld, deleteOld },
});
