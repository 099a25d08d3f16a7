/**
 * Schemas of any library that speaks Standard Schema (standardschema.dev, version 1): what a message, a result or an event
 * must be. A schema here is checked on both sides of every boundary, and its JSON Schema goes into the contract's digest.
 */
import type { JsonValue } from '../codec/json.ts';
import { assert } from '../core/assert.ts';
import { CodedError, messageOf } from '../core/errors.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';

/** The part of the specification that is used here. */
export interface Schema<I = unknown, O = I> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Validated<O> | Promise<Validated<O>>;
    readonly types?: { readonly input: I; readonly output: O } | undefined;
    /** Standard JSON Schema; zod from 4.2 on and others have it. */
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: 'draft-2020-12' }) => Record<string, unknown>;
    };
  };
}

type Validated<O> =
  | { readonly value: O; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] };

/** What may be written where the schema stands, and what is read from there. */
export type In<S> = S extends { readonly '~standard': { readonly types?: infer T } }
  ? NonNullable<T> extends { readonly input: infer I }
    ? I
    : never
  : never;
export type Out<S> = S extends { readonly '~standard': { readonly types?: infer T } }
  ? NonNullable<T> extends { readonly output: infer O }
    ? O
    : never
  : never;

/** The parsed value, or the first three faults with their paths. Schemas that answer later are a bug: a turn waits for
 *  nothing that is not recorded. */
export function parseWith<S extends Schema>(schema: S, value: unknown): Result<Out<S>, Refusal<'schema.mismatch'>> {
  const validated = schema['~standard'].validate(value);
  assert(!(validated instanceof Promise), 'expected a schema that answers at once, found an asynchronous one');
  if (validated.issues === undefined) return ok(validated.value as Out<S>);
  const faults = validated.issues.slice(0, 3).map(({ path = [], message }) => `${pathOf(path)}: ${message}`);
  return err({ code: 'schema.mismatch', message: faults.join('; ') });
}

/** The JSON Schema (draft 2020-12) of what a schema accepts; `{}` for a library that cannot tell, which leaves that part
 *  out of the contract's digest.
 *  @throws `contract.not_describable` for what no JSON Schema says, such as a Date */
export function describe(schema: Schema, where: string): JsonValue {
  const { jsonSchema } = schema['~standard'];
  if (jsonSchema === undefined) return {};
  try {
    const { $schema: _dialect, ...described } = jsonSchema.input({ target: 'draft-2020-12' });
    return described as JsonValue;
  } catch (error) {
    const message = `expected a schema of JSON data at ${where}, found otherwise: ${messageOf(error)}`;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('contract.not_describable', message, { cause: error });
  }
}

function pathOf(path: readonly unknown[]): string {
  const keys = path.map((part) => (typeof part === 'object' && part !== null && 'key' in part ? part.key : part));
  return ['$', ...keys.map(String)].join('.');
}
