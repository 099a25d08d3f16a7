/**
 * How much was consumed lately, for the `consume` obligation.
 *
 * W1. No window of `perMs` ever has more than `limit` in it. Time is cut into slots of a 64th of the window and a slot that
 *     lies partly inside counts whole, so what was consumed may count up to a 64th of the window longer, never shorter.
 * W2. A key is what the obligation says it is counted by; two agents, tenants or rules do not share one by accident.
 * W3. Bounded: past `KEYS_MAX` keys that are all in use, a new one is refused.
 *
 * The state is gone with the process. Whoever needs it to survive feeds `take` from the log when it starts.
 */
import type { BucketKey, Consume } from '../decision/obligation.ts';
import type { PolicyRequest } from '../decision/request.ts';

export interface Buckets {
  /** The milliseconds until one could be taken from each; 0 for now. Takes nothing. */
  waitMs(asked: readonly Consume[], request: PolicyRequest): number;
  /** Takes one from each. */
  take(asked: readonly Consume[], request: PolicyRequest): void;
}

const SLOTS = 64;
const KEYS_MAX = 100_000;

type Window = { readonly slotMs: number; slots: { readonly slot: number; readonly count: number }[] };

export class WindowBuckets implements Buckets {
  readonly #windows = new Map<string, Window>();
  readonly #keysMax: number;

  constructor(options: { readonly keysMax?: number } = {}) {
    this.#keysMax = options.keysMax ?? KEYS_MAX;
  }

  waitMs(asked: readonly Consume[], request: PolicyRequest): number {
    let waitMs = 0;
    for (const consume of asked) {
      const window = this.#window(bucketKey(consume, request), consume, request.at);
      waitMs = Math.max(waitMs, window === undefined ? consume.perMs : waitFor(window, consume.limit, request.at));
    }
    return waitMs;
  }

  take(asked: readonly Consume[], request: PolicyRequest): void {
    for (const consume of asked) {
      const window = this.#window(bucketKey(consume, request), consume, request.at);
      if (window !== undefined) count(window, request.at);
    }
  }

  #window(key: string, { perMs }: Consume, at: number): Window | undefined {
    const known = this.#windows.get(key);
    if (known !== undefined) {
      forget(known, at);
      return known;
    }
    if (this.#windows.size >= this.#keysMax) this.#sweep(at);
    if (this.#windows.size >= this.#keysMax) return undefined;
    const window: Window = { slotMs: Math.ceil(perMs / SLOTS), slots: [] };
    this.#windows.set(key, window);
    return window;
  }

  #sweep(at: number): void {
    for (const [key, window] of this.#windows) {
      forget(window, at);
      if (window.slots.length === 0) this.#windows.delete(key);
    }
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

/** A clock that went back makes the window longer, not new. */
function forget(window: Window, at: number): void {
  const oldest = Math.floor(at / window.slotMs) - SLOTS;
  if ((window.slots[0]?.slot ?? oldest) < oldest) window.slots = window.slots.filter(({ slot }) => slot >= oldest);
}

function waitFor({ slots, slotMs }: Window, limit: number, at: number): number {
  let total = slots.reduce((sum, { count }) => sum + count, 0);
  if (total < limit) return 0;
  for (const { slot, count } of slots) {
    total -= count;
    if (total < limit) return Math.max(1, (slot + SLOTS + 1) * slotMs - at);
  }
  return slotMs;
}

function count(window: Window, at: number): void {
  const slot = Math.floor(at / window.slotMs);
  const last = window.slots.at(-1);
  if (last === undefined || last.slot < slot) window.slots.push({ slot, count: 1 });
  else window.slots[window.slots.length - 1] = { slot: last.slot, count: last.count + 1 };
}
