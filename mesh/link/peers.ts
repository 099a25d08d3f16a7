/**
 * The nodes with which this one has sessions. Messages leave over the newest session of a node, and are taken over any of
 * the last few, so a session can be renewed while messages are on their way.
 */
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { equalBytes } from '../../runtime/core/bytes.ts';
import { SESSION_MESSAGES_MAX } from '../limits.ts';
import { type Session, Sessions } from '../session.ts';
import { PEERS_MAX, SESSION_SPARE_MS, SESSIONS_PER_PEER_MAX } from './limits.ts';

export type Peer = {
  readonly did: Did;
  /** Newest first; all of one life of the node. */
  readonly sessions: readonly [Session, ...Session[]];
  /** Certificates of this node's agents that it has certainly taken in, and that were shown to it. */
  readonly known: Set<Cid>;
  readonly shown: Set<Cid>;
};

export class Peers {
  readonly sessions = new Sessions(PEERS_MAX * SESSIONS_PER_PEER_MAX);
  readonly #byDid = new Map<Did, Peer>();

  /** A session has begun. Those of the node's earlier lives are worth nothing any more. */
  adopt(session: Session, at: Millis): Peer {
    const did = session.peerDid;
    const before = this.#byDid.get(did)?.sessions ?? [];
    const alive = before.filter(({ peerEpoch }) => equalBytes(peerEpoch, session.peerEpoch));
    const kept = alive.slice(0, SESSIONS_PER_PEER_MAX - 1);
    for (const ended of before) if (!kept.includes(ended)) this.sessions.remove(ended.id);
    const peer: Peer = { did, sessions: [session, ...kept], known: new Set(), shown: new Set() };
    this.#byDid.delete(did);
    const [oldest] = this.#byDid.values();
    if (this.#byDid.size >= PEERS_MAX && oldest !== undefined) this.leave(oldest.did);
    this.#byDid.set(did, peer);
    this.sessions.add(session, at);
    return peer;
  }

  /** The node, if something can be sent to it now. */
  reachable(did: Did, at: Millis): { readonly peer: Peer; readonly session: Session } | undefined {
    const peer = this.#byDid.get(did);
    const session = peer?.sessions.find((candidate) => candidate.isUsable(at));
    return peer === undefined || session === undefined ? undefined : { peer, session };
  }

  find(did: Did): Peer | undefined {
    return this.#byDid.get(did);
  }

  all(): readonly Peer[] {
    return [...this.#byDid.values()];
  }

  /** Nodes whose newest session ends soon. */
  ending(at: Millis): readonly Did[] {
    return this.all()
      .filter(({ sessions: [newest] }) => newest.expires - at < SESSION_SPARE_MS || newest.sent > SPARE_FROM)
      .map(({ did }) => did);
  }

  leave(did: Did): void {
    for (const { id } of this.#byDid.get(did)?.sessions ?? []) this.sessions.remove(id);
    this.#byDid.delete(did);
  }
}

const SPARE_FROM = SESSION_MESSAGES_MAX - SESSION_MESSAGES_MAX / 16;
