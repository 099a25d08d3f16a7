/** What has arrived and was not read yet: bounded, one reader, newest dropped first. */
import { assert } from '../runtime/core/assert.ts';
import { ARRIVALS_MAX, ARRIVALS_PER_TURN } from './limits.ts';
import type { Arrival } from './transport.ts';

export class ArrivalQueue {
  readonly #waiting: Arrival[] = [];
  #dropped = 0;
  #isClosed = false;
  #isRead = false;
  #wake: (() => void) | undefined;

  get dropped(): number {
    return this.#dropped;
  }

  push(arrival: Arrival): void {
    if (this.#isClosed) return;
    if (this.#waiting.length >= ARRIVALS_MAX) this.#dropped++;
    else this.#waiting.push(arrival);
    this.#wake?.();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  async *read(signal: AbortSignal): AsyncGenerator<readonly Arrival[], void, undefined> {
    assert(!this.#isRead, 'arrivals: one reader at a time');
    this.#isRead = true;
    const onAbort = (): void => this.#wake?.();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        if (this.#waiting.length > 0) {
          yield this.#waiting.splice(0, ARRIVALS_PER_TURN);
          continue;
        }
        if (this.#isClosed) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
        this.#wake = undefined;
      }
    } finally {
      this.#isRead = false;
      signal.removeEventListener('abort', onAbort);
    }
  }
}
