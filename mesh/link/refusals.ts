/**
 * What becomes of what is refused: counted, recorded, answered. It knows nothing of what is taken.
 * Z2 and Z3 of `arrivals.ts` stand here.
 */
import type { Did } from '../../runtime/codec/did.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { admitKey } from '../../runtime/codec/ed25519.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Refusal } from '../../runtime/core/result.ts';
import type { EnvelopeRefusal } from '../admit.ts';
import { isBundle } from '../bundle.ts';
import type { Claims } from '../claims.ts';
import { decodeHead, type Kind } from '../head.ts';
import { type NodeToken, nodeToken } from '../subject.ts';
import { answerToTell } from './bodies.ts';
import { type Departures, UNSHOWN } from './departures.ts';
import { BUSY_MS, EXCESS_ANSWER_RATE, HINT_RATE, REFUSAL_RATE } from './limits.ts';
import { linkEvent } from './link-events.ts';
import type { Recorder } from './recorder.ts';
import { Buckets, Tally } from './tally.ts';

/** A refusal that certainly has an author. */
export type Blamed = Refusal & {
  readonly from: Did;
  readonly message: DigestText;
  readonly envelope: DigestText;
  readonly kind: Kind;
  readonly claims: Claims | undefined;
};

export type RefusalParts = {
  readonly self: Did;
  readonly departures: Departures;
  readonly recorder: Recorder;
  /** A session with this node is wanted. */
  readonly want: (node: Did) => void;
  /** Work that nobody waits for. */
  readonly begin: (work: Promise<void>) => void;
};

/** What shows that a peer believes in a session that this node does not have. */
const OTHER_SESSION: ReadonlySet<string> = new Set([
  'envelope.unknown_session',
  'envelope.wrong_epoch',
  'envelope.session_over',
]);

/** No word about the request itself: it was damaged on its way, or came too late, and is sent again if it still matters. */
export const UNANSWERED: ReadonlySet<string> = new Set([
  'body.no_room',
  'body.not_fetched',
  'body.undecipherable',
  'body.wrong_digest',
  'body.wrong_length',
  'envelope.past_deadline',
  'envelope.replayed',
  'quota.exceeded',
]);

/** Where the head of a bundle's first envelope begins. */
const BUNDLE_HEAD_AT = 72;

export class Refusals {
  /** What was not authenticated, by code (Z2). */
  readonly counted = new Tally<'anybody'>();
  /** Refusals and excess that are not recorded one by one, by node (Z3). */
  readonly #uncounted = new Tally<Did>();
  readonly #parts: RefusalParts;
  readonly #hints = new Buckets<NodeToken>(HINT_RATE);
  readonly #refusals = new Buckets<Did>(REFUSAL_RATE);
  readonly #excess = new Buckets<Did>(EXCESS_ANSWER_RATE);

  constructor(parts: RefusalParts) {
    this.#parts = parts;
  }

  /** What was refused or left out in bulk, to be recorded. */
  tick(): void {
    const events = this.#uncounted
      .drain()
      .map(([node, counts]) => linkEvent('message.refused_many', node, { node, counts }));
    if (events.length > 0) this.#parts.begin(this.#parts.recorder.record(events));
  }

  /** More of a node than is looked at one by one. */
  leaveOut(from: Did): void {
    this.#uncounted.count(from, 'quota.exceeded');
  }

  /** What `admit` refused: counted, or put on record. */
  turnAway(refusal: EnvelopeRefusal, bytes: Uint8Array, from: NodeToken, at: Millis): void {
    if (!refusal.authenticated) {
      this.counted.count('anybody', refusal.code);
      if (OTHER_SESSION.has(refusal.code)) this.#hint(bytes, from, at);
      return;
    }
    const request = refusal.claims?.answer?.request;
    if (refusal.code === 'answer.unexpected' && request !== undefined && this.#parts.departures.wasSettled(request)) {
      this.counted.count('anybody', 'answer.repeated');
      return;
    }
    this.refuse(refusal, at);
  }

  /** Z3. */
  refuse(refusal: Blamed, at: Millis): void {
    const { code, message: detail, from, message, envelope } = refusal;
    if (!this.#refusals.take(from, at)) {
      this.#uncounted.count(from, code);
      this.#answerExcess(refusal, at);
      return;
    }
    const event = linkEvent('message.refused', from, { code, detail, from, message }, envelope);
    const work = async (): Promise<void> => {
      await this.#parts.recorder.record([event]); // Z1
      const request = refusal.claims?.answer?.request;
      if (request !== undefined && UNSHOWN.has(code)) this.#parts.departures.demandShow(from, request);
      this.#answerRefused(refusal);
    };
    this.#parts.begin(work());
  }

  /** What is not on record is not answered (Z1); but a sender is told to wait, so that he knows that he is heard. */
  #answerExcess({ code, from, message, kind, claims }: Blamed, at: Millis): void {
    if (claims === undefined || (kind !== 'ask' && kind !== 'tell') || UNANSWERED.has(code)) return;
    // Who was shown too little is told so by the ones on record, and his next sealing may be taken.
    if (UNSHOWN.has(code) || claims.to === this.#parts.self || !this.#excess.take(from, at)) return;
    const busy = answerToTell({ type: 'busy', retryAfterMs: BUSY_MS });
    this.#parts.departures.answer({ claims, peer: from, digests: [message] }, busy, undefined);
  }

  /** Tells an honest sender why. */
  #answerRefused({ code, message: detail, from, message, kind, claims }: Blamed): void {
    if (claims === undefined || (kind !== 'ask' && kind !== 'tell') || UNANSWERED.has(code)) return;
    const outcome =
      code === 'envelope.no_such_agent'
        ? ({ type: 'died', message: detail } as const)
        : ({ type: 'denied', code, message: detail } as const);
    const asked = { claims, peer: from, digests: [message] };
    this.#parts.departures.answer(asked, answerToTell(outcome), undefined);
  }

  /** Z2. The node that the head names, if the carrier names it too. */
  #hint(bytes: Uint8Array, from: NodeToken, at: Millis): void {
    if (!this.#hints.take(from, at)) return;
    const head = decodeHead(isBundle(bytes) ? bytes.subarray(BUNDLE_HEAD_AT) : bytes);
    const key = head.ok ? admitKey(head.value.from) : head;
    if (!key.ok) return;
    const did = formatDidKey(key.value);
    if (nodeToken(did) === from) this.#parts.want(did);
  }
}
