import { AssertionError } from './assert.ts';

/** The outcome of a step that may refuse its input: a value, or the reason why there is none. Never thrown. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

/** Why untrusted input was refused: a stable code (listed in `docs/ERRORS.md`), what was expected and found, and, for
 *  input that is bytes, the offset of the first byte that is wrong. */
export type Refusal<C extends string = string> = {
  readonly code: C;
  readonly message: string;
  readonly offset?: number;
};

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** The value of a result that the caller has reason to know is good: a constant, a vector, our own output.
 *  @throws {AssertionError} `assert.failed` with the refusal, when that reason was wrong. */
export function unwrap<T>(result: Result<T, unknown>, because: string): T {
  if (result.ok) return result.value;
  throw new AssertionError(`${because}: expected a value, found the refusal ${JSON.stringify(result.error)}`);
}
