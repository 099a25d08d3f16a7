/**
 * How much was consumed lately, for the `consume` obligation, by the kernel's own algorithm (`runtime/kernel/rate.ts`).
 *
 * W1. At most `limit` at once, and in the long run at most `limit` per `perMs`: a bucket that was emptied fills up evenly over
 *     the span. So a span that begins with a full bucket can see up to twice the limit, less one.
 * W2. A key is what the obligation says it is counted by; two agents, tenants or rules do not share one by accident.
 * W3. Bounded: past `KEYS_MAX` keys that are all in use, a new one is refused.
 * W4. What was taken before a restart is known after it: whoever starts a node folds its recorded decisions with `relive`.
 */
import type { ActionDecided } from '../../runtime/kernel/action-events.ts';
import { type ArrivalUs, admitAt, type Rate, taken } from '../../runtime/kernel/rate.ts';
import type { BucketKey, Consume } from '../decision/obligation.ts';
import type { PolicyRequest } from '../decision/request.ts';

export interface Buckets {
  /** The milliseconds until one could be taken from each; 0 for now. Takes nothing. */
  waitMs(asked: readonly Consume[], request: PolicyRequest): number;
  /** Takes one from each. */
  take(asked: readonly Consume[], request: PolicyRequest): void;
}

const KEYS_MAX = 100_000;

export class RateBuckets implements Buckets {
  readonly #arrivals = new Map<string, ArrivalUs>();
  readonly #keysMax: number;

  constructor(options: { readonly keysMax?: number } = {}) {
    this.#keysMax = options.keysMax ?? KEYS_MAX;
  }

  waitMs(asked: readonly Consume[], request: PolicyRequest): number {
    let waitMs = 0;
    for (const consume of asked) {
      const key = bucketKey(consume, request);
      if (!this.#hasRoom(key, request.at)) return consume.perMs; // W3
      const answer = admitAt(this.#arrivals.get(key) ?? 0, rateOf(consume), request.at);
      if (!answer.isAllowed) waitMs = Math.max(waitMs, answer.retryAfterMs);
    }
    return waitMs;
  }

  take(asked: readonly Consume[], request: PolicyRequest): void {
    for (const consume of asked) this.#take(bucketKey(consume, request), consume, request.at);
  }

  /** Takes again what a recorded decision took when it was made (W4). */
  relive({ owed = [], refused, at }: Pick<ActionDecided, 'owed' | 'refused' | 'at'>): void {
    if (refused !== null) return;
    for (const { kind, key, limit, perMs } of owed) {
      if (kind !== 'consume' || typeof key !== 'string' || !isCount(limit) || !isCount(perMs)) continue;
      this.#take(key, { limit, perMs }, at);
    }
  }

  #take(key: string, consume: Pick<Consume, 'limit' | 'perMs'>, at: number): void {
    if (this.#hasRoom(key, at)) this.#arrivals.set(key, taken(this.#arrivals.get(key) ?? 0, rateOf(consume), at));
  }

  #hasRoom(key: string, at: number): boolean {
    if (this.#arrivals.has(key) || this.#arrivals.size < this.#keysMax) return true;
    for (const [known, arrival] of this.#arrivals) if (arrival <= at * 1_000) this.#arrivals.delete(known);
    return this.#arrivals.size < this.#keysMax;
  }
}

/** By whom it is counted (W2). What is not known of a request is a key of its own. */
export function bucketKey(consume: Consume, { subject, action, task }: PolicyRequest): string {
  const known: Readonly<Record<BucketKey, string | undefined>> = {
    tenant: subject.tenant,
    agent: subject.id,
    tool: action.tool,
    task: task?.id,
    sponsor: subject.sponsor,
  };
  const parts = consume.by.map((by) => known[by] ?? null);
  return JSON.stringify([consume.bucket, consume.limit, consume.perMs, consume.by, parts]);
}

function rateOf({ limit, perMs }: Pick<Consume, 'limit' | 'perMs'>): Rate {
  return { count: limit, periodMs: perMs, burst: limit };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
