/** Reading JSON that strangers wrote. Nothing here looks at a prototype: `constructor` and `__proto__` are keys like others. */
import type { Result } from 'ringmesh/runtime';

export type Members = { readonly [key: string]: unknown };

/** Where and why the bytes are no JSON. The offset is that of the first wrong byte, where the parser tells. */
export type Fault = { readonly message: string; readonly offset?: number };

export function parseJson(bytes: Uint8Array): Result<unknown, Fault> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { ok: false, error: { message: 'expected UTF-8, found other bytes' } };
  }
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ok: false, error: faultOf(error, text) };
  }
}

/** An object that is no array, or `undefined`. */
export function asMembers(value: unknown): Members | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : undefined;
}

/** An own member, never an inherited one. */
export function member(members: Members | undefined, key: string): unknown {
  return members !== undefined && Object.hasOwn(members, key) ? members[key] : undefined;
}

/** A member that is an object. */
export function memberOf(members: Members | undefined, key: string): Members | undefined {
  return asMembers(member(members, key));
}

/** A member that is a text with something in it: control characters become spaces, and it ends at `lengthMax`. */
export function textOf(members: Members | undefined, key: string, lengthMax: number): string | undefined {
  const value = member(members, key);
  return typeof value === 'string' ? oneLine(value, lengthMax) : undefined;
}

/** One line that cannot move a cursor or reverse the order of what follows, or `undefined` where nothing is left. */
export function oneLine(text: string, lengthMax: number): string | undefined {
  const clean = text
    .toWellFormed()
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim();
  if (clean === '') return undefined;
  return clean.length <= lengthMax ? clean : `${clean.slice(0, lengthMax - 1).toWellFormed()}…`;
}

/** V8 names the position in some of its messages only; a text that ends too early is wrong at its end. */
function faultOf(error: SyntaxError, text: string): Fault {
  const position = / at position (\d+)/.exec(error.message)?.[1];
  const message = `expected JSON, found other text: ${oneLine(error.message, 200)}`;
  if (position === undefined && !error.message.startsWith('Unexpected end')) return { message };
  const before = position === undefined ? text : text.slice(0, Number(position));
  return { message, offset: new TextEncoder().encode(before).length };
}
