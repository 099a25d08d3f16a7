/** A clock that moves when told and a generator that repeats: for tests, for the simulator, for anything replayed. */
import { assert } from './assert.ts';
import type { Millis } from './brand.ts';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

type Alarm = { readonly at: number; readonly order: number; readonly wake: () => void };

/** A clock that stands still until `advance`. Due timers fire in the order of their times, then of their arming. */
export class ManualClock implements Clock {
  #wall: number;
  #monotonic = 0;
  #armed = 0;
  readonly #alarms = new Set<Alarm>();

  constructor(startMs = 1_700_000_000_000) {
    this.#wall = startMs;
  }

  now(): Millis {
    return this.#wall as Millis;
  }

  monotonicMs(): number {
    return this.#monotonic;
  }

  after(delayMs: number, wake: () => void): Disposable {
    const alarm: Alarm = { at: this.#monotonic + Math.max(0, delayMs), order: this.#armed++, wake };
    this.#alarms.add(alarm);
    return { [Symbol.dispose]: () => void this.#alarms.delete(alarm) };
  }

  /** Moves both readings on, firing what falls due on the way at its own time; timers armed meanwhile count too. */
  advance(byMs: number): void {
    assert(Number.isInteger(byMs) && byMs >= 0, 'advance: a whole number of milliseconds, not negative');
    const until = this.#monotonic + byMs;
    for (let next = this.#nextDue(until); next !== undefined; next = this.#nextDue(until)) {
      this.#alarms.delete(next);
      this.#moveTo(next.at);
      next.wake();
    }
    this.#moveTo(until);
  }

  /** Sets the wall clock alone, as an operator or a time server does; it may go back. */
  setWall(atMs: number): void {
    this.#wall = atMs;
  }

  #moveTo(monotonic: number): void {
    this.#wall += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }

  #nextDue(until: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at > until) continue;
      if (next === undefined || alarm.at < next.at || (alarm.at === next.at && alarm.order < next.order)) next = alarm;
    }
    return next;
  }
}

/** A generator that gives the same draws for the same seed on every platform: xoshiro128** (Blackman and Vigna, 2018),
 *  its state filled by splitmix32. Not for keys. */
export function seededRandom(seed: number | string): Random {
  const fill = splitmix32(typeof seed === 'number' ? seed >>> 0 : fnv1a(seed));
  let [a, b, c, d] = [fill(), fill(), fill(), fill()];
  const next = (): number => {
    const drawn = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return drawn;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 24),
    below(bound) {
      assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32, 'below: a bound in 1..2^32');
      const fair = 2 ** 32 - (2 ** 32 % bound); // draws past the last whole multiple would favour small results
      let drawn = next();
      while (drawn >= fair) drawn = next();
      return drawn % bound;
    },
    stream: (name) => seededRandom(`${seed}/${name}`),
  };
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function splitmix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) | 0;
  };
}

/** FNV-1a over UTF-16 units: names to seeds, nothing more. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
