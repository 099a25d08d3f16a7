/**
 * JSON whose bytes are decided by its value: RFC 8785 (JCS). Keys sorted by UTF-16 code units, no white space, numbers as
 * ECMAScript writes them. A JSON text is canonical iff writing what it parses to gives the same text, so duplicate keys,
 * numbers that a double cannot hold, escapes that need not be and `-0` all show by themselves.
 *
 * Keys such as `__proto__` and `constructor` are data here (somebody's package is called that) and stay own properties;
 * whoever merges payloads into objects of theirs is on their own.
 */
import { PAYLOAD_DEPTH_MAX } from '../core/limits.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** The canonical text of `value`. Refused with `json.not_data` and the path to the fault: `undefined`, functions, NaN,
 *  lone surrogates, class instances, cycles and anything nested deeper than `PAYLOAD_DEPTH_MAX`. */
export function canonicalJson(value: unknown): Result<string, Refusal<'json.not_data'>> {
  const shape = shapeOf(value, 0);
  if (shape !== 'fault') {
    const text = shape === 'sorted' ? JSON.stringify(value) : writeSorted(value);
    if (!hasLoneSurrogate(text)) return ok(text);
  }
  return err({ code: 'json.not_data', message: faultOf(value, '$', 0) ?? 'expected JSON data' });
}

/** Writers escape a lone surrogate, as `\ud800`, and nothing else in that way: one search in the text, in place of one in each
 *  key and string. */
function hasLoneSurrogate(text: string): boolean {
  return text.includes('\\ud') && LONE_SURROGATE.test(text);
}

/** After a backslash of the writer's, not after one of the author's, which the writer has doubled. */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud/;

/** Whether it is data, but for lone surrogates, and in order. Native `JSON.stringify` writes own keys in insertion order,
 *  integer-like ones first. Where that order is the sorted one already, as in most payloads and all that were read back, the
 *  native writer gives the canonical text. */
function shapeOf(value: unknown, depth: number): 'sorted' | 'unsorted' | 'fault' {
  switch (typeof value) {
    case 'string':
      return 'sorted';
    case 'number':
      return Number.isFinite(value) ? 'sorted' : 'fault';
    case 'boolean':
      return 'sorted';
    case 'object': {
      if (value === null) return 'sorted';
      if (depth >= PAYLOAD_DEPTH_MAX) return 'fault';
      return Array.isArray(value) ? shapeOfArray(value, depth) : shapeOfObject(value, depth);
    }
    default:
      return 'fault';
  }
}

function shapeOfArray(items: readonly unknown[], depth: number): 'sorted' | 'unsorted' | 'fault' {
  let shape: 'sorted' | 'unsorted' = 'sorted';
  for (let i = 0; i < items.length; i++) {
    const inner = shapeOf(items[i], depth + 1); // a hole reads as undefined, which is a fault
    if (inner === 'fault') return 'fault';
    if (inner === 'unsorted') shape = 'unsorted';
  }
  return shape;
}

function shapeOfObject(object: object, depth: number): 'sorted' | 'unsorted' | 'fault' {
  if (!isPlain(object)) return 'fault';
  let shape: 'sorted' | 'unsorted' = 'sorted';
  let previous = ''; // the smallest key there is
  // Half the time of `Object.keys`. It would see what somebody has put on `Object.prototype`, too; the writers never do.
  for (const key in object) {
    if (key < previous) shape = 'unsorted';
    previous = key;
    const member = (object as { readonly [key: string]: unknown })[key];
    if (typeof member === 'string') continue;
    const inner = shapeOf(member, depth + 1);
    if (inner === 'fault') return 'fault';
    if (inner === 'unsorted') shape = 'unsorted';
  }
  return shape;
}

/** Only called on what `shapeOf` found to be data. Piece by piece: entries, maps and joins take twice the time. */
function writeSorted(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === '' ? '[' : ','}${writeSorted(item)}`;
    return text === '' ? '[]' : `${text}]`;
  }
  for (const key of Object.keys(value).sort()) {
    const member = (value as { readonly [key: string]: unknown })[key];
    text += `${text === '' ? '{' : ','}${JSON.stringify(key)}:${writeSorted(member)}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

/** A class instance has behaviour (`toJSON`, getters) that would decide what is written; only plain data may. */
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return (
    (prototype === Object.prototype || prototype === null) &&
    typeof (object as { toJSON?: unknown }).toJSON !== 'function'
  );
}

function faultOf(value: unknown, path: string, depth: number): string | undefined {
  if (shapeOf(value, depth) !== 'fault' && !hasLoneSurrogate(JSON.stringify(value))) return undefined;
  if (typeof value === 'object' && value !== null && depth < PAYLOAD_DEPTH_MAX) {
    if (!Array.isArray(value) && !isPlain(value)) return `expected plain data at ${path}, found an instance of a class`;
    for (const [key, member] of Object.entries(value)) {
      if (!key.isWellFormed()) return `expected well-formed text in the keys of ${path}`;
      const fault = faultOf(member, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`, depth + 1);
      if (fault !== undefined) return fault;
    }
    return `expected no holes in the list at ${path}`;
  }
  if (typeof value === 'object') return `expected at most ${PAYLOAD_DEPTH_MAX} levels, found more at ${path}`;
  return `expected JSON data at ${path}, found ${typeof value === 'number' ? value : typeof value}`;
}
