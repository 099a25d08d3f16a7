/**
 * How a node shows that it lives, and what it makes of the others' heartbeats and death notices.
 *
 * H1. Heartbeats decide who is dead, alone: after `DEAD_AFTER` missed ones (20 s), or sooner where somebody who saw the end
 *     said so and was not refuted. The link judges by silence only a node whose heartbeat was never heard.
 * H2. Only nodes of the realm are listened to, each at a bounded rate, and nobody's word kills a node whose heart beats.
 * H3. What changes is on record before anybody is told of it. A node that has returned meanwhile is not given up.
 * H4. A life that was replaced at once by a younger one is no loss: the agents go on there, over the same log.
 * H5. Whose clock is more than 2 s from this one's is named, on record, even if nothing else that he says is of now.
 */
import { type Death, readTold, writeDeath } from '../../mesh/death.ts';
import { BEAT_EVERY_MS, type Beat, writeBeat } from '../../mesh/heartbeat.ts';
import { Clocks } from '../../mesh/heartbeat-clocks.ts';
import { clockEvent, vitalEvent } from '../../mesh/heartbeat-events.ts';
import { type PeerNews, Peers } from '../../mesh/heartbeat-peers.ts';
import { OwnHead } from '../../mesh/link/log-heads.ts';
import { Recorder } from '../../mesh/link/recorder.ts';
import { Buckets, type Counts, Tally } from '../../mesh/link/tally.ts';
import { nodeDid, type SealingNode } from '../../mesh/message.ts';
import type { RevocationHead } from '../../mesh/revocation/revocations.ts';
import { ALL, type NodeToken, nodeToken } from '../../mesh/subject.ts';
import type { Transport } from '../../mesh/transport.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { digestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { toBase64url, utf8 } from '../../runtime/core/bytes.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { hasCode } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';

/** What a node knows to be revoked, as heartbeats tell of it. */
export type RevocationPort = {
  readonly head: () => RevocationHead;
  /** Another node's verified word on what it knows (`RevocationFeed.beat`). */
  readonly beat: (node: Did, head: RevocationHead, at: Millis) => void;
};

/** Of a node that knows of no revocation. */
export const NO_REVOCATIONS: RevocationPort = {
  head: () => ({ epoch: 0, digest: digestText(sha256(utf8(''))) }),
  beat: () => undefined,
};

export type VitalSignsParts = {
  readonly node: SealingNode;
  readonly transport: Pick<Transport, 'send'>;
  /** Whether anything could be heard just now. */
  readonly hasCarrier: () => boolean;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  /** The other nodes of the realm (H2). */
  readonly members: readonly Did[];
  readonly load: () => Pick<Beat, 'agents' | 'mailbox' | 'turn'>;
  readonly revocations: RevocationPort;
  /** A node is dead, or has left: its agents are out of reach. */
  readonly onLost: (node: Did) => void;
  /** The same life of it goes on, with its agents. */
  readonly onReturned: (node: Did) => void;
  readonly everyMs?: number;
};

export class VitalSigns {
  readonly #parts: VitalSignsParts;
  readonly #self: Did;
  readonly #everyMs: number;
  readonly #members: ReadonlySet<NodeToken>;
  readonly #peers: Peers;
  readonly #clocks = new Clocks();
  readonly #head: OwnHead;
  readonly #recorder: Recorder;
  readonly #refused = new Tally<'anybody'>();
  readonly #rate = new Buckets<NodeToken>(TOLD_RATE);
  readonly #accusations = new Buckets<Did>(ACCUSATION_RATE);
  readonly #failed = Promise.withResolvers<never>();
  #phase: Beat['phase'] = 'up';
  #number = 0;
  #dueMs = 0;
  #acting: Promise<void> = Promise.resolve();
  #ticking: Disposable | undefined;

  constructor(parts: VitalSignsParts) {
    const { node, log, clock, random, members, everyMs = BEAT_EVERY_MS } = parts;
    this.#parts = parts;
    this.#self = nodeDid(node.pair.publicKey);
    this.#everyMs = everyMs;
    this.#members = new Set(members.map(nodeToken));
    this.#peers = new Peers(clock.monotonicMs());
    this.#head = new OwnHead(log);
    this.#recorder = new Recorder({ log, clock, random });
    this.#failed.promise.catch(() => undefined);
  }

  /** Rejects when nothing can be recorded any more. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** What was not listened to, by code. */
  get refused(): Counts {
    return this.#refused.of('anybody');
  }

  /** Nodes whose clocks differ by more than 2 s, and how far each is ahead, in milliseconds (H5). */
  get differentClocks(): ReadonlyMap<Did, number> {
    return this.#clocks.different;
  }

  /** Whether this node's end is told here, and nowhere else (H1). */
  isFollowed(node: Did): boolean {
    return this.#peers.get(node) !== undefined;
  }

  /** Begins to beat. */
  start(): void {
    this.beat();
    this.#tickSoon();
  }

  /** One heartbeat, now. */
  beat(): void {
    const { node, clock, load, revocations } = this.#parts;
    const beat: Beat = {
      ...load(),
      at: clock.now(),
      epoch: toBase64url(node.epoch),
      every: this.#everyMs,
      head: this.#head.now(),
      node: this.#self,
      number: this.#number++,
      phase: this.#phase,
      revocations: revocations.head(),
    };
    this.#dueMs = clock.monotonicMs() + this.#everyMs;
    this.#say(writeBeat(beat, node.pair));
  }

