/**
 * What leaves a node: requests of its agents until they are settled, and answers to others. Everything that is ready in one
 * turn of the event loop is sealed together.
 * Long because what is written, shown, sent and settled shares one state.
 *
 * W1. An outcome comes from an answer that binds the request, from the deadline, or from the node's own end; never from
 *     silence or from what anybody may have sent.
 * W2. A request that may have reached one node is never sent to another.
 * W3. Certificates are shown with the first messages that need them, in the same bundle: with requests until an answer
 *     proves that they were taken in, with answers once and whenever the peer asks to be shown again. So are delegations
 *     with requests: those that they name, and those that their sender gave to whom they are for.
 * W4. A body for which an envelope has no room is lent to the node that it is for, before the reference to it leaves, and for
 *     as long as the reference may be sent again. Requests and answers are on disk before they get here, so is what is lent.
 */

import type { Outgoing } from '../../runtime/actor/remote.ts';
import { type Cid, parseCid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { type DigestText, digestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { hasCode } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { Admitted } from '../admit.ts';
import type { Claims } from '../claims.ts';
import type { Delegation } from '../delegation/delegation.ts';
import { DELEGATIONS_MEDIA, writeAllDelegations } from '../delegation/presentation.ts';
import { DEADLINE_MS_MAX, FRESH_MS_MAX } from '../limits.ts';
import { composeMessage, type Message, nodeDid, type Said, type SealingNode } from '../message.ts';
import { Pending } from '../pending.ts';
import { PRESENTATION_MEDIA } from '../presentation.ts';
import type { Transport } from '../transport.ts';
import { writePresentations } from './announcements.ts';
import { type Answer, JSON_MEDIA, readAnswer, writeBody } from './bodies.ts';
import { digestOfBody, isLarge, REFERENCE_MEDIA, writeReference } from './body-reference.ts';
import type { Chains } from './chains.ts';
import type { Desk, Shown } from './desk.ts';
import type { LogHead } from './heads.ts';
import { ANSWERS_MAX, RESEND_MS_MIN, SETTLED_KEPT_MAX } from './limits.ts';
import { Loans } from './loans.ts';
import type { Names } from './names.ts';
import { Outbox, Request } from './outbox.ts';
import { type Parcel, pack } from './packing.ts';
import type { Peer, Peers } from './peers.ts';
import { commandOf } from './words.ts';

export type DepartureParts = {
  readonly node: SealingNode;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly desk: Desk;
  readonly names: Names;
  readonly peers: Peers;
  readonly chains?: Chains | undefined;
  /** As `LinkParts` has it. */
  readonly batchMax: number;
  /** This node's log as it is now. */
  readonly head: () => LogHead;
  /** A session with this node is wanted. */
  readonly want: (node: Did) => void;
  /** Something is ready: `flush` is to be called in the next turn. */
  readonly ready: () => void;
};

type Reply = {
  readonly peer: Did;
  readonly message: Message;
  readonly by: Shown | undefined;
  readonly lane?: Parcel['lane'];
};

/** Word from one node to another, for none of its agents. */
export type NodeWord = {
  readonly kind: Message['kind'];
  readonly command: string;
  readonly media: string;
  readonly content: Uint8Array;
  readonly deadline: Millis;
  readonly answer?: Claims['answer'];
  readonly lane?: Parcel['lane'];
};

/** What differs between one message and another. */
type Words = {
  readonly [K in 'answer' | 'chain' | 'contract' | 'correlation' | 'delegation' | 'id']?: Claims[K] | undefined;
} & {
  readonly cause?: Outgoing['cause'] | undefined;
  readonly command: string;
};

/** What whoever was shown too little says. He is shown again; that is no outcome. */
export const UNSHOWN: ReadonlySet<string> = new Set([
  'certificate.unknown',
  'certificate.expired',
  'delegation.unknown',
  'did.unknown',
]);

export class Departures {
  readonly pending = new Pending();
  readonly outbox: Outbox;
  readonly loans = new Loans();
  readonly #parts: DepartureParts;
  readonly #self: Did;
  readonly #byDigest = new Map<DigestText, Request>();
  readonly #settled = new Set<DigestText>();
  #replies: Reply[] = [];

  constructor(parts: DepartureParts) {
    this.#parts = parts;
    this.#self = nodeDid(parts.node.pair.publicKey);
    this.outbox = new Outbox(parts.random);
  }

  get replies(): number {
    return this.#replies.length;
  }

  /** Sends it until it is settled (O1). Rejects with the signal's reason when it aborts; it may then still happen. */
  send(outgoing: Outgoing, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(outcome);
      };
      const request = new Request(outgoing, this.#parts.clock.now(), settle);
      const onAbort = (): void => {
        this.#end(request);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (this.outbox.add(request)) this.#parts.ready();
      else settle({ type: 'busy', retryAfterMs: RESEND_MS_MIN });
    });
  }

  /** Queues the answer to a request, under each digest under which it came. `by`: the agent; the node itself if absent. */
  answer(
    asked: { readonly claims: Claims; readonly peer: Did; readonly digests: readonly DigestText[] },
    answer: Answer,
    by: Shown | undefined,
  ): void {
    const { claims, peer, digests } = asked;
    const { kind, code, content } = answer;
    const at = this.#parts.clock.now();
    const deadline = Math.min(claims.deadline, at + FRESH_MS_MAX) as Millis;
    const lent = isLarge(content) ? digestOfBody(content) : undefined;
    const media = lent === undefined ? JSON_MEDIA : REFERENCE_MEDIA;
    const said = lent === undefined ? content : writeReference(content);
    for (const request of digests) {
      if (at > deadline || this.#replies.length >= ANSWERS_MAX) return;
      // Whoever gets no answer asks again, and there may be room then.
      if (lent !== undefined && !this.loans.lend(peer, { digest: lent, content }, request, at)) return;
      const bound = code === undefined ? { request } : { code, request };
      const { command, correlation } = claims;
      const written = this.#claims(by, claims.from, deadline, { answer: bound, command, correlation });
      const message = composeMessage({ kind, claims: written, media, content: said }, this.#parts.random);
      this.#replies.push({ peer, message, by });
    }
    this.#parts.ready();
  }

  /** Word from node to node that awaits no answer. */
  tellNode(peer: Did, command: string): void {
    const deadline = (this.#parts.clock.now() + FRESH_MS_MAX) as Millis;
    const content = unwrap(writeBody(null), 'null is data');
    this.say(peer, { kind: 'tell', command, media: JSON_MEDIA, content, deadline });
  }

  /** Any word from node to node. */
  say(peer: Did, { kind, command, media, content, deadline, answer, lane }: NodeWord): Message {
    const claims = this.#claims(undefined, peer, deadline, { answer, command });
    const message = composeMessage({ kind, claims, media, content }, this.#parts.random);
    this.sayAgain(peer, message, lane);
    return message;
  }

  sayAgain(peer: Did, message: Message, lane: Parcel['lane']): void {
    const isQueued = this.#replies.some((reply) => reply.message === message);
    if (isQueued || this.#replies.length >= ANSWERS_MAX) return;
    this.#replies.push({ peer, message, by: undefined, lane });
    this.#parts.ready();
  }

  /** An answer was admitted: what it means for its request. False if its kind does not fit. */
  hear({ claims, head, content, session }: Admitted): boolean {
    const request = claims.answer && this.#byDigest.get(claims.answer.request);
    if (request === undefined) return false;
    const { kind } = request.outgoing;
    if (head.kind !== 'failure' && (head.kind === 'reply') !== (kind === 'ask')) return false;
    const at = this.#parts.clock.now();
    const peer = session && this.#parts.peers.find(session.peerDid);
    const shown = this.#parts.desk.named(request.outgoing.from.agent);
    if (claims.answer?.code !== undefined && UNSHOWN.has(claims.answer.code)) {
      if (shown !== undefined) peer?.known.delete(shown.certificate);
      for (const delegation of request.shown) peer?.known.delete(delegation);
      if (request.attempts <= 1) this.outbox.now(request);
      return true;
    }
    if (shown !== undefined) peer?.known.add(shown.certificate);
    for (const delegation of request.shown) peer?.known.add(delegation);
    const outcome = readAnswer(head.kind, content);
    const isFinal = kind === 'ask' || ['ok', 'denied', 'invalid'].includes(outcome.type);
    if (isFinal) this.#settle(request, outcome);
    else if (outcome.type === 'busy') this.outbox.later(request, at, Math.max(outcome.retryAfterMs, 1));
    return true;
  }

  /** An answer could not be believed for want of a certificate: its sender is to show it, and to answer again. */
  demandShow(peer: Did, request: DigestText | undefined): void {
    const asked = request === undefined ? undefined : this.#byDigest.get(request);
    if (asked !== undefined) this.outbox.now(asked);
    this.tellNode(peer, '/mesh/show');
  }

  /** A node has asked to be shown everything again. */
  showAgain(node: Did): void {
    const peer = this.#parts.peers.find(node);
    peer?.known.clear();
    peer?.shown.clear();
  }

  /** Whether the request was settled lately, so that an answer to it is a repetition. */
  wasSettled(request: DigestText): boolean {
    return this.#settled.has(request);
  }

  /** Whether an answer to it is still awaited. */
  isOpen(request: DigestText): boolean {
    return this.#byDigest.has(request);
  }

  /** Its answer can never be had: what it says was found to be wrong. */
  fail(digest: DigestText, code: string, message: string): void {
    const request = this.#byDigest.get(digest);
    if (request !== undefined) this.#settle(request, { type: 'failed', code, message });
  }

  /** No answer to this is awaited any more: those that come are repetitions. */
  forget(digest: DigestText): void {
    this.pending.settle(digest);
    this.#settled.add(digest);
    const [oldest] = this.#settled;
    if (this.#settled.size > SETTLED_KEPT_MAX && oldest !== undefined) this.#settled.delete(oldest);
  }

  /** What has become due, or is over. */
  tick(at: Millis): void {
    this.loans.expire(at);
    for (const request of this.outbox.expired(at)) {
      this.#settle(request, { type: 'timeout', withinMs: Math.max(0, request.outgoing.deadline - request.begun) });
    }
    this.outbox.tick(at);
    if (this.outbox.isReady) this.#parts.ready();
  }

  /** A node has said that it ends: what it was asked is in doubt. What it was told waits for it. */
  leave(node: Did): void {
    const message = 'the node that was asked has ended';
    for (const request of [...this.outbox.all()]) {
      if (request.written?.peer === node && request.outgoing.kind === 'ask') {
        this.#settle(request, { type: 'died', message });
      }
    }
  }

  /** This node ends: all that is not settled is in doubt. */
  end(): void {
    for (const request of [...this.outbox.all()]) {
      const isAsk = request.outgoing.kind === 'ask';
      this.#settle(
        request,
        isAsk ? { type: 'died', message: 'this node ends' } : { type: 'busy', retryAfterMs: 1_000 },
      );
    }
  }

  /** Seals and sends what is ready. */
  flush(): void {
    const at = this.#parts.clock.now();
    const parcels: Parcel[] = [];
    const unshown = new Map<Parcel['session'], Set<Shown>>();
    const chains = new Map<Parcel['session'], Map<Cid, Delegation>>();
    const show = (session: Parcel['session'], agent: Shown): void => {
      const agents = unshown.get(session) ?? new Set();
      unshown.set(session, agents.add(agent));
    };
    for (const request of this.outbox.takeReady()) {
      const written = this.#write(request, at);
      if (written === undefined) continue;
      const way = this.#way(written.peer, at);
      this.outbox.sent(request, at);
      if (way === undefined || !this.#isLent(request, at)) continue;
      if (!way.peer.known.has(written.by.certificate)) show(way.session, written.by);
      for (const link of this.#unknown(request, written.to, way.peer)) {
        chains.set(way.session, (chains.get(way.session) ?? new Map<Cid, Delegation>()).set(link.cid, link));
      }
      request.isSealed = true;
      parcels.push({ message: written.message, session: way.session });
    }
    const waiting: Reply[] = [];
    for (const reply of this.#replies) {
      if (at > reply.message.deadline) continue;
      const way = this.#way(reply.peer, at);
      if (way === undefined) {
        waiting.push(reply);
        continue;
      }
      const { by } = reply;
      if (by !== undefined && !way.peer.shown.has(by.certificate)) show(way.session, by);
      if (by !== undefined) way.peer.shown.add(by.certificate);
      parcels.push({ message: reply.message, session: way.session, lane: reply.lane });
    }
    this.#replies = waiting;
    const shown = [...unshown].flatMap(([session, agents]) =>
      this.#present(session, PRESENTATION_MEDIA, writePresentations([...agents]), at),
    );
    const given = [...chains].flatMap(([session, links]) =>
      this.#present(session, DELEGATIONS_MEDIA, writeAllDelegations([...links.values()]), at),
    );
    this.#carry([...shown, ...given, ...parcels], at);
  }

  #carry(parcels: readonly Parcel[], at: Millis): void {
    const { node, transport, batchMax } = this.#parts;
    const pieces = parcels.filter(({ lane }) => lane !== undefined);
    const others = pieces.length === 0 ? parcels : parcels.filter(({ lane }) => lane === undefined);
    const bounds = { at, bytesMax: transport.messageBytesMax, batchMax };
    const packets =
      pieces.length === 0 ? pack(others, node, bounds) : [...pack(others, node, bounds), ...pack(pieces, node, bounds)];
    for (const { lane, to, bytes } of packets) {
      try {
        transport.send(lane, to, bytes);
      } catch (error) {
        if (!hasCode(error, 'transport.closed')) throw error;
      }
    }
  }

  #way(peer: Did, at: Millis): { readonly peer: Peer; readonly session: Parcel['session'] } | undefined {
    const way = this.#parts.peers.reachable(peer, at);
    if (way === undefined) this.#parts.want(peer);
    return way;
  }

  /** W3. */
  #present(session: Parcel['session'], media: string, contents: readonly Uint8Array[], at: Millis): readonly Parcel[] {
    const deadline = (at + FRESH_MS_MAX) as Millis;
    return contents.map((content) => {
      const claims = this.#claims(undefined, session.peerDid, deadline, { command: '/mesh/present' });
      const present = { kind: 'present', claims, media, content } as const;
      return { session, message: composeMessage(present, this.#parts.random) };
    });
  }

  /** Chains, root first, that the peer has not certainly taken in (W3). */
  #unknown(request: Request, to: Did, peer: Peer): readonly Delegation[] {
    const chains = this.#parts.chains?.toShow(request.outgoing, to) ?? [];
    if (chains.length === 0) return [];
    for (const { cid } of chains.flat()) request.shown.add(cid);
    return chains.filter((chain) => chain.some(({ cid }) => !peer.known.has(cid))).flat();
  }

  /** The request as claims for the node where its receiver is; settles it where that can never be. */
  #write(request: Request, at: Millis): { message: Message; peer: Did; to: Did; by: Shown } | undefined {
    const { outgoing, written } = request;
    const { desk, names } = this.#parts;
    const by = desk.named(outgoing.from.agent);
    if (by === undefined) return this.#refuse(request, 'identity.missing', `${outgoing.from.agent} has no identity`);
    if (written !== undefined && (request.isSealed || names.find(outgoing.to, at)?.node === written.peer)) {
      if (written.until > at) return { ...written, by };
    }
    const place = names.find(outgoing.to, at);
    if (place === undefined || (request.isSealed && place.node !== written?.peer)) {
      if (outgoing.kind === 'ask' && !request.isSealed) {
        this.#settle(request, { type: 'died', message: `no node is known that hosts ${outgoing.to}` });
      }
      this.outbox.sent(request, at);
      return undefined;
    }
    const command = commandOf(outgoing.contract, outgoing.name);
    const chain = outgoing.chain.map((name) => names.didOf(name, at));
    const content = writeBody(outgoing.body);
    if (command === undefined) return this.#refuse(request, 'name.unspeakable', `no command spells ${outgoing.name}`);
    if (!chain.every((did) => did !== undefined)) {
      return this.#refuse(request, 'name.missing', 'an agent of the call chain is not known here');
    }
    if (!content.ok) {
      const { code, message } = content.error;
      this.#settle(request, { type: 'invalid', code, message });
      return undefined;
    }
    const deadline = Math.min(outgoing.deadline, at + DEADLINE_MS_MAX) as Millis;
    if (this.pending.isFull) {
      this.outbox.later(request, at, RESEND_MS_MIN);
      return undefined;
    }
    const { cause, correlation, message: id, delegations = [] } = outgoing;
    const delegation = delegations.map((text) => unwrap(parseCid(text), 'the content id of a delegation on record'));
    const contract = place.contract.digest;
    const said = { cause, chain, command, contract, correlation, delegation, id };
    const claims = this.#claims(by, place.agent, deadline, said);
    const mustLend = isLarge(content.value);
    const media = mustLend ? REFERENCE_MEDIA : JSON_MEDIA;
    const body = mustLend ? writeReference(content.value) : content.value;
    if (mustLend) request.lent = { digest: digestOfBody(content.value), peer: place.node };
    const message = composeMessage({ kind: outgoing.kind, claims, media, content: body }, this.#parts.random);
    const digest = digestText(message.digest);
    this.pending.await(digest, { node: place.key, asked: place.agent, asker: by.did, deadline });
    request.digests.push(digest);
    this.#byDigest.set(digest, request);
    request.written = { message, peer: place.node, to: place.agent, until: (by.expires - FRESH_MS_MAX) as Millis };
    return { message, peer: place.node, to: place.agent, by };
  }

  /** W4. False, where there is no room for now. */
  #isLent({ lent, outgoing }: Request, at: Millis): boolean {
    if (lent === undefined || this.loans.renew(lent.peer, lent.digest, outgoing.message, at)) return true;
    const content = unwrap(writeBody(outgoing.body), 'it was written before');
    return this.loans.lend(lent.peer, { digest: lent.digest, content }, outgoing.message, at);
  }

  /** Claims of this node or of an agent of it. */
  #claims(by: Shown | undefined, to: Did, deadline: Millis, words: Words): Said {
    const { clock, random } = this.#parts;
    const { answer, cause, chain = [], command, contract, correlation, delegation = [], id } = words;
    return {
      answer,
      cause: cause && { index: cause.index, leaf: cause.leaf },
      certificate: by?.certificate,
      chain,
      command,
      contract,
      correlation: correlation ?? newEventId(clock, random),
      deadline,
      delegation,
      from: by?.did ?? this.#self,
      head: this.#parts.head(),
      id: id ?? newEventId(clock, random),
      to,
    };
  }

  #refuse(request: Request, code: string, message: string): undefined {
    this.#settle(request, { type: 'denied', code, message });
  }

  #settle(request: Request, outcome: Outcome): void {
    if (request.isOver) return;
    this.#end(request);
    request.settle(outcome);
  }

  #end(request: Request): void {
    this.outbox.remove(request);
    const { lent, outgoing } = request;
    if (lent !== undefined) this.loans.end(lent.peer, lent.digest, outgoing.message);
    for (const digest of request.digests) {
      this.forget(digest);
      this.#byDigest.delete(digest);
    }
    if (this.outbox.isReady) this.#parts.ready();
  }
}
