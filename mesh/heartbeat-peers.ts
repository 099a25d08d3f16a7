/**
 * Who lives, as one node sees it: a fold over heartbeats, death notices and time. It reads no clock; `atMs` is the reader's
 * monotonic time, so a wall clock that is set back, here or there, kills nobody.
 *
 *     alive ──late──► suspect ──later──► dead          a heartbeat of the same life leads back from each of them;
 *       └──────────── leaving, or a younger life ────► gone, for good
 *
 * B1. A node has one life at a time. The first heartbeat of a younger life ends the older one, and says so first.
 * B2. Dead is an opinion: a process that was paused may go on, and then *returned*. Gone is final.
 * B3. News is told once: each is a change, and what is late, repeated or of an older life changes nothing.
 * B4. Who was wrongly taken for dead is given more time, up to STRETCH_MAX times as much, until it has been quiet about it
 *     for FORGIVEN_MS: flapping dies down instead of going on.
 * B5. Bounded: PEERS_MAX nodes; who is dead or gone makes room.
 * B6. Silence counts only while this node could hear: not while it was paused itself, nor while its carrier was away.
 */
import type { Did } from '../runtime/codec/did.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import type { Death } from './death.ts';
import type { Beat } from './heartbeat.ts';

export type Peer = {
  readonly state: 'alive' | 'suspect' | 'dead' | 'gone';
  /** The newest of this life. */
  readonly beat: Beat;
  /** When it arrived. This and the other moments are in time in which the reader could hear (B6). */
  readonly heardMs: number;
  /** When somebody said that this life had ended, if that was not refuted. */
  readonly accusedMs: number | undefined;
  /** How often this life returned, and when last. */
  readonly returns: number;
  readonly returnedMs: number;
};

/** What changed. `epoch` names the life that is spoken of. */
export type PeerNews =
  | { readonly type: 'joined' | 'suspected' | 'refuted' | 'returned'; readonly node: Did; readonly epoch: string }
  | {
      readonly type: 'died';
      readonly node: Did;
      readonly epoch: string;
      /** `replaced` and `left` are final (B2). */
      readonly why: 'silent' | 'accused' | 'replaced' | 'left';
    };

/** Nodes of a realm that are followed at once. */
const PEERS_MAX = 4_096;
/** Silence, in promised intervals, before a life is suspected and before it is taken for dead. */
const SUSPECT_AFTER = 2.5;
const DEAD_AFTER = 4;
/** Who was accused has this much time, in promised intervals, to refute. */
const REFUTE_WITHIN = 1.5;
const STRETCH_MAX = 4;
const FORGIVEN_MS = 10 * 60 * 1000;

/** Whoever follows peers ticks more often than this; a longer gap is this process's own (B6). */
const TICK_MS_MAX = 1_000;

export class Peers {
  readonly #peers = new Map<Did, Peer>();
  /** Time in which this node could hear (B6), and when it was last counted. */
  #lived = { ms: 0, countedMs: 0 };

  constructor(atMs: number) {
    this.#lived.countedMs = atMs;
  }

  get(node: Did): Peer | undefined {
    return this.#peers.get(node);
  }

  entries(): Iterable<readonly [Did, Peer]> {
    return this.#peers.entries();
  }

  /** Takes in a heartbeat that was read (`readBeat`) (B1, B3, B5). */
  hear(beat: Beat, atMs: number): Result<readonly PeerNews[], Refusal> {
    const known = this.#peers.get(beat.node);
    if (known === undefined && !this.#hasRoom()) {
      return err({ code: 'beat.full', message: `expected at most ${PEERS_MAX} nodes` });
    }
    const livedMs = this.#live(atMs, true);
    const next = known === undefined ? begin(beat, livedMs) : onBeat(known, beat, livedMs);
    if (next === undefined) return err({ code: 'beat.replayed', message: 'expected a newer heartbeat' });
    this.#peers.set(beat.node, next.peer);
    return ok(next.news);
  }

  /** Takes in a death notice that was read (`readTold`); nothing if it is of no life that is followed. */
  accuse({ node, epoch }: Death, atMs: number): readonly PeerNews[] {
    const peer = this.#peers.get(node);
    if (peer === undefined || peer.beat.epoch !== epoch || !isUp(peer) || peer.accusedMs !== undefined) return [];
    this.#peers.set(node, { ...peer, state: 'suspect', accusedMs: this.#live(atMs, true) });
    return peer.state === 'alive' ? [{ type: 'suspected', node, epoch }] : [];
  }

