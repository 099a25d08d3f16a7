/**
 * Requests on their way: asks and tells of this node's agents that are not settled yet. Says which are to be sealed and sent
 * now; sends nothing.
 *
 * O1. A request stays until it is settled or its deadline is over, and is sent again with growing pauses until then, under
 *     one message id.
 * O2. Of one sender's tells to one receiver one is on its way at a time, in the order in which they came. So whatever the
 *     wire loses, doubles or turns round, they are accepted in order.
 * O3. Both kinds are bounded.
 */

import type { Outgoing } from '../../runtime/actor/remote.ts';
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Random } from '../../runtime/core/random.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import { PENDING_MAX } from '../limits.ts';
import type { Message } from '../message.ts';
import { RESEND_MS_MAX, RESEND_MS_MIN, TELLS_MAX } from './limits.ts';

/** What was asked or told, and how far it has come. The link moves it; the outbox keeps it. */
export class Request {
  readonly outgoing: Outgoing;
  readonly settle: (outcome: Outcome) => void;
  /** When it was given to the link. */
  readonly begun: Millis;
  /** As it was last written, where it goes, and how long the certificate in its claims lasts. */
  written: { readonly message: Message; readonly peer: Did; readonly to: Did; readonly until: Millis } | undefined;
  /** Every digest under which it was written: an answer to any of them settles it. */
  readonly digests: DigestText[] = [];
  /** What its node is lent, where the envelope has no room for the body. */
  lent: { readonly digest: DigestText; readonly peer: Did } | undefined;
  /** The delegations that its receiver's node has to know. */
  readonly shown = new Set<Cid>();
  /** Sendings since its node could last be reached anew. */
  attempts = 0;
  /** Whether it may have reached that node: from then on it is for no other, since both might do it. */
  isSealed = false;
  due: Millis;
  isOver = false;

  constructor(outgoing: Outgoing, begun: Millis, settle: (outcome: Outcome) => void) {
    this.outgoing = outgoing;
    this.begun = begun;
    this.due = begun;
    this.settle = settle;
  }
}

export class Outbox {
  readonly #asks = new Set<Request>();
  /** By sender and receiver, first come first (O2). */
  readonly #tells = new Map<string, Request[]>();
  #tellCount = 0;
  /** To be sent now, in the order in which they came. */
  readonly #ready = new Set<Request>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#asks.size + this.#tellCount;
  }

  /** False if there is no room (O3). */
  add(request: Request): boolean {
    if (request.outgoing.kind === 'ask') {
      if (this.#asks.size >= PENDING_MAX) return false;
      this.#asks.add(request);
      this.#ready.add(request);
      return true;
    }
    if (this.#tellCount >= TELLS_MAX) return false;
    const key = pairOf(request);
    const waiting = this.#tells.get(key);
    if (waiting === undefined) {
      this.#tells.set(key, [request]);
      this.#ready.add(request);
    } else {
      waiting.push(request);
    }
    this.#tellCount++;
    return true;
  }

  /** The request is over; the next of its pair may go at once. */
  remove(request: Request): void {
    if (request.isOver) return;
    request.isOver = true;
    this.#ready.delete(request);
    if (this.#asks.delete(request)) return;
    const key = pairOf(request);
    const waiting = this.#tells.get(key) ?? [];
    const place = waiting.indexOf(request);
    if (place === -1) return;
    waiting.splice(place, 1);
    this.#tellCount--;
    const [next] = waiting;
    if (next === undefined) this.#tells.delete(key);
    else if (place === 0) this.#ready.add(next);
  }

  /** Whether anything is to be sent now. */
  get isReady(): boolean {
    return this.#ready.size > 0;
  }

  /** What is to be sent now; it is due again only as `sent` or `later` says. */
  takeReady(): readonly Request[] {
    const ready = [...this.#ready];
    this.#ready.clear();
    return ready;
  }

  /** Makes ready whatever has become due. */
  tick(at: Millis): void {
    for (const request of this.#heads()) if (at >= request.due) this.#ready.add(request);
  }

  /** Those whose deadline is over. */
  expired(at: Millis): readonly Request[] {
    return [...this.all()].filter(({ outgoing }) => at > outgoing.deadline);
  }

  *all(): Generator<Request> {
    yield* this.#asks;
    for (const waiting of this.#tells.values()) yield* waiting;
  }

  /** It was sent: when next, if nothing is heard. Half to all of the pause, by chance. */
  sent(request: Request, at: Millis): void {
    const pause = Math.min(RESEND_MS_MIN * 2 ** Math.min(request.attempts, 10), RESEND_MS_MAX);
    request.attempts++;
    this.later(request, at, pause / 2 + this.#random.below(pause / 2));
  }

  /** It is to be sent in so many milliseconds. */
  later(request: Request, at: Millis, ms: number): void {
    request.due = (at + ms) as Millis;
  }

  now(request: Request): void {
    if (!request.isOver) this.#ready.add(request);
  }

  /** A node can be reached anew: all that is for it goes at once, as if never sent. */
  wake(peer: Did): void {
    for (const request of this.#heads()) {
      if (request.written?.peer !== peer) continue;
      request.attempts = 0;
      this.#ready.add(request);
    }
  }

  *#heads(): Generator<Request> {
    yield* this.#asks;
    for (const [first] of this.#tells.values()) if (first !== undefined) yield first;
  }
}

function pairOf({ outgoing }: Request): string {
  return `${outgoing.from.agent} ${outgoing.to}`;
}
