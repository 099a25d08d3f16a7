/**
 * An operational fault that a caller may act on. Match on `code` (dotted, stable, listed in `docs/ERRORS.md`), never on
 * the class or the message: codes cross floors, processes and the wire, classes do not.
 *
 * Refusals of untrusted input are not errors but `Result` values, whose `code` is listed in the same document.
 */
export class CodedError extends Error {
  readonly code: string;
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;

  constructor(code: string, message: string, options: ErrorOptions & { readonly retryable?: boolean } = {}) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** Whether `thrown` is an error that carries the given code (or any code, when none is given). */
export function hasCode(thrown: unknown, code?: string): thrown is Error & { readonly code: string } {
  if (!(thrown instanceof Error) || !('code' in thrown) || typeof thrown.code !== 'string') return false;
  return code === undefined || thrown.code === code;
}

/** The message of anything that was thrown, for a report to a person. Well-formed, so that it can be recorded: V8 quotes the
 *  first half of a surrogate pair where `JSON.parse` stumbles over one. */
export function messageOf(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).toWellFormed();
}
