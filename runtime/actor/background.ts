/** Work that nobody waits for, and the end that it brings about when it fails. */
import type { Clock } from '../core/clock.ts';
import { CodedError, messageOf } from '../core/errors.ts';

export type Phase = 'open' | 'draining' | 'closed';

export class Background {
  phase: Phase = 'open';
  readonly #clock: Clock;
  readonly #onFault: (cause: Error) => void;

  constructor(clock: Clock, onFault: (cause: Error) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  get isOpen(): boolean {
    return this.phase === 'open';
  }

  track(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.fault(error));
  }

  pause(ms: number): Promise<void> {
    if (ms === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#clock.after(ms, resolve);
    return promise;
  }

  /** N8: what the node cannot go on from. */
  fault(error: unknown): void {
    this.#onFault(error instanceof Error ? error : new CodedError('node.failed', messageOf(error)));
  }
}
