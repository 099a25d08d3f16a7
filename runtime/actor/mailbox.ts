/**
 * Who is served next, decided purely; it holds ids, never bodies. Control (stop, suspend, drain, another ring) has no place
 * in it: an operator's word acts on the agent at once and waits for nothing.
 *
 * B1. Parked turns that may go on come first.
 * B2. The user lane is bounded. What does not fit is refused with `busy` and the time after which to try again; nothing
 *     that was accepted is ever dropped to make room.
 * B3. Messages of one sender are served in the order of their acceptance. A message whose name has a parked turn waits
 *     for it, unless the contract says `concurrent`; those of other names pass it.
 */
import { assert } from '../core/assert.ts';
import type { Accepted } from './agent-view.ts';
import type { Contract } from './contract.ts';

/** Messages that an agent lets wait. At a turn of 1 ms a full lane is half a second of work. */
export const MAILBOX_MESSAGES_MAX = 512;

/** What `retryAfterMs` assumes a waiting message takes, until turns have been measured. */
const TURN_MS_GUESS = 2;

export type Waiting = {
  readonly message: string;
  readonly from: string;
  /** What a parked turn blocks: the message's name, or nothing where it is concurrent. */
  readonly lane: string | undefined;
};

export type Next =
  | { readonly type: 'wake'; readonly turn: string }
  | { readonly type: 'message'; readonly message: string };

export class Mailbox {
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

/** An accepted message as it waits. */
export function waitingOf(accepted: Accepted, contract: Contract | undefined): Waiting {
  const from = accepted.did ?? accepted.from ?? '';
  return { message: accepted.message, from, lane: laneOf(accepted, contract) };
}

/** What a parked turn of the message blocks. */
export function laneOf({ name }: Accepted, contract: Contract | undefined): string | undefined {
  return contract?.spec.messages[name]?.concurrent === true ? undefined : name;
}
