/**
 * The loop of a node: it ties carrier, handshakes, sessions, directory, admission, log and agents together. What it decides
 * is in the files beside this one; this one waits, sends, and keeps their time.
 * Long because it names all of them.
 *
 * V1. It hosts what `host` was last given, and says so to all: at once, when it changes, and again and again.
 * V2. It waits for nobody's answer: what is not answered is sent again, and what nobody wants any more is forgotten.
 * V3. Between groups of arrivals the event loop gets its turn, so that writes and sends overlap with signatures.
 * V4. When it cannot record, it ends: `ended` says why.
 */
import type { Outgoing, Receiver, Remote } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import { assert } from '../../runtime/core/assert.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { toBase64url } from '../../runtime/core/bytes.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError, hasCode } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { Rate } from '../../runtime/kernel/rate.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import type { Check } from '../admit.ts';
import { Directory } from '../directory.ts';
import { type Encryption, stepOf } from '../handshake.ts';
import { SEAL_BATCH_MAX } from '../limits.ts';
import { nodeDid, type SealingNode } from '../message.ts';
import type { Session } from '../session.ts';
import { ALL, type NodeToken } from '../subject.ts';
import type { Arrival, Transport } from '../transport.ts';
import { readAnnouncement, writeAnnouncements } from './announcements.ts';
import { Arrivals, splitView } from './arrivals.ts';
import type { Chains } from './chains.ts';
import { Departures } from './departures.ts';
import { Desk, type Identities } from './desk.ts';
import { askForChunks, Fetches } from './fetches.ts';
import { Heads, type LogHead } from './heads.ts';
import { ANNOUNCE_MS, SWEEP_MS, TICK_MS } from './limits.ts';
import { linkEvent } from './link-events.ts';
import { Listening } from './listening.ts';
import { OwnHead, recallHeads } from './log-heads.ts';
import { Meetings, type Saying } from './meeting.ts';
import { Names } from './names.ts';
import { Peers } from './peers.ts';
import { Recorder } from './recorder.ts';

export type LinkParts = {
  /** The node's message key and its boot epoch, drawn anew at each start. */
  readonly node: SealingNode;
  readonly transport: Transport;
  readonly log: EventLog;
  readonly identities: Identities;
  readonly clock: Clock;
  readonly random: Random;
  /** The next turn of the event loop. */
  readonly nextTurn: () => Promise<void>;
  /** Whether this node talks with that one at all. */
  readonly mayMeet: (node: Did) => boolean;
  /** Whether an agent's word that it is at that node is taken; default: always. */
  readonly mayHost?: (node: Did, agent: Did) => boolean;
  /** Whether bodies are encrypted; `offered` if absent: wherever the other side can. */
  readonly encryption?: Encryption;
  /** Revocation, delegation, trust: asked of every envelope, in this order. */
  readonly checks?: readonly Check[];
  /** The delegations of its agents; without them messages name none. */
  readonly chains?: Chains;
  /** What is known of identities; one of the link's own if absent. */
  readonly directory?: Directory;
  /** Messages under one signature, 1 to SEAL_BATCH_MAX, which is the default; with 1 each has its own. */
  readonly batchMax?: number;
  /** How many signed messages of one node are looked at. */
  readonly quota?: Rate;
  /** Whether somebody else says when this node is out of reach (`lose`). The link judges by silence where nobody does. */
  readonly isFollowed?: (node: Did) => boolean;
  /** What arrived and is none of the link's: other heartbeats, revocations, control. */
  readonly other?: (arrival: Extract<Arrival, { type: 'message' }>) => void;
};

/** What is under way, and what was counted since the start. */
export type LinkStats = {
  readonly peers: number;
  readonly requests: number;
  readonly underWay: number;
  readonly dropped: number;
  /** Bytes set aside for bodies that are being fetched, and kept for others that fetch. */
  readonly fetching: number;
  readonly lent: number;
  /** By code; anybody may have sent it. */
  readonly unauthenticated: { readonly [code: string]: number };
};