  /** Takes in what a node said to all (H2). */
  hear(bytes: Uint8Array, from: NodeToken): void {
    const code = this.#faultOf(bytes, from);
    if (code !== undefined) this.#refused.count('anybody', code);
  }

  /** This node saw that a node's process ended: all are told, and have not to wait for silence. Nothing, for a node that is
   *  not followed. */
  sawEnd(node: Did, cause: Death['cause']): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    const death: Death = { at: this.#parts.clock.now(), by: this.#self, cause, epoch: peer.beat.epoch, node };
    this.#act(this.#peers.accuse(death, this.#parts.clock.monotonicMs()));
    this.#say(writeDeath(death, this.#parts.node.pair));
  }

  /** Takes no more work, and says so. */
  drain(): void {
    this.#phase = 'draining';
    this.beat();
  }

  /** The last word of this life. Resolves when what was heard is on record. */
  async stop(): Promise<void> {
    if (this.#phase === 'leaving') return this.#acting;
    this.#phase = 'leaving';
    this.beat();
    this.#ticking?.[Symbol.dispose]();
    await this.#acting;
  }

  /** Takes it in, or says why not, by code. */
  #faultOf(bytes: Uint8Array, from: NodeToken): string | undefined {
    const at = this.#parts.clock.now();
    if (!this.#members.has(from)) return 'beat.wrong_carrier';
    if (!this.#rate.take(from, at)) return 'quota.exceeded';
    const told = readTold(bytes, at, from);
    if (!told.ok) {
      if (told.error.beat !== undefined) this.#compare(told.error.beat, at);
      return told.error.code;
    }
    return told.value.type === 'death' ? this.#hearDeath(told.value.death, at) : this.#hearBeat(told.value.beat, at);
  }

  #hearBeat(beat: Beat, at: Millis): string | undefined {
    const { clock, revocations } = this.#parts;
    this.#compare(beat, at);
    const heard = this.#peers.hear(beat, clock.monotonicMs());
    if (!heard.ok) return heard.error.code;
    revocations.beat(beat.node, beat.revocations, at);
    this.#act(heard.value);
    return undefined;
  }

  /** H5. */
  #compare(beat: Beat, at: Millis): void {
    const news = this.#clocks.hear(beat, at);
    if (news === undefined) return;
    const record = (): Promise<void> => this.#recorder.record([clockEvent(news)]);
    this.#acting = this.#acting.then(record).catch((error: unknown) => this.#failed.reject(error));
  }

  #hearDeath(death: Death, at: Millis): string | undefined {
    const { clock, node } = this.#parts;
    if (!this.#accusations.take(death.by, at)) return 'quota.exceeded';
    if (death.node !== this.#self) this.#act(this.#peers.accuse(death, clock.monotonicMs()), death);
    else if (death.epoch === toBase64url(node.epoch)) this.beat(); // the best answer to a false notice
    return undefined;
  }

  #tickSoon(): void {
    const { clock, hasCarrier } = this.#parts;
    this.#ticking = clock.after(Math.min(TICK_MS_MAX, this.#everyMs / 4), () => {
      if (this.#phase === 'leaving') return;
      const now = clock.monotonicMs();
      this.#act(this.#peers.tick(now, hasCarrier()));
      if (now >= this.#dueMs) this.beat();
      this.#tickSoon();
    });
  }

  /** Records news, then acts on it, in the order in which it came (H3). */
  #act(news: readonly PeerNews[], notice?: Death): void {
    if (news.length === 0) return;
    const events = news.flatMap((item) => vitalEvent(item, notice) ?? []);
    const act = async (): Promise<void> => {
      await this.#recorder.record(events);
      for (const item of news) {
        if (item.type === 'died') this.#onDeath(item);
        else if (item.type === 'returned') this.#parts.onReturned(item.node);
      }
    };
    this.#acting = this.#acting.then(act).catch((error: unknown) => this.#failed.reject(error));
  }

  #onDeath({ node, epoch, why }: Extract<PeerNews, { type: 'died' }>): void {
    const peer = this.#peers.get(node);
    if (peer?.beat.epoch !== epoch || (peer.state !== 'dead' && peer.state !== 'gone')) return; // (H3, H4)
    this.#parts.onLost(node);
    if (why === 'silent') this.sawEnd(node, 'silent');
  }

  #say(bytes: Uint8Array): void {
    try {
      this.#parts.transport.send('beat', ALL, bytes);
    } catch (error) {
      if (!hasCode(error, 'transport.closed')) throw error;
    }
  }
}

/** Peers want to be looked at at least once a second. */
const TICK_MS_MAX = 250;
/** Of one node: as fast as it may promise to beat, and notices besides. */
const TOLD_RATE = { count: 400, periodMs: 10_000, burst: 100 } as const;
/** Of one node: each may be two events in this log. A realm of twenty nodes whose broker restarts stays below. */
const ACCUSATION_RATE = { count: 20, periodMs: 60_000, burst: 40 } as const;
