/**
 * What arrives at a node, once it has been admitted or refused: handed to the agents, settled, learned, or put on record.
 * Long because every arrival ends here, and what becomes of one kind builds on what became of another.
 *
 * Z1. Nothing is answered before what it says is on disk: an acceptance by the receiver, a refusal by this file.
 * Z2. What anybody may have sent is counted; at most, and seldom, it makes this node say hello to the one that it names.
 * Z3. What is refused after its signature is on record with its code; when it is too much, its counts are.
 * Z4. What comes behind delegations of the same node waits until they are read, and behind news of identities until that is on
 *     record, so that it may build on them at once.
 * Z5. A body that is elsewhere is fetched only for a message that was admitted. Once it is there, certificate and every check
 *     are asked again before anybody else sees it.
 */

import type { Incoming, Pay, Receiver } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { admitKey } from '../../runtime/codec/ed25519.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import type { Rate } from '../../runtime/kernel/rate.ts';
import {
  type Admitted,
  admit,
  admitEach,
  type Check,
  type EnvelopeRefusal,
  faultSince,
  type NodeView,
} from '../admit.ts';
import { isBundle } from '../bundle.ts';
import type { Claims } from '../claims.ts';
import { DELEGATIONS_MEDIA } from '../delegation/presentation.ts';
import type { Directory } from '../directory.ts';
import { decodeHead, type Kind } from '../head.ts';
import { FRESH_MS_MAX } from '../limits.ts';
import { nodeDid, type SealingNode } from '../message.ts';
import { learnPresentation } from '../presentation.ts';
import { type NodeToken, nodeToken } from '../subject.ts';
import { answerToAsk, answerToTell, JSON_MEDIA } from './bodies.ts';
import { CHUNK_COMMAND, CHUNK_MEDIA, REFERENCE_MEDIA, readChunkRequest, readReference } from './body-reference.ts';
import type { Chains } from './chains.ts';
import { type Departures, UNSHOWN } from './departures.ts';
import type { Desk } from './desk.ts';
import type { Fetches } from './fetches.ts';
import type { Heads, LogHead } from './heads.ts';
import { Inbox, incomingOf } from './inbox.ts';
import { EXCESS_ANSWER_RATE, HINT_RATE, MESSAGE_RATE, PRESENT_RATE, REFUSAL_RATE, SERVE_RATE } from './limits.ts';
import { linkEvent } from './link-events.ts';
import type { Names } from './names.ts';
import type { Peers } from './peers.ts';
import type { Recorder } from './recorder.ts';
import { Buckets, Tally } from './tally.ts';

