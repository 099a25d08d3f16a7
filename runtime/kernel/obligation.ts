/**
 * What a gate asks for besides its verdict: this must be done, or the act must not.
 *
 * The kernel itself does `redact`; what else a gate asks for, whoever put the gate there has to see to (`Gate.honours`). An
 * obligation that nobody sees to denies.
 */
import type { JsonValue } from '../codec/json.ts';

export type Obligation = { readonly kind: string; readonly [detail: string]: JsonValue };

/** A place, as a JSON pointer (RFC 6901), and what is to stand there. */
export type Redaction = { readonly kind: 'redact'; readonly path: string; readonly with: JsonValue };

export function redactionsOf(obligations: readonly Obligation[]): readonly Redaction[] {
  return obligations.filter((obligation): obligation is Obligation & Redaction => obligation.kind === 'redact');
}

/** `value` with every redacted place replaced; `undefined` where a place does not exist, so that nothing slips through a
 *  path that was written for another shape. */
export function redact(value: JsonValue, obligations: readonly Obligation[]): JsonValue | undefined {
  let result: JsonValue | undefined = value;
  for (const { path, with: by } of redactionsOf(obligations)) {
    if (result !== undefined) result = replaceAt(result, pointerParts(path), by);
  }
  return result;
}

/** The parts of a JSON pointer, unescaped; the whole document is the empty pointer. */
export function pointerParts(pointer: string): readonly string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function replaceAt(value: JsonValue, [head, ...rest]: readonly string[], by: JsonValue): JsonValue | undefined {
  if (head === undefined) return by;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, head)) return undefined;
  if (Array.isArray(value)) {
    if (!/^(0|[1-9]\d*)$/.test(head)) return undefined; // an own property of every array is its length
    const inner = replaceAt(value[Number(head)], rest, by);
    return inner === undefined ? undefined : value.with(Number(head), inner);
  }
  const object = value as { readonly [key: string]: JsonValue };
  const inner = replaceAt(object[head] as JsonValue, rest, by);
  if (inner === undefined) return undefined;
  return Object.fromEntries(Object.entries(object).map(([key, member]) => [key, key === head ? inner : member]));
}
