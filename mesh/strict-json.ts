/**
 * JSON from strangers: one closed shape, one spelling. A text is read only if it is canonical (RFC 8785) and has exactly
 * the members that its shape names, so duplicate names, unknown members, floats where integers belong, `__proto__` and
 * second spellings of one value are all refused, with the byte at which the fault stands.
 *
 * A `Shape` is a small checker made of the functions below; the type that it checks for is inferred from it.
 */
import { isUtf8 } from 'node:buffer';
import { canonicalJson } from '../runtime/codec/json.ts';
import { placeOf, scanJson } from '../runtime/codec/json-scan.ts';
import { view } from '../runtime/core/bytes.ts';
import { messageOf } from '../runtime/core/errors.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';

type Fault = { readonly path: string; readonly expected: string };

/** Says what is wrong with a parsed value, or nothing. Never throws. */
export type Shape<T> = {
  readonly faultIn: (value: unknown, path: string) => Fault | undefined;
  readonly optional?: true;
  /** Only for the compiler: what a value without fault is. */
  readonly of?: T;
};

/** What a shape lets through. */
export type Of<S> = S extends Shape<infer T> ? T : never;

type Members = { readonly [name: string]: Shape<unknown> };
type Required<M extends Members> = { [K in keyof M]: M[K] extends { readonly optional: true } ? never : K }[keyof M];
type Optional<M extends Members> = Exclude<keyof M, Required<M>>;
type ObjectOf<M extends Members> = { readonly [K in Required<M>]: Of<M[K]> } & {
  readonly [K in Optional<M>]?: Of<M[K]>;
};

/** The value that `bytes` spell, if they are the canonical text of a value of this shape. The refusal carries `code`. */
export function readStrict<T>(bytes: Uint8Array, shape: Shape<T>, code: string): Result<T, Refusal> {
  if (!isUtf8(bytes)) return err({ code, message: 'expected UTF-8', offset: 0 });
  const text = view(bytes).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const offset = scanJson(text, DEPTH_MAX).fault?.offset ?? 0;
    return err({ code, message: `expected JSON, found otherwise: ${messageOf(error)}`, offset });
  }
  const fault = shape.faultIn(value, '');
  if (fault !== undefined) {
    const offset = placeOf(text, fault.path, DEPTH_MAX);
    return err({ code, message: `expected ${fault.expected} at ${fault.path || 'the top'}`, offset });
  }
  const canonical = canonicalJson(value);
  if (!canonical.ok || canonical.value !== text) {
    const offset =
      scanJson(text, DEPTH_MAX).fault?.offset ?? firstDifference(text, canonical.ok ? canonical.value : '');
    return err({ code, message: 'expected the canonical spelling', offset });
  }
  return ok(value as T);
}

/** Exactly these members; those wrapped in `optional` may be absent. */
export function object<const M extends Members>(members: M): Shape<ObjectOf<M>> {
  const known = new Map(Object.entries(members));
  const required = [...known].filter(([, shape]) => shape.optional !== true).map(([name]) => name);
  return {
    faultIn(value, path) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return { path, expected: 'an object' };
      for (const name of Object.keys(value)) {
        const shape = known.get(name);
        if (shape === undefined) return { path: join(path, name), expected: 'no such member' };
        const fault = shape.faultIn((value as { readonly [name: string]: unknown })[name], name);
        if (fault !== undefined) return { ...fault, path: join(path, fault.path) }; // most texts have none to be placed
      }
      const missing = required.find((name) => !Object.hasOwn(value, name));
      return missing === undefined ? undefined : { path, expected: `a member ${missing}` };
    },
  };
}

export function optional<T>(shape: Shape<T>): Shape<T> & { readonly optional: true } {
  return { ...shape, optional: true };
}

export function list<T>(shape: Shape<T>, itemsMax: number): Shape<readonly T[]> {
  return {
    faultIn(value, path) {
      if (!Array.isArray(value) || value.length > itemsMax) return { path, expected: `a list of at most ${itemsMax}` };
      for (const [index, item] of value.entries()) {
        const fault = shape.faultIn(item, String(index));
        if (fault !== undefined) return { ...fault, path: join(path, fault.path) };
      }
      return undefined;
    },
  };
}

/** An integer of `min ≤ n ≤ max`. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  const expected = `an integer of ${min} to ${max}`;
  return {
    faultIn: (value, path) =>
      Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
        ? undefined
        : { path, expected },
  };
}

/** A text that `isGood` agrees to, whose type is then the brand that the caller names. */
export function text<T extends string>(expected: string, isGood: (text: string) => boolean): Shape<T> {
  return {
    faultIn: (value, path) => (typeof value === 'string' && isGood(value) ? undefined : { path, expected }),
  };
}

/** One of a few texts. */
export function oneOf<const T extends string>(...texts: readonly T[]): Shape<T> {
  const known: ReadonlySet<string> = new Set(texts);
  return text(`one of ${texts.join(', ')}`, (found) => known.has(found));
}

/** Deeper than any shape of the mesh. */
const DEPTH_MAX = 64;

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function firstDifference(a: string, b: string): number {
  let index = 0;
  while (index < a.length && a[index] === b[index]) index++;
  return view(new TextEncoder().encode(a.slice(0, index))).length;
}
