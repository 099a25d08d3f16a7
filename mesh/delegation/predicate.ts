/**
 * What a delegation says of a command's arguments: a list of predicates, all of which must hold. Five kinds and no more.
 *
 *     {"arg":"name","is":"eq","value":"left-pad"}         the same text, integer or boolean
 *     {"arg":"name","is":"in","value":["left-pad","ms"]}  one of these texts or integers
 *     {"arg":"name","is":"like","value":"@acme/*"}        `*` stands for any characters
 *     {"arg":"cents","is":"max","value":500}              an integer, at most this
 *     {"arg":"path","is":"prefix","value":"/data"}        this path, or one below it
 *
 * `arg` is a path of member names: `order.cents`. One name may be `*`: every item of the list there, of which there is one
 * at least, since to some tools an empty list means everything.
 *
 * Q1. What is missing, of another type, or not to be found makes the predicate false; there is no negation that could turn
 *     that into true (R12; UCAN differs, and fails open).
 * Q2. Every list of predicates is a conjunction, so that one more never allows more.
 * Q3. The cost is known before anything is compared: predicates times items is bounded (R13), texts too, and no pattern
 *     can be slow.
 */
import type { JsonValue } from '../../runtime/codec/json.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import { DELEGATION_COST_MAX, PREDICATE_TEXT_MAX, PREDICATE_VALUES_MAX } from '../limits.ts';
import type { Shape } from '../strict-json.ts';

export type Predicate =
  | { readonly arg: string; readonly is: 'eq'; readonly value: string | number | boolean }
  | { readonly arg: string; readonly is: 'in'; readonly value: readonly (string | number)[] }
  | { readonly arg: string; readonly is: 'like'; readonly value: string }
  | { readonly arg: string; readonly is: 'max'; readonly value: number }
  | { readonly arg: string; readonly is: 'prefix'; readonly value: string };

/** Exactly these members, and a value of the kind's type. */
export const predicate: Shape<Predicate> = {
  faultIn(found, path) {
    if (typeof found !== 'object' || found === null) return { path, expected: 'a predicate' };
    const { arg, is, value, ...rest } = found as { readonly [name: string]: unknown };
    if (Object.keys(rest).length > 0) return { path, expected: 'arg, is and value, and nothing else' };
    if (typeof arg !== 'string' || !isSelector(arg)) return { path, expected: 'an arg such as order.cents' };
    const isGood = typeof is === 'string' && Object.hasOwn(VALUES, is) && VALUES[is as Predicate['is']](value);
    return isGood ? undefined : { path, expected: 'eq, in, like, max or prefix, and a value of its type' };
  },
};

/** Whether every predicate holds of the arguments. The refusal names the first that does not, or why it cannot be told. */
export function satisfies(predicates: readonly Predicate[], args: JsonValue): Result<true, Refusal> {
  const found: { readonly predicate: Predicate; readonly values: readonly JsonValue[] }[] = [];
  let cost = 0;
  for (const one of predicates) {
    const values = select(args, one.arg.split('.'));
    if (values === undefined || values.length === 0) {
      return err({ code: 'delegation.missing_field', message: `expected an argument ${one.arg}, found none` }); // Q1
    }
    cost += values.length * (one.is === 'in' ? one.value.length : 1);
    if (cost > DELEGATION_COST_MAX) return tooCostly(); // Q3
    found.push({ predicate: one, values });
  }
  for (const { predicate: one, values } of found) {
    if (!values.every((value) => holds(one, value))) {
      return err({ code: 'delegation.args_denied', message: `expected ${describePredicate(one)}` });
    }
  }
  return ok(true);
}

/** In words, for people. */
export function describePredicate({ arg, is, value }: Predicate): string {
  const shown = Array.isArray(value) ? value.map((one) => JSON.stringify(one)).join(' or ') : JSON.stringify(value);
  return `${arg} ${WORDS[is]} ${shown}`;
}

/** Whether `child` plainly lets through what `parent` does not, of the same argument and kind. A courtesy to who mints:
 *  verifiers ask both. */
