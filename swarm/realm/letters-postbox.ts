/**
 * When letters are left and taken. Beside each tell that waits for a node that was not heard, a letter; and again and again
 * a look into this node's own mailbox. A mailbox that cannot be reached, or is full, is no fault of a node: the message waits
 * here as it would without one.
 */
import type { Outgoing, Remote } from '../../runtime/actor/remote.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { Letters } from './letters.ts';

/** A node that was not heard for so long is away: it would have beaten. */
const AWAY_MS = 6_000;
/** What could not be left is tried again after this long; so is taking. */
const AGAIN_MS = 30_000;

export type PostboxParts = {
  readonly letters: Letters;
  readonly remote: Remote;
  /** Whether the agent can be reached now. */
  readonly isHeard: (agent: string) => boolean;
  readonly clock: Clock;
  readonly awayMs?: number | undefined;
};

export class Postbox implements Remote {
  readonly #parts: PostboxParts;
  readonly #stopped = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  #collecting: Promise<void> | undefined;

  constructor(parts: PostboxParts) {
    this.#parts = parts;
    this.#failed.promise.catch(() => undefined);
  }

  /** Rejects when a letter could not be recorded. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  find(agent: string): ReturnType<Remote['find']> {
    return this.#parts.remote.find(agent);
  }

  ask(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    return this.#parts.remote.ask(message, signal);
  }

  async tell(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    const { remote, letters, awayMs = AWAY_MS } = this.#parts;
    if (!letters.mayLeave(message)) return remote.tell(message, signal);
    const over = new AbortController();
    this.#leaveIn(awayMs, message, over.signal);
    try {
      return await remote.tell(message, signal);
    } finally {
      over.abort();
    }
  }

  /** Takes what waits, now and from time to time. */
  start(): void {
    this.collect();
    this.#parts.clock.after(AGAIN_MS, () => {
      if (!this.#stopped.signal.aborted) this.start();
    });
  }

  /** Takes what waits; not twice at once. */
  collect(): void {
    if (this.#collecting !== undefined || this.#stopped.signal.aborted) return;
    const work = this.#parts.letters.collect(this.#stopped.signal).then(() => undefined);
    this.#collecting = this.#unlessAway(work).finally(() => {
      this.#collecting = undefined;
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new DOMException('the node ends', 'AbortError'));
    await this.#collecting;
  }

  #leaveIn(delayMs: number, message: Outgoing, over: AbortSignal): void {
    const { clock, letters, isHeard } = this.#parts;
    clock.after(delayMs, () => {
      if (over.aborted || this.#stopped.signal.aborted) return;
      if (isHeard(message.to)) return this.#leaveIn(delayMs, message, over);
      const work = letters.leave(message, this.#stopped.signal).then(
        () => undefined,
        (error: unknown) => {
          this.#leaveIn(AGAIN_MS, message, over);
          throw error;
        },
      );
      void this.#unlessAway(work);
    });
  }

  /** What a mailbox or its carrier cannot do is waited out; everything else ends the node. */
  async #unlessAway(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      const isAway = error instanceof CodedError && (error.retryable || error.code.startsWith('transport.'));
      if (!isAway && !this.#stopped.signal.aborted) this.#failed.reject(error);
    }
  }
}
