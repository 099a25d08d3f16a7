/**
 * How fast something may be asked: `burst` at once, then `perSecond`. Turns are given in the order they were asked for.
 * Waiting keeps the callers, not a queue: the caller's own number bounds it.
 */
import type { Clock } from 'ringmesh/runtime';

export class Pace {
  readonly #clock: Clock;
  readonly #gapMs: number;
  readonly #burstMs: number;
  /** The monotonic moment from which the next turn is free of waiting. */
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, rate: { readonly perSecond: number; readonly burst: number }) {
    this.#clock = clock;
    this.#gapMs = 1_000 / rate.perSecond;
    this.#burstMs = this.#gapMs * (rate.burst - 1);
  }

  /** Resolves when it is this caller's turn, or rejects with the signal's reason; an aborted turn is not given back. */
  async turn(signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonicMs();
    const at = Math.max(this.#nextMs, now - this.#burstMs);
    this.#nextMs = at + this.#gapMs;
    await pause(this.#clock, Math.max(0, at - now), signal);
  }
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (delayMs <= 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  using _timer = clock.after(delayMs, resolve);
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
