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

type Window = { readonly slotMs: number; readonly slots: { readonly slot: number; readonly count: number }[] };

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
    if (known !== undefined) return known;
    if (this.#windows.size >= this.#keysMax) this.#sweep(at);
    if (this.#windows.size >= this.#keysMax) return undefined;
    const window: Window = { slotMs: Math.ceil(perMs / SLOTS), slots: [] };
    this.#windows.set(key, window);
    return window;
  }

  #sweep(at: number): void {
    for (const [key, window] of this.#windows) {
      if ((window.slots.at(-1)?.slot ?? -1) < oldestSlot(window, at)) this.#windows.delete(key);
    }
  }
}

/** By whom it is counted (W2). What is not known of a request is a key of its own. */
function bucketKey(consume: Consume, { subject, action, task }: PolicyRequest): string {
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

/** The first slot that the window still reaches into. */
function oldestSlot({ slotMs }: Window, at: number): number {
  return Math.floor(at / slotMs) - SLOTS;
}

function waitFor(window: Window, limit: number, at: number): number {
  const oldest = oldestSlot(window, at);
  const within = window.slots.filter(({ slot }) => slot >= oldest);
  let total = within.reduce((sum, { count }) => sum + count, 0);
  if (total < limit) return 0;
  for (const { slot, count } of within) {
    total -= count;
    if (total < limit) return Math.max(1, (slot + SLOTS + 1) * window.slotMs - at);
  }
  return window.slotMs;
}

/** What is taken while the clock is behind counts as taken when it was last seen: going back gives nothing. */
function count({ slots, slotMs }: Window, at: number): void {
  const slot = Math.floor(at / slotMs);
  const last = slots.at(-1);
  if (last === undefined || last.slot < slot) slots.push({ slot, count: 1 });
  else slots[slots.length - 1] = { slot: last.slot, count: last.count + 1 };
  if (slots.length > SLOTS + 1) slots.shift();
}
