/**
 * Who is served next. Two lanes and the parked turns' wake-ups, decided purely; it holds ids, never bodies.
 *
 * B1. Control goes first, whatever waits: kill, suspend, drain are never blocked. The lane needs no bound, since equal
 *     controls are one.
 * B2. The user lane is bounded. What does not fit is refused with `busy` and the time after which to try again; nothing
 *     that was accepted is ever dropped to make room.
 * B3. Messages of one sender are served in the order of their acceptance. A message whose name has a parked turn waits
 *     for it, unless the contract says `concurrent`; those of other names pass it.
 */
import { assert } from '../core/assert.ts';

/** Messages that an agent lets wait. At a turn of 1 ms a full lane is half a second of work. */
export const MAILBOX_MESSAGES_MAX = 512;

/** What `retryAfterMs` assumes a waiting message takes, until turns have been measured. */
const TURN_MS_GUESS = 2;

export type Control = 'drain' | 'stop' | 'kill';

export type Waiting = {
  readonly message: string;
  readonly from: string;
  /** What a parked turn blocks: the message's name, or nothing where it is concurrent. */
  readonly lane: string | undefined;
};

export type Next =
  | { readonly type: 'control'; readonly control: Control }
  | { readonly type: 'wake'; readonly turn: string }
  | { readonly type: 'message'; readonly message: string };

export class Mailbox {
  readonly #controls = new Set<Control>();
  readonly #wakes = new Set<string>();
  #waiting: Waiting[] = [];
  readonly #parked = new Map<string, string>();
  #turnMs = TURN_MS_GUESS;

  /** Messages that wait. */
  get length(): number {
    return this.#waiting.length;
  }

  /** How many turns are parked. */
  get parked(): number {
    return this.#parked.size;
  }

  /** Whether there is room beside `pending` more that are being accepted; else for how long to stay away (B2). */
  room(pending = 0): { readonly isOpen: true } | { readonly isOpen: false; readonly retryAfterMs: number } {
    if (this.#waiting.length + pending < MAILBOX_MESSAGES_MAX) return { isOpen: true };
    return { isOpen: false, retryAfterMs: Math.max(1, Math.ceil((this.#turnMs * MAILBOX_MESSAGES_MAX) / 2)) };
  }

  /** Adds a message that has been accepted. Recovery may exceed the bound: what was promised is kept. */
  add(waiting: Waiting): void {
    this.#waiting.push(waiting);
  }

  /** Puts a message back that was taken and not finished: it is its sender's next one still (B3). */
  putBack(waiting: Waiting): void {
    this.#waiting.unshift(waiting);
  }

  control(control: Control): void {
    this.#controls.add(control);
  }

  /** The turn waits; `lane` waits with it. */
  park(turn: string, lane: string | undefined): void {
    this.#parked.set(turn, lane ?? '');
  }

  /** A parked turn may go on. */
  wake(turn: string): void {
    assert(this.#parked.has(turn), 'wake: a parked turn');
    this.#wakes.add(turn);
  }

  isParked(turn: string): boolean {
    return this.#parked.has(turn);
  }

  /** The turn is over, parked or not. */
  finish(turn: string, tookMs: number): void {
    this.#parked.delete(turn);
    this.#wakes.delete(turn);
    this.#turnMs = Math.max(1, this.#turnMs * 0.9 + tookMs * 0.1);
  }

  /** Takes out what is to be done next; `undefined` when nothing can be. */
  next(): Next | undefined {
    for (const control of this.#controls) {
      this.#controls.delete(control);
      return { type: 'control', control };
    }
    for (const turn of this.#wakes) {
      this.#wakes.delete(turn);
      return { type: 'wake', turn };
    }
    if (this.#parked.size === 0) {
      const first = this.#waiting.shift();
      return first === undefined ? undefined : { type: 'message', message: first.message };
    }
    const blocked = new Set([...this.#parked.values()].filter((lane) => lane !== ''));
    const held = new Set<string>();
    for (const [n, { message, from, lane }] of this.#waiting.entries()) {
      if ((lane !== undefined && blocked.has(lane)) || held.has(from)) {
        held.add(from); // whoever has one waiting does not overtake itself
        continue;
      }
      this.#waiting = this.#waiting.toSpliced(n, 1);
      return { type: 'message', message };
    }
    return undefined;
  }
}
