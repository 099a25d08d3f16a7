/**
 * Handshakes of one node with all others: which are under way, and what is to be said next. Nothing here waits or sends.
 *
 * K1. At most one hello per node is under way, said again with growing pauses until it is answered or its time is over.
 * K2. When two hellos cross, the one of the lower DID wins: that node does not answer the other, for RACE_MS_MAX. Neither
 *     gives its own up for what it hears, so forged hellos keep nobody from meeting.
 * K3. A hello costs a signature, and a place among those under way. From HALF_OPEN_BUSY on it must bring a cookie, which
 *     only who receives what is sent to the initiator can have, and which costs this node no memory.
 * K4. A session exists only by a whole handshake. What is unsigned changes nothing else. A node begins no more of them than
 *     MEETING_RATE.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Did } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { equalBytes, utf8 } from '../../runtime/core/bytes.ts';
import type { Random } from '../../runtime/core/random.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import { HalfOpen } from '../half-open.ts';
import {
  answerConfirm,
  answerHello,
  answerWelcome,
  claimsOfHello,
  demandCookie,
  type Greeting,
  repeatHello,
  sayHello,
  stepOf,
  type Terms,
  type Welcoming,
} from '../handshake.ts';
import { nodeDid, type SealingNode } from '../message.ts';
import type { Session } from '../session.ts';
import { type NodeToken, nodeToken } from '../subject.ts';
import { HALF_OPEN_BUSY, HELLO_RETRY_MS_MAX, HELLO_RETRY_MS_MIN, MEETING_RATE, RACE_MS_MAX } from './limits.ts';
import { Buckets } from './tally.ts';

/** A handshake message to be sent. */
export type Saying = { readonly to: NodeToken; readonly frame: Uint8Array };

/** What a handshake message led to: an answer, a session, both, or nothing. */
export type Heard = { readonly say?: Saying; readonly session?: Session };

type Greeted = {
  readonly greeting: Greeting;
  readonly begun: Millis;
  readonly attempts: number;
  readonly due: Millis;
};

type Welcomed = { readonly hello: Uint8Array; readonly welcome: Uint8Array; readonly state: Welcoming } & Pick<
  Welcoming,
  'expires'
>;

export class Meetings {
  readonly #node: SealingNode;
  readonly #self: Did;
  readonly #terms: () => Terms;
  readonly #mayMeet: (node: Did) => boolean;
  readonly #random: Random;
  /** Known to this life of the node only. */
  readonly #secret: Uint8Array;
  readonly #greeted = new Map<NodeToken, Greeted>();
  readonly #welcomed = new HalfOpen<Welcomed>();
  readonly #begun = new Buckets<Did>(MEETING_RATE);

  constructor(meetings: {
    readonly node: SealingNode;
    readonly terms: () => Terms;
    readonly mayMeet: (node: Did) => boolean;
    readonly random: Random;
  }) {
    this.#node = meetings.node;
    this.#self = nodeDid(meetings.node.pair.publicKey);
    this.#terms = meetings.terms;
    this.#mayMeet = meetings.mayMeet;
    this.#random = meetings.random;
    this.#secret = meetings.random.bytes(32);
  }