export class MeshLink implements Remote, AsyncDisposable {
  readonly did: Did;
  readonly directory: Directory;
  readonly #parts: LinkParts;
  readonly #desk: Desk;
  readonly #names: Names;
  readonly #peers = new Peers();
  readonly #heads = new Heads();
  readonly #meetings: Meetings;
  readonly #recorder: Recorder;
  readonly #departures: Departures;
  readonly #fetches: Fetches;
  readonly #listening: Listening;
  readonly #own: OwnHead;
  readonly #stopping = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #arrivals: Arrivals | undefined;
  #receiver: Receiver | undefined;
  #announcements: readonly Uint8Array[] = [];
  #announceDue = 0;
  #secondDue = 0;
  #sweepDue = 0;
  #isFlushing = false;
  #working = 0;
  #isStopped = false;

  constructor(parts: LinkParts) {
    const { node, log, clock, random, transport, identities, batchMax = SEAL_BATCH_MAX } = parts;
    const isBatch = Number.isInteger(batchMax) && batchMax >= 1 && batchMax <= SEAL_BATCH_MAX;
    assert(isBatch, 'MeshLink: 1 to SEAL_BATCH_MAX messages to a signature');
    this.#parts = parts;
    this.did = nodeDid(node.pair.publicKey);
    this.directory = parts.directory ?? new Directory();
    this.#own = new OwnHead(log);
    this.#desk = new Desk(identities, { did: this.did, epoch: node.epoch });
    this.#names = new Names((name) => this.#desk.named(name)?.did);
    const encryption = parts.encryption ?? 'offered';
    const terms = () => ({ contracts: this.#contracts(), encryption, head: this.#own.now() });
    this.#meetings = new Meetings({ node, terms, mayMeet: parts.mayMeet, random });
    this.#recorder = new Recorder({ log, clock, random });
    const { directory } = this;
    this.#listening = new Listening({ ...parts, directory, names: this.#names });
    this.#departures = new Departures({
      ...{ node, transport, clock, random, desk: this.#desk, names: this.#names, peers: this.#peers },
      chains: parts.chains,
      batchMax,
      head: () => this.#own.now(),
      want: (peer) => this.#want(peer),
      ready: () => this.#flushSoon(),
    });
    this.#fetches = new Fetches(askForChunks(this.#departures, this.did));
  }

  /** Resolves when the link has ended: rejects if it could not go on (V4). */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get stats(): LinkStats {
    return {
      peers: this.#peers.all().length,
      requests: this.#departures.outbox.size,
      underWay: this.#arrivals?.inbox.size ?? 0,
      dropped: this.#parts.transport.dropped,
      fetching: this.#fetches.bytes,
      lent: this.#departures.loans.bytes,
      unauthenticated: this.#arrivals?.refusals.counted.of('anybody') ?? {},
    };
  }

  /** Begins to listen, and to speak for these agents. Once. */
  start(receiver: Receiver, agents: readonly string[]): void {
    const { node, clock, chains, checks = [], quota, log, nextTurn } = this.#parts;
    recallHeads(log, this.#heads);
    this.#receiver = receiver;
    this.#arrivals = new Arrivals({
      ...{ node, clock, checks, quota, receiver, directory: this.directory, desk: this.#desk, names: this.#names },
      chains,
      ...{ peers: this.#peers, heads: this.#heads, recorder: this.#recorder },
      ...{ departures: this.#departures, fetches: this.#fetches },
      learned: (found) => this.#record(this.#listening.place(found, clock.now())),
      want: (peer) => this.#want(peer),
      left: (peer) => this.#left(peer),
      begin: (work) => this.#begin(work),
      nextTurn,
    });
    this.host(agents);
    this.#tickSoon();
    this.#begin(this.#listen(this.#arrivals));
  }

  /** These agents, by name, and no others are here (V1). */
  host(agents: readonly string[]): void {
    if (!this.#desk.host(agents, this.#parts.clock.now())) return;
    this.#announce();
  }

  find(agent: string): { readonly contract: string; readonly did: Did } | undefined {
    const place = this.#names.find(agent, this.#parts.clock.now());
    return place === undefined ? undefined : { contract: place.contract.name, did: place.agent };
  }

  /** A node is out of reach, or has ended: nobody is meant to be there until it is heard again. */
  lose(node: Did): void {
    for (const agent of this.#listening.lose(node)) this.#receiver?.gone(agent);
  }

  /** It was not: the same life of it goes on. */
  regain(node: Did): void {
    this.#record(this.#listening.regain(node, this.#parts.clock.now()));
  }

  ask(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    return this.#send(message, signal);
  }

  tell(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    return this.#send(message, signal);
  }

  /** Takes no more, lets what is under way end for so long, says goodbye, and ends. What is then unanswered is in doubt. */
  async stop(withinMs = STOP_MS): Promise<void> {
    if (this.#isStopped) return this.ended;
    this.#isStopped = true;
    const { clock, transport, nextTurn } = this.#parts;
    const until = clock.monotonicMs() + withinMs;
    if (this.#arrivals !== undefined) this.#arrivals.isDraining = true;
    while (!this.#stopping.signal.aborted && !this.#isIdle() && clock.monotonicMs() < until) await this.#pause(TICK_MS);
    for (const { did } of this.#peers.all()) this.#departures.tellNode(did, '/mesh/leave');
    this.#departures.end();
    this.#fetches.end();
    if (!this.#stopping.signal.aborted) this.#departures.flush();
    await nextTurn();
    this.#stopping.abort();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    using _ = clock.after(FLUSH_MS_MAX, resolve);
    const flushed = transport.flush(new AbortController().signal).catch(unlessClosed);
    await Promise.race([flushed, late]);
    this.#ended.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop(0);
  }

  #send(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    if (this.#isStopped) return Promise.resolve({ type: 'busy', retryAfterMs: STOP_MS });
    return this.#departures.send(message, signal);
  }

  async #listen(arrivals: Arrivals): Promise<void> {
    const { transport, nextTurn } = this.#parts;
    for await (const group of transport.arrivals(this.#stopping.signal)) {
      for (const arrival of group) {
        const rest = this.#hear(arrival, arrivals);
        if (rest !== undefined) await rest;
      }
      await nextTurn(); // V3
    }
  }

  #hear(arrival: Arrival, arrivals: Arrivals): Promise<void> | undefined {
    if (arrival.type === 'gap') {
      this.#announce();
      for (const { did } of this.#peers.all()) this.#departures.outbox.wake(did);
      this.#flushSoon();
      return undefined;
    }
    if (arrival.type === 'absent') {
      arrivals.refusals.counted.count('anybody', 'peer.absent');
      return undefined;
    }
    const { bytes, from, lane } = arrival;
    const at = this.#parts.clock.now();
    const announcement = readAnnouncement(bytes);
    if (announcement !== undefined) {
      const { events, isNewcomer } = this.#listening.hear(announcement, from, at);
      this.#record(events);
      if (isNewcomer) for (const own of this.#announcements) this.#carry({ to: from, frame: own });
    } else if (stepOf(bytes) !== undefined) {
      this.#shake(bytes, from, at, arrivals);
    } else if (lane === 'control' || lane === 'beat' || lane === 'revoke') {
      this.#parts.other?.(arrival);
    } else {
      return arrivals.hear(bytes, from);
    }
    return undefined;
  }

  #shake(frame: Uint8Array, from: NodeToken, at: Millis, arrivals: Arrivals): void {
    const heard = this.#meetings.hear(frame, from, at);
    if (!heard.ok) {
      arrivals.refusals.counted.count('anybody', heard.error.code);
      return;
    }
    const { say, session } = heard.value;
    if (session !== undefined && !this.#meet(session, at)) return;
    if (say !== undefined) this.#carry(say);
  }

  /** A session has begun; false if its node contradicts itself. */
  #meet(session: Session, at: Millis): boolean {
    const node = session.peerDid;
    const said = session.stated.head as LogHead;
    const epoch = toBase64url(session.peerEpoch);
    const heard = this.#heads.meet(node, said, epoch);
    if (!heard.ok) {
      if (this.#heads.mayTell(node, at)) this.#record([splitView(node, heard.error.heard, said)]);
      return false;
    }
    this.#peers.adopt(session, at);
    this.#record([linkEvent('peer.met', node, { node, epoch, encrypted: session.isEncrypted, head: said })]);
    this.#departures.outbox.wake(node);
    this.#flushSoon();
    return true;
  }

  async #left(node: Did): Promise<void> {
    this.#peers.leave(node); // before anything else of its session is let in: a node can say goodbye often
    await this.#recorder.record([linkEvent('peer.left', node, { node })]);
    this.lose(node);
    this.#departures.leave(node);
  }

  #want(peer: Did): void {
    const saying = this.#meetings.want(peer, this.#parts.clock.now());
    if (saying !== undefined) this.#carry(saying);
  }

  #carry({ to, frame }: Saying): void {
    this.#transmit(() => this.#parts.transport.send('hand', to, frame));
  }

  #announce(): void {
    this.#announcements = writeAnnouncements(this.#desk.all());
    this.#announceDue = this.#parts.clock.monotonicMs() + ANNOUNCE_MS / 2 + this.#parts.random.below(ANNOUNCE_MS);
    for (const bytes of this.#announcements) this.#transmit(() => this.#parts.transport.send('beat', ALL, bytes));
  }

  #transmit(send: () => void): void {
    try {
      send();
    } catch (error) {
      unlessClosed(error);
    }
  }

  #tick(): void {
    const at = this.#parts.clock.now();
    for (const saying of this.#meetings.due(at)) this.#carry(saying);
    this.#departures.tick(at);
    this.#fetches.tick(at);
    const monotonic = this.#parts.clock.monotonicMs();
    if (monotonic >= this.#secondDue) {
      this.#secondDue = monotonic + SECOND_MS;
      this.#arrivals?.refusals.tick();
      this.#record(this.#heads.due(at).map(({ node, head }) => linkEvent('peer.head_seen', node, { node, head })));
      for (const node of this.#listening.silent(monotonic))
        if (this.#parts.isFollowed?.(node) !== true) this.lose(node);
      for (const peer of this.#peers.ending(at)) this.#want(peer);
      this.#peers.sessions.expire(at);
      if (monotonic >= this.#sweepDue) {
        this.#sweepDue = monotonic + SWEEP_MS;
        this.#names.expire(at);
      }
      if (this.#desk.renew(at)) this.#announce();
    }
    if (monotonic >= this.#announceDue) this.#announce();
  }

  #tickSoon(): void {
    this.#parts.clock.after(TICK_MS, () => {
      if (this.#stopping.signal.aborted) return;
      this.#tick();
      this.#tickSoon();
    });
  }

  #flushSoon(): void {
    if (this.#isFlushing || this.#stopping.signal.aborted) return;
    this.#isFlushing = true;
    const flush = async (): Promise<void> => {
      await this.#parts.nextTurn();
      this.#isFlushing = false;
      if (!this.#stopping.signal.aborted) this.#departures.flush();
    };
    this.#begin(flush());
  }

  #record(events: Parameters<Recorder['record']>[0]): void {
    if (events.length > 0) this.#begin(this.#recorder.record(events));
  }

  /** Work that nobody waits for; its failure is the link's (V4). */
  #begin(work: Promise<void>): void {
    this.#working++;
    work.then(
      () => void this.#working--,
      (error: unknown) => {
        this.#working--;
        this.#fail(error);
      },
    );
  }

  #fail(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#isStopped = true;
    this.#departures.end();
    this.#fetches.end();
    this.#ended.promise.catch(() => undefined);
    this.#ended.reject(error instanceof Error ? error : new CodedError('link.failed', String(error)));
  }

  #isIdle(): boolean {
    return (this.#arrivals?.inbox.size ?? 0) === 0 && this.#departures.outbox.size + this.#departures.replies === 0;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#parts.clock.after(ms, resolve));
  }

  #contracts(): readonly DigestText[] {
    return [...new Set(this.#desk.all().flatMap(({ contracts }) => contracts))].sort().slice(0, CONTRACTS_MAX);
  }
}

const STOP_MS = 5_000;
const FLUSH_MS_MAX = 2_000;
const SECOND_MS = 1_000;
/** As many as a hello has room for. */
const CONTRACTS_MAX = 64;

/** A carrier that is closed, or away just now, takes nothing: that is no fault of the link. */
function unlessClosed(error: unknown): void {
  if (!hasCode(error, 'transport.closed') && !hasCode(error, 'transport.lost')) throw error;
}
