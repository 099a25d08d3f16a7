/**
 * Long work in slices, so that a node goes on deciding while it reads thousands of rules.
 *
 * What can pause is a generator that yields wherever it may; the same code runs at once, or a few milliseconds at a time.
 */
import type { Clock } from '../runtime/core/clock.ts';
import { nextTurn } from '../runtime/core/system.ts';

/** Work that yields where it may pause, and returns what it was for. */
export type Sliced<T> = Generator<void, T, void>;

/** How long a slice may last, a single step permitting. */
const SLICE_MS = 4;

export function atOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Lets everything else that is ready have its turn after each slice. */
export async function inSlices<T>(work: Sliced<T>, clock: Pick<Clock, 'monotonicMs'>, signal: AbortSignal): Promise<T> {
  for (;;) {
    const endMs = clock.monotonicMs() + SLICE_MS;
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (clock.monotonicMs() < endMs);
    await nextTurn();
    signal.throwIfAborted();
  }
}
