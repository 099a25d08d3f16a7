/**
 * What a verification found wrong: a bounded list that always holds the first bad indexes, and the count of all.
 *
 * G1. Problems with an index come first, in the order of their indexes; a range of records counts as the last of them, for
 *     what is wrong with a single one of them says more. Those without an index follow, in the order found.
 * G2. At most `PROBLEMS_MAX` are kept, and what is dropped comes after everything that is kept.
 */
import { messageOf } from '../core/errors.ts';

/** One contradiction, with the place where it shows. */
export type Problem = {
  readonly code: string;
  /** For people and scripts: `record 17`, `tile 0/3`, `ids`, `checkpoint 256`, `epoch-0: record 17`. */
  readonly place: string;
  /** The first record that is wrong, or that something says something wrong about. */
  readonly index?: number;
  /** Where one of several records is wrong and nothing tells which: they are `index` up to and without `end`. */
  readonly end?: number;
  readonly message: string;
};

/** A log with a damaged page can contradict itself once per event; a person reads the first few. */
export const PROBLEMS_MAX = 100;

export class Findings {
  readonly #problems: Problem[] = [];
  readonly #badRecords = new Set<number>();
  readonly #prefix: string;
  #count = 0;

  /** `prefix` stands before each place: `epoch-0: `. */
  constructor(prefix = '') {
    this.#prefix = prefix;
  }

  get count(): number {
    return this.#count;
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  add(code: string, place: string, message: string, at: { readonly index?: number; readonly end?: number } = {}): void {
    this.#count += 1;
    const problem = { code, place: this.#prefix + place, ...at, message };
    const before = this.#problems.findLastIndex((earlier) => rankOf(earlier) <= rankOf(problem));
    if (before + 1 === PROBLEMS_MAX) return;
    this.#problems.splice(before + 1, 0, problem);
    this.#problems.length = Math.min(this.#problems.length, PROBLEMS_MAX);
  }

  /** A record that is wrong, once: what follows from its fault needs no line of its own. */
  addRecord(code: string, index: number, message: string): void {
    if (this.#badRecords.has(index)) return;
    if (this.#badRecords.size < PROBLEMS_MAX) this.#badRecords.add(index);
    this.add(code, `record ${index}`, message, { index });
  }

  isBad(index: number): boolean {
    return this.#badRecords.has(index);
  }

  /** Whatever `read` throws is a problem at `place`, never an exception: a damaged file can make any read throw. */
  guard<T>(place: string, read: () => T, index?: number): T | undefined {
    try {
      return read();
    } catch (error) {
      this.add('log.unreadable', place, messageOf(error), index === undefined ? {} : { index });
      return undefined;
    }
  }
}

/** G1. */
function rankOf({ index = Number.POSITIVE_INFINITY, end = index + 1 }: Problem): number {
  return end - 1;
}
