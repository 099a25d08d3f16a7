/**
 * What arrives at a node, once it has been admitted or refused: handed to the agents, settled, learned, or put on record.
 *
 * Z1. Nothing is answered before what it says is on disk: an acceptance by the receiver, a refusal by `refusals.ts`.
 * Z2. What anybody may have sent is counted; at most, and seldom, it makes this node say hello to the one that it names.
 * Z3. What is refused after its signature is on record with its code; when it is too much, its counts are.
 * Z4. What comes behind delegations of the same node waits until they are read, and behind news of identities until that is on
 *     record, so that it may build on them at once.
 * Z5. A body that is elsewhere is fetched only for a message that was admitted. Once it is there, certificate and every check
 *     are asked again before anybody else sees it.
 */

import type { Incoming, Pay, Receiver } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import type { Rate } from '../../runtime/kernel/rate.ts';
import { type Admitted, admit, admitEach, type Check, type EnvelopeRefusal, type NodeView } from '../admit.ts';
import { isBundle } from '../bundle.ts';
import { DELEGATIONS_MEDIA } from '../delegation/presentation.ts';
import type { Directory } from '../directory.ts';
import { nodeDid, type SealingNode } from '../message.ts';
import { learnPresentation } from '../presentation.ts';
import { type NodeToken, nodeToken } from '../subject.ts';
import { answerToAsk, answerToTell } from './bodies.ts';
import { CHUNK_COMMAND, REFERENCE_MEDIA, readReference } from './body-reference.ts';
import type { Chains } from './chains.ts';
import type { Departures } from './departures.ts';
import type { Desk } from './desk.ts';
import type { Fetches } from './fetches.ts';
import type { Heads, LogHead } from './heads.ts';
import { Inbox, incomingOf } from './inbox.ts';
import { LargeBodies } from './large-bodies.ts';
import { BUSY_MS, ENVELOPES_PER_TURN, MESSAGE_RATE, PRESENT_RATE } from './limits.ts';
import { linkEvent } from './link-events.ts';
import type { Names } from './names.ts';
import type { Peers } from './peers.ts';
import type { Recorder } from './recorder.ts';
import { Refusals } from './refusals.ts';
import { Buckets } from './tally.ts';

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
  /** The next turn of the event loop. */
  readonly nextTurn: () => Promise<void>;
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
  readonly refusals: Refusals;
  readonly #parts: ArrivalParts;
  readonly #self: Did;
  readonly #view: NodeView;
  readonly #messages: Buckets<Did>;
  readonly #bodies: LargeBodies;
  readonly #shown = new Buckets<Did>(PRESENT_RATE);
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
    this.refusals = new Refusals({ ...parts, self: this.#self });
    this.#bodies = new LargeBodies({ ...parts, view: this.#view });
  }

  /** Takes one message of the carrier: a frame or a bundle. Where that takes several turns of the event loop (V3), what it
   *  gives is to be awaited before the next one. */
  hear(bytes: Uint8Array, from: NodeToken): Promise<void> | undefined {
    const waiting = this.#waiting.get(from);
    if (waiting === undefined) return this.#hearNow(bytes, from);
    if (waiting.length < WAITING_MAX) waiting.push(bytes);
    else this.refusals.counted.count('anybody', 'quota.exceeded');
    return undefined;
  }

  #hearNow(bytes: Uint8Array, from: NodeToken): Promise<void> | undefined {
    const heard = this.#open(bytes, from);
    const reading = this.#go(heard);
    if (reading !== 'more') {
      this.#read(reading, heard);
      return undefined;
    }
    const rest = async (): Promise<void> => {
      let end: typeof reading | Promise<void> | undefined = reading;
      while (end === 'more') {
        await this.#parts.nextTurn();
        end = this.#go(heard);
      }
      this.#read(end, heard);
    };
    return rest();
  }

  #read(reading: Promise<void> | undefined, heard: Heard): void {
    if (reading === undefined) return;
    this.#waiting.set(heard.from, []);
    this.#parts.begin(this.#hearAfter(reading, heard));
  }

  #open(bytes: Uint8Array, from: NodeToken): Heard {
    const at = this.#parts.clock.now();
    const results = isBundle(bytes)
      ? admitEach(bytes, at, this.#view, from)
      : [admit(bytes, at, this.#view, from)].values();
    return { results, bytes, from, at };
  }

  /** Takes one envelope after the other, until there are delegations to be read (Z4), or more than one turn may hold. */
  #go({ results, bytes, from, at }: Heard): Promise<void> | 'more' | undefined {
    let left = ENVELOPES_PER_TURN;
    for (let next = results.next(); next.done !== true; next = results.next()) {
      const reading = next.value.ok ? this.#takeIn(next.value.value, at) : undefined;
      if (!next.value.ok) this.refusals.turnAway(next.value.error, bytes, from, at);
      if (reading !== undefined) return reading;
      left -= 1;
      if (left === 0) return 'more';
    }
    return undefined;
  }

  /** The rest of a message, and what came after it. */
  async #hearAfter(first: Promise<void>, heard: Heard): Promise<void> {
    const { from } = heard;
    const waiting = this.#waiting.get(from) ?? [];
    let reading: Promise<void> | 'more' | undefined = first;
    let current = heard;
    while (reading !== undefined) {
      await (reading === 'more' ? this.#parts.nextTurn() : reading);
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

  /** What it promises is to be waited for (Z4). */
  #takeIn(admitted: Admitted, at: Millis): Promise<void> | undefined {
    const { claims, head, message, envelope } = admitted;
    const from = admitted.session?.peerDid ?? nodeDid(admitted.node);
    const blame = (refusal: Refusal): void =>
      this.refusals.refuse({ ...refusal, from, message, envelope, kind: head.kind, claims }, at);
    if (!this.#messages.take(from, at)) {
      this.refusals.leaveOut(from);
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
        this.refusals.leaveOut(from);
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
          this.#bodies.fetchAnswer(admitted, from, at, blame);
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
      this.#bodies.serve(admitted, from, at, blame);
    else if (claims.from === from && claims.command === '/mesh/leave') begin(left(from));
    else if (claims.from === from && claims.command === '/mesh/show') departures.showAgain(from);
    else blame({ code: 'envelope.no_such_agent', message: 'expected an agent, found the node itself' });
  }

  /** Z5. */
  #handOverLarge(admitted: Admitted, from: Did, at: Millis, blame: (refusal: Refusal) => void): void {
    const reference = readReference(admitted.content);
    if (!reference.ok) {
      blame(reference.error);
      return;
    }
    if (!this.#beginOrAnswer(admitted, from)) return;
    const work = async (): Promise<void> => {
      const whole = await this.#bodies.fetch(admitted, reference.value, from, at);
      if (whole.ok) {
        this.#deliver(whole.value, from, this.#parts.clock.now(), blame);
        return;
      }
      this.inbox.end(admitted);
      blame(whole.error);
    };
    this.#parts.begin(work());
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
}

/** Two heads of a node's log that contradict each other. */
export function splitView(node: Did, heard: LogHead, said: LogHead): ReturnType<typeof linkEvent> {
  return linkEvent('peer.split_view', node, { node, heard, said });
}

const NOTHING_PAID = ok([]);
