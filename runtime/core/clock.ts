import type { Millis } from './brand.ts';

/**
 * Time, as everything above `core` sees it. Two readings, because they answer different questions: `now` is for people
 * and may jump either way; `monotonicMs` is for measuring and waiting and never goes back, but has no meaning outside this
 * process.
 */
export interface Clock {
  /** Wall-clock time, whole milliseconds. */
  now(): Millis;
  /** Milliseconds since some fixed moment of this process; fractional, never decreasing. */
  monotonicMs(): number;
  /** Calls `wake` once, at least `delayMs` from now, unless disposed before. A waiting timer keeps no process alive. */
  after(delayMs: number, wake: () => void): Disposable;
}
