/** Answers that are not ok, told apart from replies that merely look like one: only those made here are. */
import { CodedError } from '../core/errors.ts';
import type { Failed, NotOk } from '../kernel/outcome.ts';

const made = new WeakSet<object>();

/** The author's own "no": `return fail('quote.sold_out', 'none left')`. The caller gets it as an outcome, nobody crashes. */
export function fail(code: string, message: string): Failed {
  return markNotOk({ type: 'failed', code, message });
}

export function markNotOk<T extends NotOk>(outcome: T): T {
  made.add(outcome);
  return outcome;
}

export function isNotOk(value: unknown): value is NotOk {
  return typeof value === 'object' && value !== null && made.has(value);
}

/** What `ctx.must` throws: the turn fails and is tried again. */
export class NotOkError extends CodedError {
  override readonly name = 'NotOkError';
  readonly outcome: NotOk;
  constructor(what: string, outcome: NotOk) {
    super('turn.not_ok', `expected ${what} to be ok, found ${JSON.stringify(outcome)}`);
    this.outcome = outcome;
  }
}
