/**
 * A list of rules, the long ones by what their conditions want to see at one path: a text, or a number between two bounds.
 *
 * X1 holds here as in `rule-index.ts`: a rule is left out only where the value at its path makes its condition false. Where
 * the value is missing, or of another type, every rule of the list is asked.
 */
import type { Context, Value } from '../expression/fields.ts';
import type { Clause } from './clause.ts';

/** Answers whether it has seen enough. */
export type Visit = (clause: Clause) => boolean;

/** `scan` answers whether `visit` has seen enough. */
export type List = { readonly scan: (context: Context, visit: Visit) => boolean };

/** Shorter lists are walked: a look-up would cost more. */
const LIST_MAX = 8;

export function listed(clauses: readonly Clause[]): List {
  return byText(clauses) ?? byBounds(clauses) ?? walked(clauses);
}

function bounded(clauses: readonly Clause[]): List {
  return byBounds(clauses) ?? walked(clauses);
}

function walked(clauses: readonly Clause[]): List {
  return { scan: (_, visit) => clauses.some(visit) };
}

function byText(clauses: readonly Clause[]): List | undefined {
  const path = commonPath(clauses, ({ keys }) => keys.text?.path);
  if (path === undefined) return undefined;
  const texts = new Map<string, Clause[]>();
  const others: Clause[] = [];
  let read: (c: Context) => Value = () => undefined;
  for (const clause of clauses) {
    const { text } = clause.keys;
    if (text?.path !== path) {
      others.push(clause);
      continue;
    }
    read = text.read;
    for (const value of text.values) file(texts, value, clause);
  }
  const lists = new Map([...texts].map(([text, filed]) => [text, bounded(filed)]));
  const [all, rest] = [bounded(clauses), listed(others)];
  return {
    scan(c, visit) {
      const value = read(c);
      if (typeof value !== 'string') return all.scan(c, visit); // unknown could be anything
      return lists.get(value)?.scan(c, visit) === true || rest.scan(c, visit);
    },
  };
}

function byBounds(clauses: readonly Clause[]): List | undefined {
  const path = commonPath(clauses, ({ keys }) => keys.bounds?.path);
  if (path === undefined) return undefined;
  const isAbout = ({ keys }: Clause): boolean => keys.bounds?.path === path;
  const intervals = new Intervals(clauses.filter(isAbout));
  const rest = bounded(clauses.filter((clause) => !isAbout(clause)));
  const read = clauses.find(isAbout)?.keys.bounds?.read ?? (() => undefined);
  return {
    scan(c, visit) {
      const value = read(c);
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) return clauses.some(visit);
      return intervals.scan(value, visit) || rest.scan(c, visit);
    },
  };
}

/**
 * Rules by the interval that a number has to lie in: an interval tree in arrays, sorted by lower bound, where the middle of
 * each range also knows the highest upper bound in its range. Finds the k that hold among n in O(log n + k).
 */
class Intervals {
  readonly #clauses: readonly Clause[];
  readonly #from: Float64Array;
  readonly #to: Float64Array;
  readonly #highest: Float64Array;

  constructor(clauses: readonly Clause[]) {
    const from = ({ keys }: Clause): number => keys.bounds?.from ?? Number.NEGATIVE_INFINITY;
    this.#clauses = clauses.toSorted((a, b) => Math.sign(from(a) - from(b)) || 0); // -∞ less -∞ is no number
    this.#from = Float64Array.from(this.#clauses, from);
    this.#to = Float64Array.from(this.#clauses, ({ keys }) => keys.bounds?.to ?? Number.POSITIVE_INFINITY);
    this.#highest = new Float64Array(clauses.length);
    this.#build(0, clauses.length);
  }

  scan(value: number, visit: Visit, low = 0, high = this.#clauses.length): boolean {
    if (low >= high) return false;
    const middle = (low + high) >> 1;
    if (at(this.#highest, middle) < value) return false;
    if (this.scan(value, visit, low, middle)) return true;
    if (at(this.#from, middle) > value) return false;
    const clause = this.#clauses[middle];
    if (clause !== undefined && at(this.#to, middle) >= value && visit(clause)) return true;
    return this.scan(value, visit, middle + 1, high);
  }

  #build(low: number, high: number): number {
    if (low >= high) return Number.NEGATIVE_INFINITY;
    const middle = (low + high) >> 1;
    const highest = Math.max(at(this.#to, middle), this.#build(low, middle), this.#build(middle + 1, high));
    this.#highest[middle] = highest;
    return highest;
  }
}

function at(numbers: Float64Array, index: number): number {
  return numbers[index] ?? Number.NaN;
}

/** The path that most of a long list's rules look at, if they are many. */
function commonPath(clauses: readonly Clause[], pathOf: (clause: Clause) => string | undefined): string | undefined {
  if (clauses.length <= LIST_MAX) return undefined;
  const counts = new Map<string, number>();
  for (const clause of clauses) {
    const path = pathOf(clause);
    if (path !== undefined) counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  const [best] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return best !== undefined && best[1] > LIST_MAX ? best[0] : undefined;
}

export function file(map: Map<string, Clause[]>, key: string, clause: Clause): void {
  const filed = map.get(key);
  if (filed === undefined) map.set(key, [clause]);
  else filed.push(clause);
}
