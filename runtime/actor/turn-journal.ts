/**
 * The recorded half of a turn that is entered again: what it did, and in which order the answers came.
 *
 * T1. Operations are numbered in the order in which the handler begins them. The same number must mean the same
 *     operation: another name, or the same with other input, is a divergence that names both sides.
 * T2. Recorded outcomes are handed out in the order in which they were recorded, each only after its operation was begun
 *     again. So whatever raced then has the same winner now.
 * T3. What has no recorded outcome is live.
 * T4. A handler that ends, or waits for something else, while recorded operations were not begun has diverged.
 */
import { assert } from '../core/assert.ts';

export type JournalEntry<O> = {
  readonly ordinal: number;
  /** What it was, for people: `use lookup`. */
  readonly name: string;
  /** Digest of the operation with its input. */
  readonly digest: string;
  readonly outcome: O;
};

export type Divergence = { readonly ordinal: number; readonly expected: string; readonly found: string };

export type Begun =
  | { readonly type: 'live'; readonly ordinal: number }
  | { readonly type: 'recorded'; readonly ordinal: number }
  | { readonly type: 'diverged'; readonly divergence: Divergence };

export class TurnJournal<O> {
  readonly #byOrdinal: ReadonlyMap<number, JournalEntry<O>>;
  readonly #order: readonly JournalEntry<O>[];
  readonly #begun = new Set<number>();
  #nextOrdinal = 0;
  #handedOut = 0;

  /** `entries` in the order of their recording. */
  constructor(entries: readonly JournalEntry<O>[]) {
    this.#order = entries;
    this.#byOrdinal = new Map(entries.map((entry) => [entry.ordinal, entry]));
    assert(this.#byOrdinal.size === entries.length, 'T1: one outcome per operation');
  }

  /** How many operations have been begun. */
  get count(): number {
    return this.#nextOrdinal;
  }

  begin(name: string, digest: string): Begun {
    const ordinal = this.#nextOrdinal++;
    const entry = this.#byOrdinal.get(ordinal);
    if (entry === undefined) return { type: 'live', ordinal };
    if (entry.name !== name) return { type: 'diverged', divergence: { ordinal, expected: entry.name, found: name } };
    if (entry.digest !== digest) {
      const found = `${name} with other input`;
      return { type: 'diverged', divergence: { ordinal, expected: entry.name, found } };
    }
    this.#begun.add(ordinal);
    return { type: 'recorded', ordinal };
  }

  /** The next recorded outcome, once its operation was begun (T2). */
  take(): JournalEntry<O> | undefined {
    const next = this.#order[this.#handedOut];
    if (next === undefined || !this.#begun.has(next.ordinal)) return undefined;
    this.#handedOut += 1;
    return next;
  }

  /** Whether every recorded outcome was handed out: from here on the turn is new. */
  get isSpent(): boolean {
    return this.#handedOut === this.#order.length;
  }

  /** What T4 says about a handler that does `found` now. */
  divergenceAt(found: string): Divergence | undefined {
    const missing = this.#order.find((entry) => !this.#begun.has(entry.ordinal));
    if (missing === undefined) return undefined;
    return { ordinal: missing.ordinal, expected: missing.name, found };
  }
}
