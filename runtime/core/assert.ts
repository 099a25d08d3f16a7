import { CodedError } from './errors.ts';

/** Our own bug, found by an assertion. Nobody catches it but a supervisor: the actor or process that met it is done. */
export class AssertionError extends CodedError {
  override readonly name = 'AssertionError';
  constructor(message: string, options?: ErrorOptions) {
    super('assert.failed', message, options);
  }
}

/** States what must hold here, at write and at read. Stays on in production, so conditions cost O(1).
 *  @throws {AssertionError} `assert.failed` */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Ends a switch over a union: the compiler refuses a missing case, and a value from outside the union is a bug.
 *  @throws {AssertionError} `assert.failed` */
export function unreachable(value: never): never {
  throw new AssertionError(`expected no further case, found ${JSON.stringify(value)}`);
}