export function isPlainlyWider(child: Predicate, parent: Predicate): boolean {
  if (child.arg !== parent.arg) return false;
  if (child.is === 'in' && parent.is === 'in') return !child.value.every((one) => parent.value.includes(one));
  if (child.is === 'in') return child.value.some((one) => !holds(parent, one));
  if (child.is === 'eq') return !holds(parent, child.value);
  if (child.is === 'max' && parent.is === 'max') return child.value > parent.value;
  if (child.is === 'prefix' && parent.is === 'prefix') return !isUnder(child.value, parent.value);
  return false;
}

const WORDS = { eq: 'is', in: 'is', like: 'is like', max: 'is at most', prefix: 'is under' } as const;

const VALUES: Readonly<Record<Predicate['is'], (value: unknown) => boolean>> = {
  eq: (value) => isText(value) || Number.isSafeInteger(value) || typeof value === 'boolean',
  in: (value) =>
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= PREDICATE_VALUES_MAX &&
    value.every((one) => isText(one) || Number.isSafeInteger(one)),
  like: (value) => isText(value) && value !== '',
  max: (value) => Number.isSafeInteger(value),
  prefix: (value) => isText(value) && segmentsOf(value) !== undefined,
};

function holds(one: Predicate, found: JsonValue): boolean {
  switch (one.is) {
    case 'eq':
      return found === one.value;
    case 'in':
      return one.value.some((value) => value === found);
    case 'like':
      return isText(found) && isLike(found, one.value);
    case 'max':
      return Number.isSafeInteger(found) && (found as number) <= one.value;
    case 'prefix':
      return isText(found) && isUnder(found, one.value);
  }
}

/** Longer texts satisfy nothing: a rule about a name has no business in a book. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= PREDICATE_TEXT_MAX && value.isWellFormed();
}

/** The parts between the stars, one after the other, each as early as it is found: no way back is ever needed. */
function isLike(found: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return found === first;
  if (found.length < first.length + last.length || !found.startsWith(first) || !found.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const next = found.indexOf(part, at);
    if (next === -1) return false;
    at = next + part.length;
  }
  return at <= found.length - last.length;
}

/** Segment by segment. A path that could mean another one (`..`, `.`, `//`, a backslash, an escape) is under nothing. */
function isUnder(found: string, prefix: string): boolean {
  const [path, above] = [segmentsOf(found), segmentsOf(prefix)];
  if (path === undefined || above === undefined || path.isAbsolute !== above.isAbsolute) return false;
  return above.names.every((name, n) => path.names[n] === name);
}

function segmentsOf(path: string): { readonly isAbsolute: boolean; readonly names: readonly string[] } | undefined {
  if (/[\\%\p{Cc}]/u.test(path)) return undefined;
  if (path === '/') return { isAbsolute: true, names: [] };
  const isAbsolute = path.startsWith('/');
  const names = path.slice(isAbsolute ? 1 : 0).split('/');
  return names.some((name) => name === '' || name === '.' || name === '..') ? undefined : { isAbsolute, names };
}

/** What stands at the selector: one value, the items of a list, or `undefined` for nothing. */
function select(value: JsonValue, names: readonly string[]): readonly JsonValue[] | undefined {
  const [name, ...rest] = names;
  if (name === undefined) return [value];
  if (typeof value !== 'object' || value === null) return undefined;
  if (name === EACH) {
    if (!Array.isArray(value) || value.length > DELEGATION_COST_MAX) return undefined;
    const found = value.map((item: JsonValue) => select(item, rest)); // one star only, so one value each
    return found.every((one) => one !== undefined) ? found.flat(1) : undefined;
  }
  if (Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
  return select((value as { readonly [name: string]: JsonValue })[name] ?? null, rest);
}

function isSelector(found: string): boolean {
  return SELECTOR.test(found) && found.split('.').filter((name) => name === EACH).length <= 1;
}

const EACH = '*';
const SELECTOR = /^(?:[A-Za-z0-9_$-]{1,64}|\*)(?:\.(?:[A-Za-z0-9_$-]{1,64}|\*)){0,5}$/;

function tooCostly(): Result<never, Refusal> {
  return err({ code: 'delegation.too_costly', message: `expected at most ${DELEGATION_COST_MAX} comparisons` });
}