export type ArrivalParts = {
  readonly node: SealingNode;
  readonly clock: Clock;
  readonly directory: Directory;
  readonly checks: readonly Check[];
  readonly desk: Desk;
  readonly names: Names;
  readonly peers: Peers;
  readonly heads: Heads;
  readonly recorder: Recorder;
  readonly departures: Departures;
  readonly fetches: Fetches;
  readonly receiver: Receiver;
  readonly quota?: Rate | undefined;
  readonly chains?: Chains | undefined;
  /** The statements about this agent may say where it is. */
  readonly learned: (agents: ReadonlySet<Did>) => void;
  /** A session with this node is wanted. */
  readonly want: (node: Did) => void;
  /** A node has said that it ends. */
  readonly left: (node: Did) => Promise<void>;
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
const UNANSWERED: ReadonlySet<string> = new Set([
  'body.no_room',
  'body.not_fetched',
  'body.undecipherable',
  'body.wrong_digest',
  'body.wrong_length',
  'envelope.past_deadline',
  'envelope.replayed',
  'quota.exceeded',
]);

/** A refusal that certainly has an author. */
type Blamed = Refusal & {
  readonly from: Did;
  readonly message: DigestText;
  readonly envelope: DigestText;
  readonly kind: Kind;
  readonly claims: Claims | undefined;
};

/** One message of the carrier, and how far it was taken in. */
type Heard = {
  readonly results: Iterator<Result<Admitted, EnvelopeRefusal>>;
  readonly bytes: Uint8Array;
  readonly from: NodeToken;
  readonly at: Millis;
};

/** Messages of one node that wait for what it has shown to be read: that takes milliseconds. */
const WAITING_MAX = 256;

export class Arrivals {
  readonly inbox = new Inbox();
  /** What was not authenticated, by code (Z2). */
  readonly counted = new Tally<'anybody'>();
  /** Refusals and excess that are not recorded one by one, by node (Z3). */
  readonly #uncounted = new Tally<Did>();
  readonly #parts: ArrivalParts;
  readonly #self: Did;
  readonly #view: NodeView;
  readonly #hints = new Buckets<NodeToken>(HINT_RATE);
  readonly #messages: Buckets<Did>;
  readonly #refusals = new Buckets<Did>(REFUSAL_RATE);
  readonly #shown = new Buckets<Did>(PRESENT_RATE);
  readonly #excess = new Buckets<Did>(EXCESS_ANSWER_RATE);
  readonly #served = new Buckets<Did>(SERVE_RATE);
  /** Requests whose answers are being fetched. */
  readonly #fetching = new Set<DigestText>();
  /** Z4. */
  readonly #waiting = new Map<NodeToken, Uint8Array[]>();
  isDraining = false;

  constructor(parts: ArrivalParts) {
    this.#parts = parts;
    this.#self = nodeDid(parts.node.pair.publicKey);
    this.#messages = new Buckets(parts.quota ?? MESSAGE_RATE);
    const { node, directory, desk, peers, departures, receiver, checks } = parts;
    this.#view = {
      key: node.pair.publicKey,
      epoch: node.epoch,
      session: (id) => peers.sessions.find(id),
      sessionless: undefined,
      isHosted: (agent) => {
        const shown = desk.find(agent);
        return shown !== undefined && receiver.hosts(shown.name);
      },
      subject: (did) => directory.subject(did),
      certificate: (certificate) => directory.certificate(certificate),
      isWithdrawn: (certificate) => directory.isWithdrawn(certificate),
      awaited: (request) => departures.pending.find(request),
      checks,
    };
  }

  /** Takes one message of the carrier: a frame or a bundle. */
  hear(bytes: Uint8Array, from: NodeToken): void {
    const waiting = this.#waiting.get(from);
    if (waiting === undefined) this.#hearNow(bytes, from);
    else if (waiting.length < WAITING_MAX) waiting.push(bytes);
    else this.counted.count('anybody', 'quota.exceeded');
  }

  #hearNow(bytes: Uint8Array, from: NodeToken): void {
    const heard = this.#open(bytes, from);
    const reading = this.#go(heard);
    if (reading === undefined) return;
    this.#waiting.set(from, []);
    this.#parts.begin(this.#hearAfter(reading, heard));
  }

  #open(bytes: Uint8Array, from: NodeToken): Heard {
    const at = this.#parts.clock.now();
    const results = isBundle(bytes)
      ? admitEach(bytes, at, this.#view, from)
      : [admit(bytes, at, this.#view, from)].values();
    return { results, bytes, from, at };
  }

  /** Takes one envelope after the other, until there are delegations to be read (Z4). */
  #go({ results, bytes, from, at }: Heard): Promise<void> | undefined {
    for (let next = results.next(); next.done !== true; next = results.next()) {
      const reading = next.value.ok ? this.#takeIn(next.value.value, at) : undefined;
      if (!next.value.ok) this.#turnAway(next.value.error, bytes, from, at);
      if (reading !== undefined) return reading;
    }
    return undefined;
  }

  /** The rest of a message, and what came after it. */
  async #hearAfter(first: Promise<void>, heard: Heard): Promise<void> {
    const { from } = heard;
    const waiting = this.#waiting.get(from) ?? [];
    let reading: Promise<void> | undefined = first;
    let current = heard;
    while (reading !== undefined) {
      await reading;
      reading = this.#go(current);
      while (reading === undefined) {
        const bytes = waiting.shift();
        if (bytes === undefined) break;
        current = this.#open(bytes, from);
        reading = this.#go(current);
      }
    }
    this.#waiting.delete(from);
  }

  /** What was refused or left out in bulk, to be recorded. */
  tick(): void {
    const events = this.#uncounted
      .drain()
      .map(([node, counts]) => linkEvent('message.refused_many', node, { node, counts }));
    if (events.length > 0) this.#parts.begin(this.#parts.recorder.record(events));
  }

  /** What it promises is to be waited for (Z4). */
  #takeIn(admitted: Admitted, at: Millis): Promise<void> | undefined {
    const { claims, head, message, envelope } = admitted;
    const from = admitted.session?.peerDid ?? nodeDid(admitted.node);
    const blame = (refusal: Refusal): void =>
      this.#refuse({ ...refusal, from, message, envelope, kind: head.kind, claims }, at);
    if (!this.#messages.take(from, at)) {
      this.#uncounted.count(from, 'quota.exceeded');
      return undefined;
    }
    const heard = this.#parts.heads.hear(from, claims.head);
    if (!heard.ok) {
      const { heard: first, said } = heard.error;
      if (this.#parts.heads.mayTell(from, at)) {
        this.#parts.begin(this.#parts.recorder.record([splitView(from, first, said)]));
      }
      blame({ code: 'peer.split_view', message: 'expected a head of the log that was shown before' });
      return undefined;
    }
    switch (head.kind) {
      case 'present':
        if (this.#shown.take(from, at)) return this.#learn(admitted, from, at, blame);
        this.#uncounted.count(from, 'quota.exceeded');
        break;
      case 'ask':
      case 'tell':
        if (claims.to === this.#self) this.#hearNode(admitted, from, at, blame);
        else if (claims.body.media === REFERENCE_MEDIA) this.#handOverLarge(admitted, from, at, blame);
        else this.#handOver(admitted, from, at, blame);
        break;
      case 'control':
        blame({ code: 'claims.malformed', message: 'expected nothing on the control lane' });
        break;
      default:
        if (this.#parts.fetches.hear(admitted, at)) return undefined;
        if (head.kind === 'reply' && claims.body.media === REFERENCE_MEDIA)
          this.#fetchAnswer(admitted, from, at, blame);
        else if (!this.#parts.departures.hear(admitted)) {
          blame({ code: 'answer.unexpected', message: `expected no ${head.kind} to that request` });
        }
    }
    return undefined;
  }

  #learn(
    { claims, content }: Admitted,
    from: Did,
    at: Millis,
    blame: (refusal: Refusal) => void,
  ): Promise<void> | undefined {
    if (claims.to !== this.#self || claims.command !== '/mesh/present') {
      blame({ code: 'claims.malformed', message: 'expected /mesh/present for this node' });
      return undefined;
    }
    if (claims.body.media === DELEGATIONS_MEDIA) {
      return this.#learnChains(content, at, blame);
    }
    const agents = new Set<Did>();
    for (const learned of learnPresentation(content, this.#parts.directory, at, nodeToken(from))) {
      if (learned.ok) agents.add(learned.value.about);
      else blame(learned.error);
    }
    this.#parts.learned(agents);
    // What is no news, since it was heard in another way, may be on its way to the disk still: trust reads it there.
    return this.#parts.chains?.recorded();
  }

  async #learnChains(content: Uint8Array, at: Millis, blame: (refusal: Refusal) => void): Promise<void> {
    const { chains } = this.#parts;
    for (const refused of (await chains?.learn(content, at)) ?? []) blame(refused);
    await chains?.recorded();
  }

  #hearNode(admitted: Admitted, from: Did, at: Millis, blame: (refusal: Refusal) => void): void {
    const { departures, begin, left } = this.#parts;
    const { claims, head } = admitted;
    if (head.kind === 'ask' && claims.from === from && claims.command === CHUNK_COMMAND)
      this.#serve(admitted, from, at, blame);
    else if (claims.from === from && claims.command === '/mesh/leave') begin(left(from));
    else if (claims.from === from && claims.command === '/mesh/show') departures.showAgain(from);
    else blame({ code: 'envelope.no_such_agent', message: 'expected an agent, found the node itself' });
  }

  /** A piece of what this node has lent to that one. Neither a loan that has ended nor a rate is anybody's fault. */
  #serve({ claims, content, message }: Admitted, from: Did, at: Millis, blame: (refusal: Refusal) => void): void {
    const wanted = readChunkRequest(content);
    if (!wanted.ok) {
      blame(wanted.error);
      return;
    }
    const { departures } = this.#parts;
    const isSlow = !this.#served.take(from, at);
    const chunk = isSlow ? undefined : departures.loans.chunk(from, wanted.value);
    const code = isSlow ? 'answer.busy' : 'body.not_lent';
    const said =
      chunk === undefined
        ? ({ kind: 'failure', answer: { code, request: message }, media: JSON_MEDIA, content: NOTHING } as const)
        : ({ kind: 'reply', answer: { request: message }, media: CHUNK_MEDIA, content: chunk } as const);
    const deadline = Math.min(claims.deadline, at + FRESH_MS_MAX) as Millis;
    departures.say(from, { ...said, command: CHUNK_COMMAND, deadline, lane: 'body' });
  }

  /** Z5. */
  #handOverLarge(admitted: Admitted, from: Did, at: Millis, blame: (refusal: Refusal) => void): void {
    const reference = readReference(admitted.content);
    if (!reference.ok) {
      blame(reference.error);
      return;
    }
    if (!this.#beginOrAnswer(admitted, from)) return;
    const { fetches, clock } = this.#parts;
    const { node: key, claims } = admitted;
    const work = async (): Promise<void> => {
      const fetched = await fetches.fetch({ did: from, key }, reference.value, claims.deadline, at);
      const now = clock.now();
      const whole = fetched.ok ? this.#checkWhole(admitted, fetched.value, now) : fetched;
      if (whole.ok) {
        this.#deliver(whole.value, from, now, blame);
        return;
      }
      this.inbox.end(admitted);
      blame(whole.error);
    };
    this.#parts.begin(work());
  }

  /** The answer to a request of this node, of which the rest is elsewhere. */
  #fetchAnswer(admitted: Admitted, from: Did, at: Millis, blame: (refusal: Refusal) => void): void {
    const { departures, fetches, clock, begin } = this.#parts;
    const { node: key, claims } = admitted;
    const request = claims.answer?.request;
    const reference = readReference(admitted.content);
    if (!reference.ok) {
      blame(reference.error);
      if (request !== undefined) departures.fail(request, reference.error.code, reference.error.message);
      return;
    }
    if (request === undefined || !departures.isOpen(request) || this.#fetching.has(request)) return;
    this.#fetching.add(request);
    const work = async (): Promise<void> => {
      const fetched = await fetches.fetch({ did: from, key }, reference.value, claims.deadline, at);
      this.#fetching.delete(request);
      const whole = fetched.ok ? this.#checkWhole(admitted, fetched.value, clock.now()) : fetched;
      if (whole.ok) departures.hear(whole.value);
      else blame(whole.error);
      // What is not answered is asked again, and so is what may come another time.
      if (!whole.ok && !UNANSWERED.has(whole.error.code))
        departures.fail(request, whole.error.code, whole.error.message);
    };
    begin(work());
  }

  /** The message as it would be if its envelope had had room for it. */
  #checkWhole(admitted: Admitted, content: Uint8Array, at: Millis): Result<Admitted, Refusal> {
    const { claims } = admitted;
    const body = { ...claims.body, media: JSON_MEDIA, length: content.length };
    const whole: Admitted = { ...admitted, claims: { ...claims, body }, content };
    const refusal = faultSince(whole, at, this.#view);
    return refusal === undefined ? ok(whole) : err(refusal);
  }

  #handOver(admitted: Admitted, from: Did, at: Millis, blame: (refusal: Refusal) => void): void {
    const incoming = incomingOf(admitted, this.#parts.names, at);
    if (!incoming.ok) blame(incoming.error);
    else if (this.#beginOrAnswer(admitted, from)) this.#obey(admitted, incoming.value, from, blame);
  }

  /** The same of one that is under way already. */
  #deliver(admitted: Admitted, from: Did, at: Millis, blame: (refusal: Refusal) => void): void {
    const incoming = incomingOf(admitted, this.#parts.names, at);
    if (incoming.ok) {
      this.#obey(admitted, incoming.value, from, blame);
      return;
    }
    this.inbox.end(admitted);
    blame(incoming.error);
  }

  /** Whether it is new here; `busy` where there is no room for it. */
  #beginOrAnswer(admitted: Admitted, from: Did): boolean {
    const { claims, message } = admitted;
    const begun = this.isDraining ? 'full' : this.inbox.begin(admitted);
    if (begun === 'full') {
      const busy = answerToTell({ type: 'busy', retryAfterMs: BUSY_MS });
      const agent = this.#parts.desk.find(claims.to);
      this.#parts.departures.answer({ claims, peer: from, digests: [message] }, busy, agent);
    }
    return begun === 'new';
  }

  #obey(admitted: Admitted, incoming: Incoming, from: Did, blame: (refusal: Refusal) => void): void {
    const { claims, head } = admitted;
    const { receiver, departures, chains, clock, desk } = this.#parts;
    const asked = { claims, peer: from };
    const agent = desk.find(claims.to);
    let unpaid: Refusal | undefined;
    const pay: Pay = () => {
      const paid = chains?.pay(admitted, clock.now()) ?? NOTHING_PAID;
      if (!paid.ok) unpaid = paid.error;
      return paid;
    };
    const message = { ...incoming, pay };
    const work = async (): Promise<void> => {
      try {
        const answer =
          head.kind === 'ask'
            ? answerToAsk(await receiver.answer(message))
            : answerToTell(await receiver.accept(message)); // Z1
        const digests = this.inbox.end(admitted);
        if (unpaid === undefined) departures.answer({ ...asked, digests }, answer, agent);
        else blame(unpaid);
      } finally {
        this.inbox.end(admitted);
      }
    };
    this.#parts.begin(work());
  }

  #turnAway(refusal: EnvelopeRefusal, bytes: Uint8Array, from: NodeToken, at: Millis): void {
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
    this.#refuse(refusal, at);
  }

  /** Z3. */
  #refuse(refusal: Blamed, at: Millis): void {
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
    if (UNSHOWN.has(code) || claims.to === this.#self || !this.#excess.take(from, at)) return;
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

/** Two heads of a node's log that contradict each other. */
export function splitView(node: Did, heard: LogHead, said: LogHead): ReturnType<typeof linkEvent> {
  return linkEvent('peer.split_view', node, { node, heard, said });
}

const BUSY_MS = 1_000;
const NOTHING_PAID = ok([]);
/** A failure that says no more than its code. */
const NOTHING = new Uint8Array(0);
/** Where the head of a bundle's first envelope begins. */
const BUNDLE_HEAD_AT = 72;
