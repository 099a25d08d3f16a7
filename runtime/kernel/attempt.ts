/**
 * One attempt at the world, and one question about an attempt whose outcome nobody knows.
 *
 * T1. Both end within the action's own time, or by the signal, which leaves the action in doubt.
 * T2. An executor that throws has failed where a repetition is harmless; else nobody knows.
 */
import type { JsonValue } from '../codec/json.ts';
import type { Clock } from '../core/clock.ts';
import { DeadlineError, withDeadline } from '../core/deadline.ts';
import { hasCode, messageOf } from '../core/errors.ts';
import type { Action } from './action.ts';
import { type Outcome, statusOf } from './outcome.ts';

/** What can be attempted. Code behind it may do anything; what it says is checked by nobody but its own schemas. */
export interface Executor {
  /** One attempt under `key`. A throw means `failed` where a repetition is harmless, else `unknown`. */
  run(input: JsonValue, attempt: Attempt): Promise<Outcome>;
  /** For `reconcile`: what the world says about `key`. `absent`: it certainly did not happen. */
  probe?(input: JsonValue, attempt: Attempt): Promise<Outcome | 'absent'>;
}

export type Attempt = {
  readonly key: string;
  readonly action: Action;
  readonly signal: AbortSignal;
  /** The chain that allowed it, root first, as its decision has it. */
  readonly delegations?: readonly string[];
};

export class Attempts {
  readonly #clock: Clock;
  readonly #executorOf: (action: Action) => Executor | undefined;

  constructor(clock: Clock, executorOf: (action: Action) => Executor | undefined) {
    this.#clock = clock;
    this.#executorOf = executorOf;
  }

  /** Tries, with `input` (the action's own, or what of it the executor may see). The first line of the executor runs before
   *  this first waits. */
  async attempt(
    action: Action,
    { input, delegations }: { readonly input: JsonValue; readonly delegations: readonly string[] | undefined },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const executor = this.#executorOf(action);
    if (executor === undefined) return { type: 'died', message: `${action.target} is gone` };
    const isHarmless = action.effect === 'pure' || action.effect === 'idempotent';
    const under = delegations === undefined ? {} : { delegations };
    const outcome = await this.#bounded(action, signal, (inner) =>
      executor.run(input, { key: action.key, action, signal: inner, ...under }),
    ).catch((error: unknown): Outcome => {
      signal.throwIfAborted();
      if (error instanceof DeadlineError) return { type: 'timeout', withinMs: action.withinMs };
      if (!isHarmless) return { type: 'unknown', message: messageOf(error) };
      return { type: 'failed', code: codeOf(error), message: messageOf(error) };
    });
    if (isHarmless || statusOf(outcome) !== 'unknown') return outcome;
    if (action.effect === 'reconcile') {
      const found = await this.probe(action, input, signal);
      return found === 'absent' ? { type: 'failed', code: 'tool.failed', message: 'it did not happen' } : found;
    }
    return { type: 'unknown', message: `${action.target} may or may not have happened: ${reasonOf(outcome)}` };
  }

  /** Asks the world. `input` is `undefined` where nobody may be shown it. */
  async probe(action: Action, input: JsonValue | undefined, signal: AbortSignal): Promise<Outcome | 'absent'> {
    const executor = this.#executorOf(action);
    const doubt: Outcome = {
      type: 'unknown',
      message: `${action.target} may or may not have happened, and cannot be asked`,
    };
    if (executor?.probe === undefined || input === undefined) return doubt;
    const probe = executor.probe.bind(executor);
    return this.#bounded(action, signal, (inner) => probe(input, { key: action.key, action, signal: inner })).catch(
      (error: unknown): Outcome => {
        signal.throwIfAborted();
        return { ...doubt, message: `${action.target} may or may not have happened: ${messageOf(error)}` };
      },
    );
  }

  async #bounded<T>(action: Action, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ending = new AbortController();
    const onAbort = (): void => ending.abort(signal.reason); // `AbortSignal.any` costs more than the rest of an attempt
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    const bound = { clock: this.#clock, limitMs: action.withinMs, what: action.target, signal };
    try {
      return await withDeadline(start(work, ending.signal), bound);
    } finally {
      signal.removeEventListener('abort', onAbort);
      ending.abort(OVER);
    }
  }
}

/** One for all: to make one takes a picture of the stack. */
const OVER = new DOMException('the attempt is over', 'AbortError');

/** A synchronous throw of the executor is a throw like any other. */
async function start<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  return work(signal);
}

function codeOf(error: unknown): string {
  return hasCode(error) && /^[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+$/.test(error.code) ? error.code : 'tool.failed';
}

function reasonOf(outcome: Outcome): string {
  if (outcome.type === 'timeout') return `no answer within ${outcome.withinMs} ms`;
  return 'message' in outcome ? outcome.message : outcome.type;
}