  /** A session with this node is wanted: what is to be said for it now, if anything (K1). */
  want(peer: Did, at: Millis): Saying | undefined {
    const token = nodeToken(peer);
    const before = this.#greeted.get(token);
    if (peer === this.#self || !this.#mayMeet(peer) || (before !== undefined && at <= before.greeting.expires)) {
      return undefined;
    }
    const { greeting, frame } = sayHello(this.#node, { to: peer, terms: this.#terms(), at }, this.#random);
    this.#greeted.set(token, { greeting, begun: at, attempts: 1, due: this.#later(at, 0) });
    return { to: token, frame };
  }

  /** What is to be said again. Forgets what took too long. */
  due(at: Millis): readonly Saying[] {
    this.#welcomed.expire(at);
    const sayings: Saying[] = [];
    for (const [to, greeted] of this.#greeted) {
      if (at > greeted.greeting.expires) this.#greeted.delete(to);
      else if (at >= greeted.due) {
        const due = this.#later(at, greeted.attempts);
        this.#greeted.set(to, { ...greeted, attempts: greeted.attempts + 1, due });
        sayings.push({ to, frame: greeted.greeting.hello });
      }
    }
    return sayings;
  }

  /** Takes what arrived; `from` is whom the carrier vouches for. */
  hear(frame: Uint8Array, from: NodeToken, at: Millis): Result<Heard, Refusal> {
    switch (stepOf(frame)) {
      case 1:
        return this.#hearHello(frame, from, at);
      case 2:
        return this.#hearWelcome(frame, from, at);
      case 3:
        return this.#hearConfirm(frame, from, at);
      case 4:
        return this.#hearDemand(frame, from);
      default:
        return refuse('handshake.malformed', 'expected one of four steps');
    }
  }

  #hearHello(frame: Uint8Array, from: NodeToken, at: Millis): Result<Heard, Refusal> {
    const claimed = claimsOfHello(frame);
    if (claimed === undefined) return refuse('handshake.malformed', 'expected a hello');
    if (nodeToken(claimed.from) !== from) return wrongCarrier();
    const known = this.#welcomed.of(from).find(({ hello }) => equalBytes(hello, frame));
    if (known !== undefined) return ok({ say: { to: from, frame: known.welcome } });
    if (this.#winsOver(claimed.from, from, at)) return ok({});
    if (this.#welcomed.size >= HALF_OPEN_BUSY && !this.#isCookie(claimed, from)) {
      return ok({ say: { to: from, frame: demandCookie(claimed.nonce, this.#cookie(claimed.nonce, from)) } });
    }
    const answer = { frame, terms: this.#terms(), at, mayMeet: this.#mayMeet };
    const answered = answerHello(this.#node, answer, this.#random);
    if (!answered.ok) return answered;
    const { welcoming, frame: welcome } = answered.value;
    const welcomed = { hello: frame, welcome, state: welcoming, expires: welcoming.expires };
    const added = this.#welcomed.add(from, welcomed, at);
    return added.ok ? ok({ say: { to: from, frame: welcome } }) : added;
  }

  #hearWelcome(frame: Uint8Array, from: NodeToken, at: Millis): Result<Heard, Refusal> {
    const greeted = this.#greeted.get(from);
    if (greeted === undefined) return unexpected();
    const answered = answerWelcome(this.#node, greeted.greeting, { frame, at });
    if (!answered.ok) return answered;
    this.#greeted.delete(from);
    const { session, frame: confirm } = answered.value;
    if (!this.#begun.take(session.peerDid, at)) return tooOften();
    return ok({ session, say: { to: from, frame: confirm } });
  }

  #hearConfirm(frame: Uint8Array, from: NodeToken, at: Millis): Result<Heard, Refusal> {
    let refused: Result<never, Refusal> = unexpected();
    for (const welcomed of this.#welcomed.of(from)) {
      const answered = answerConfirm(this.#node, welcomed.state, { frame, at });
      if (answered.ok) {
        this.#welcomed.remove(from, welcomed);
        return this.#begun.take(answered.value.peerDid, at) ? ok({ session: answered.value }) : tooOften();
      }
      refused = answered;
    }
    return refused;
  }

  #hearDemand(frame: Uint8Array, from: NodeToken): Result<Heard, Refusal> {
    const greeted = this.#greeted.get(from);
    if (greeted === undefined) return unexpected();
    const repeated = repeatHello(greeted.greeting, frame);
    if (!repeated.ok) return repeated;
    this.#greeted.set(from, { ...greeted, greeting: repeated.value });
    return ok({ say: { to: from, frame: repeated.value.hello } });
  }

  /** K2. */
  #winsOver(other: Did, token: NodeToken, at: Millis): boolean {
    const own = this.#greeted.get(token);
    return own !== undefined && this.#self < other && at - own.begun <= RACE_MS_MAX;
  }

  #isCookie({ nonce, cookie }: { nonce: string; cookie: Uint8Array | undefined }, from: NodeToken): boolean {
    return cookie !== undefined && timingSafeEqual(cookie, this.#cookie(nonce, from));
  }

  #cookie(nonce: string, from: NodeToken): Uint8Array {
    return createHmac('sha256', this.#secret)
      .update(utf8(`${from} ${nonce}`))
      .digest();
  }

  /** Half to all of the pause, so that two that began together do not go on together. */
  #later(at: Millis, attempts: number): Millis {
    const pause = Math.min(HELLO_RETRY_MS_MIN * 2 ** attempts, HELLO_RETRY_MS_MAX);
    return (at + pause / 2 + this.#random.below(pause / 2)) as Millis;
  }
}

function unexpected(): Result<never, Refusal> {
  return refuse('handshake.unexpected', 'expected an answer to a handshake under way');
}

function tooOften(): Result<never, Refusal> {
  return refuse('quota.exceeded', 'expected fewer sessions of one node');
}

function wrongCarrier(): Result<never, Refusal> {
  return refuse('handshake.wrong_carrier', 'expected the carrier and the hello to name one node');
}

function refuse(code: string, message: string): Result<never, Refusal> {
  return err({ code, message });
}
