/**
 * The functions that an expression may call. All are total: what they cannot answer is unknown, and an argument that is
 * unknown makes the answer unknown.
 */
import { INTEGRITIES } from '../decision/request.ts';
import { BOOLEAN, INTEGER, STRING, type Value, type ValueType } from './fields.ts';
import { TEXT_CHARACTERS_MAX } from './like.ts';

/** What a function takes; `text or list` is what has a length. */
export type Parameter = 'string' | 'integer' | 'list' | 'text or list' | 'scalar';

export type Builtin = {
  readonly parameters: readonly Parameter[];
  readonly result: ValueType;
  /** How it is written, for faults and documents. */
  readonly usage: string;
  readonly call: (a: Value, b: Value) => Value;
};

export const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ['length', define('length(text or list)', ['text or list'], INTEGER, lengthOf)],
  ['lower', define('lower(text)', ['string'], STRING, (text) => onText(text, (it) => it.toLowerCase()))],
  ['starts_with', define('starts_with(text, beginning)', ['string', 'string'], BOOLEAN, texts('startsWith'))],
  ['ends_with', define('ends_with(text, end)', ['string', 'string'], BOOLEAN, texts('endsWith'))],
  ['contains', define('contains(text or list, part)', ['text or list', 'scalar'], BOOLEAN, contains)],
  ['intersects', define('intersects(list, list)', ['list', 'list'], BOOLEAN, intersects)],
  ['subset', define('subset(list, list)', ['list', 'list'], BOOLEAN, subset)],
  ['host', define('host(url)', ['string'], STRING, hostOf)],
  ['path_in', define('path_in(path, folder)', ['string', 'string'], BOOLEAN, pathIn)],
  ['hour', define('hour(at), of the day in UTC', ['integer'], { kind: 'integer', min: 0, max: 23 }, hourOf)],
  ['weekday', define('weekday(at), Monday is 1, in UTC', ['integer'], { kind: 'integer', min: 1, max: 7 }, weekdayOf)],
]);

/** Two values of one kind that may be compared; unknown where they are not. A number is a safe integer or unknown. */
export function equal(a: Value, b: Value): boolean | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (a === null || b === null) return a === b;
  if (typeof a !== typeof b || typeof a === 'object') return undefined;
  if (typeof a === 'number') return Number.isSafeInteger(a) && Number.isSafeInteger(b) ? a === b : undefined;
  return a === b;
}

/** What a call costs of a decision's steps: a list its members, two lists each member with each, a text its length. */
export function costOf(a: Value, b: Value): number {
  return 1 + sizeOf(a) * (Array.isArray(a) ? Math.max(1, sizeOf(b)) : 1) + sizeOf(b);
}

function sizeOf(value: Value): number {
  if (typeof value === 'string') return value.length >> 6;
  return Array.isArray(value) ? value.length : 0;
}

/** Whether `list` has `value`: unknown where one of its members cannot be compared and none is equal. */
export function isIn(value: Value, list: Value): boolean | undefined {
  if (value === undefined || !Array.isArray(list)) return undefined;
  let answer: boolean | undefined = false;
  for (const item of list as readonly Value[]) {
    const same = equal(value, item);
    if (same === true) return true;
    if (same === undefined) answer = undefined;
  }
  return answer;
}

/** `money("12.50")` is 1250; the second argument is the number of digits after the point, which a currency decides. */
export function minorUnits(text: string, digits: number): number | undefined {
  const [, whole = '', fraction = ''] = /^(\d{1,15})(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  if (whole === '' || fraction.length > digits) return undefined;
  const units = Number(whole + fraction.padEnd(digits, '0'));
  return Number.isSafeInteger(units) ? units : undefined;
}

/** The rank of an integrity, 0 the weakest. */
export function integrityRank(name: string): number | undefined {
  const rank = (INTEGRITIES as readonly string[]).indexOf(name);
  return rank === -1 ? undefined : rank;
}

function define(
  usage: string,
  parameters: readonly Parameter[],
  result: ValueType,
  call: (a: Value, b: Value) => Value,
): Builtin {
  const arity = parameters.length;
  return {
    usage,
    parameters,
    result,
    call: (a, b) => (a === undefined || (arity > 1 && b === undefined) ? undefined : call(a, b)),
  };
}

function onText<T extends Value>(text: Value, map: (text: string) => T): T | undefined {
  return typeof text === 'string' && text.length <= TEXT_CHARACTERS_MAX ? map(text) : undefined;
}

function texts(method: 'startsWith' | 'endsWith') {
  return (text: Value, part: Value): Value =>
    onText(text, (it) => (typeof part === 'string' ? it[method](part) : undefined));
}

function lengthOf(value: Value): Value {
  return typeof value === 'string' || Array.isArray(value) ? value.length : undefined;
}

function contains(value: Value, part: Value): Value {
  if (Array.isArray(value)) return isIn(part, value);
  return onText(value, (text) => (typeof part === 'string' ? text.includes(part) : undefined));
}

function intersects(a: Value, b: Value): Value {
  if (!Array.isArray(a) || !Array.isArray(b)) return undefined;
  return anyOf(a as readonly Value[], (item) => isIn(item, b));
}

function subset(a: Value, b: Value): Value {
  if (!Array.isArray(a) || !Array.isArray(b)) return undefined;
  const outside = anyOf(a as readonly Value[], (item) => not(isIn(item, b)));
  return not(outside);
}

function anyOf(items: readonly Value[], test: (item: Value) => boolean | undefined): boolean | undefined {
  let answer: boolean | undefined = false;
  for (const item of items) {
    const holds = test(item);
    if (holds === true) return true;
    if (holds === undefined) answer = undefined;
  }
  return answer;
}

function not(answer: boolean | undefined): boolean | undefined {
  return answer === undefined ? undefined : !answer;
}

/** The host that a URL leads to, as the WHATWG parser (and so whoever fetches it) reads it; without port and final dot. */
function hostOf(url: Value): Value {
  return onText(url, (text) => {
    const parsed = URL.parse(text);
    return parsed === null || parsed.hostname === '' ? undefined : parsed.hostname.toLowerCase().replace(/\.$/, '');
  });
}

/** Whether a POSIX path, its `.` and `..` resolved by text alone, is a folder or below it. A link inside the folder may
 *  lead out of it: that is for the tool to forbid. */
function pathIn(path: Value, folder: Value): Value {
  const [inner, outer] = [resolved(path), resolved(folder)];
  if (inner === undefined || outer === undefined) return undefined;
  return outer.every((part, n) => inner[n] === part);
}

function resolved(path: Value): readonly string[] | undefined {
  if (typeof path !== 'string' || path.length > TEXT_CHARACTERS_MAX) return undefined;
  if (!path.startsWith('/') || path.includes('\0') || path.includes('\\')) return undefined;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

function hourOf(at: Value): Value {
  return isMoment(at) ? Math.floor((at % DAY_MS) / HOUR_MS) : undefined;
}

/** 1970-01-01 was a Thursday. */
function weekdayOf(at: Value): Value {
  return isMoment(at) ? ((Math.floor(at / DAY_MS) + 3) % 7) + 1 : undefined;
}

function isMoment(at: Value): at is number {
  return typeof at === 'number' && Number.isSafeInteger(at) && at >= 0;
}
