/**
 * The generic cell rate algorithm (ITU-T I.371, annex A): a rate with a burst, in one number per bucket. The number is the
 * *theoretical arrival time*: when the next action would be due if all came evenly. Whole microseconds, no floats.
 */

/** At most `count` per `periodMs` in the long run, and at most `burst` at once. All three are integers from 1. */
export type Rate = { readonly count: number; readonly periodMs: number; readonly burst: number };

/** A bucket's theoretical arrival time, in microseconds; 0 for one that was never used. */
export type ArrivalUs = number;

export type RateAnswer =
  | { readonly isAllowed: true; readonly next: ArrivalUs }
  | { readonly isAllowed: false; readonly retryAfterMs: number };

/** Whether one more may come at `atMs`, and what the bucket holds then. Pure: who takes it, stores `next`. */
export function admitAt(arrival: ArrivalUs, rate: Rate, atMs: number): RateAnswer {
  const atUs = atMs * 1_000;
  const aheadUs = Math.max(arrival, atUs) - atUs - intervalUs(rate) * (rate.burst - 1);
  if (aheadUs > 0) return { isAllowed: false, retryAfterMs: Math.ceil(aheadUs / 1_000) };
  return { isAllowed: true, next: taken(arrival, rate, atMs) };
}

/** What the bucket holds after one that came at `atMs`, whether or not it should have. */
export function taken(arrival: ArrivalUs, rate: Rate, atMs: number): ArrivalUs {
  return Math.max(arrival, atMs * 1_000) + intervalUs(rate);
}

function intervalUs({ count, periodMs }: Rate): number {
  return Math.ceil((periodMs * 1_000) / count);
}