  /** What silence has come to mean by now; to be called at least every TICK_MS_MAX. `canHear`: the carrier is there (B6). */
  tick(atMs: number, canHear: boolean): readonly PeerNews[] {
    const livedMs = this.#live(atMs, canHear);
    const news: PeerNews[] = [];
    for (const [node, peer] of this.#peers) {
      const { state, why } = judge(peer, livedMs);
      if (state === peer.state) continue;
      this.#peers.set(node, { ...peer, state });
      const { epoch } = peer.beat;
      news.push(state === 'dead' ? { type: 'died', node, epoch, why } : { type: 'suspected', node, epoch });
    }
    return news;
  }

  #live(atMs: number, canHear: boolean): number {
    const gap = Math.max(0, atMs - this.#lived.countedMs);
    this.#lived = { ms: this.#lived.ms + (canHear ? Math.min(gap, TICK_MS_MAX) : 0), countedMs: atMs };
    return this.#lived.ms;
  }

  #hasRoom(): boolean {
    if (this.#peers.size < PEERS_MAX) return true;
    for (const [node, peer] of this.#peers) {
      if (!isUp(peer)) return this.#peers.delete(node);
    }
    return false;
  }
}

type Next = { readonly peer: Peer; readonly news: readonly PeerNews[] };

function begin(beat: Beat, atMs: number): Next {
  const { node, epoch } = beat;
  const isLast = beat.phase === 'leaving';
  const peer: Peer = {
    state: isLast ? 'gone' : 'alive',
    beat,
    heardMs: atMs,
    accusedMs: undefined,
    returns: 0,
    returnedMs: atMs,
  };
  const joined: PeerNews = { type: 'joined', node, epoch };
  return { peer, news: isLast ? [joined, { type: 'died', node, epoch, why: 'left' }] : [joined] };
}

/** The peer after one more heartbeat of its node; nothing if that changes nothing (B3). */
function onBeat(peer: Peer, beat: Beat, atMs: number): Next | undefined {
  const { node, epoch } = peer.beat;
  if (beat.epoch !== epoch) {
    // Epochs are random; of two lives of one node the younger is the one whose clock is ahead.
    if (beat.at <= peer.beat.at) return undefined;
    const next = begin(beat, atMs);
    const isTold = peer.state === 'gone' || peer.state === 'dead';
    return isTold ? next : { ...next, news: [{ type: 'died', node, epoch, why: 'replaced' }, ...next.news] };
  }
  if (beat.number <= peer.beat.number || peer.state === 'gone') return undefined;
  const isReturn = peer.state === 'dead';
  const heard: Peer = {
    ...peer,
    state: beat.phase === 'leaving' ? 'gone' : 'alive',
    beat,
    heardMs: atMs,
    accusedMs: undefined,
    returns: isReturn ? stretchOf(peer, atMs) : peer.returns,
    returnedMs: isReturn ? atMs : peer.returnedMs,
  };
  const news: PeerNews[] = [];
  if (isReturn) news.push({ type: 'returned', node, epoch });
  if (peer.state === 'suspect') news.push({ type: 'refuted', node, epoch });
  if (heard.state === 'gone') news.push({ type: 'died', node, epoch, why: 'left' });
  return { peer: heard, news };
}

function judge(peer: Peer, atMs: number): { readonly state: Peer['state']; readonly why: 'silent' | 'accused' } {
  if (!isUp(peer)) return { state: peer.state, why: 'silent' };
  const interval = peer.beat.every * stretchOf(peer, atMs);
  const silentMs = atMs - peer.heardMs;
  if (silentMs > DEAD_AFTER * interval) return { state: 'dead', why: 'silent' };
  if (peer.accusedMs === undefined)
    return { state: silentMs > SUSPECT_AFTER * interval ? 'suspect' : peer.state, why: 'silent' };
  return { state: atMs - peer.accusedMs > REFUTE_WITHIN * interval ? 'dead' : 'suspect', why: 'accused' };
}

/** How much longer this life may be silent than others, from 1 (B4). */
function stretchOf({ returns, returnedMs }: Peer, atMs: number): number {
  return atMs - returnedMs > FORGIVEN_MS ? 1 : Math.min(1 + returns, STRETCH_MAX);
}

function isUp({ state }: Peer): boolean {
  return state === 'alive' || state === 'suspect';
}
