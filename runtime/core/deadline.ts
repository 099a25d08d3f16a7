import type { Clock } from './clock.ts';
import { CodedError } from './errors.ts';

/** A wait that its bound ended. Whether the work behind it happened is unknown: say so, never retry blindly. */
export class DeadlineError extends CodedError {
  override readonly name = 'DeadlineError';
  readonly waitedMs: number;
  constructor(what: string, waitedMs: number) {
    super('deadline.exceeded', `expected ${what} within ${waitedMs} ms, it was still under way`);
    this.waitedMs = waitedMs;
  }
}

/**
 * The result of `work`, or a `DeadlineError` after `limitMs`, or the signal's reason once it aborts. The work itself goes
 * on: only the wait ends. No timer or listener outlives the call.
 * @throws {DeadlineError} `deadline.exceeded`
 */
export async function withDeadline<T>(
  work: Promise<T>,
  bound: { readonly clock: Clock; readonly limitMs: number; readonly what: string; readonly signal?: AbortSignal },
): Promise<T> {
  bound.signal?.throwIfAborted();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const timer = bound.clock.after(bound.limitMs, () => reject(new DeadlineError(bound.what, bound.limitMs)));
  const onAbort = (): void => reject(bound.signal?.reason);
  bound.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, ended]);
  } finally {
    timer[Symbol.dispose]();
    bound.signal?.removeEventListener('abort', onAbort);
  }
}
