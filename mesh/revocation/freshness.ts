/** How old a view of the revocations may be. Pure. */
import type { Millis } from '../../runtime/core/brand.ts';
import type { Refusal } from '../../runtime/core/result.ts';
import type { Risk } from '../../runtime/kernel/action.ts';
import { REVOCATION_AGE_MS_MAX, SKEW_MS } from '../limits.ts';

/** Whether a view that was last complete at `heardAt` is good enough, at `at`, for an act of this risk. One from the future
 *  is not: a clock that was set back would keep it fresh. */
export function isFresh(heardAt: Millis, at: Millis, risk: Risk): boolean {
  return risk < HARD_TO_UNDO || (at - heardAt < REVOCATION_AGE_MS_MAX && heardAt <= at + SKEW_MS);
}

export const STALE: Refusal = {
  code: 'revocation.stale',
  message: `expected to have heard of revocations within ${REVOCATION_AGE_MS_MAX} ms`,
};

/** From this risk class on. */
export const HARD_TO_UNDO = 2;
