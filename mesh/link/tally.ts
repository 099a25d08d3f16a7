/**
 * What is counted of others' messages, and how much of them is looked at.
 *
 * Y1. What may have been sent by anybody is counted by its code, and blames nobody.
 * Y2. Of one node's signed messages MESSAGE_RATE are looked at, and of those that are refused REFUSAL_RATE are recorded; the
 *     rest is counted, and the counts of each node are recorded together.
 */
import { type ArrivalUs, admitAt, type Rate } from '../../runtime/kernel/rate.ts';
import { PEERS_MAX } from './limits.ts';

/** One bucket for each of a bounded number of keys. */
export class Buckets<K> {
  readonly #rate: Rate;
  readonly #arrivals = new Map<K, ArrivalUs>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Whether one more may come. The longest unused bucket is forgotten when there are too many. */
  take(key: K, at: number): boolean {
    const answer = admitAt(this.#arrivals.get(key) ?? 0, this.#rate, at);
    if (!answer.isAllowed) return false;
    this.#arrivals.delete(key);
    if (this.#arrivals.size >= PEERS_MAX) {
      const [oldest] = this.#arrivals.keys();
      if (oldest !== undefined) this.#arrivals.delete(oldest);
    }
    this.#arrivals.set(key, answer.next);
    return true;
  }
}

/** Counts by code. */
export type Counts = { readonly [code: string]: number };

export class Tally<K> {
  readonly #byKey = new Map<K, Map<string, number>>();

  count(key: K, code: string): void {
    let counts = this.#byKey.get(key);
    if (counts === undefined) {
      if (this.#byKey.size >= PEERS_MAX) return;
      counts = new Map();
      this.#byKey.set(key, counts);
    }
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }

  /** All counts of a key so far. */
  of(key: K): Counts {
    return Object.fromEntries(this.#byKey.get(key) ?? []);
  }

  /** Everything that was counted since the last call. */
  drain(): readonly (readonly [K, Counts])[] {
    const drained = [...this.#byKey].map(([key, counts]) => [key, Object.fromEntries(counts)] as const);
    this.#byKey.clear();
    return drained;
  }
}
