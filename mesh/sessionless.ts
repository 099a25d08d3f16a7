/**
 * Replay protection where there is no session: first contact and broadcasts. A message counts as seen by the digest of its
 * head and claims until its window is over. What was issued before this life of the node began, on any honest clock, is
 * refused (its sender seals again), so a restart forgets nothing that could still be replayed, and nothing need be kept on
 * disk. For the skew's two seconds after its start a node therefore takes no such message.
 *
 * A full memory refuses; it never forgets early.
 */
import { type Digest, formatDigest } from '../runtime/codec/digest.ts';
import type { PublicKey } from '../runtime/codec/ed25519.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { toBase64url } from '../runtime/core/bytes.ts';
import { SESSIONLESS_REMEMBERED_MAX, SKEW_MS } from './limits.ts';

export class Sessionless {
  readonly #started: Millis;
  readonly #peers = new Map<string, PublicKey>();
  /** By digest, until when. Windows are bounded, so insertion order is nearly expiry order. */
  readonly #seen = new Map<string, Millis>();

  /** `peers` are the nodes from which such messages are taken at all. */
  constructor(started: Millis, peers: readonly PublicKey[]) {
    this.#started = started;
    for (const peer of peers) this.#peers.set(toBase64url(peer.bytes), peer);
  }

  peer(key: Uint8Array): PublicKey | undefined {
    return this.#peers.get(toBase64url(key));
  }

  /** Whether the last life of the node may have taken it: the sender's clock may have been ahead. */
  isOld(issued: Millis): boolean {
    return issued < this.#started + SKEW_MS;
  }

  hasSeen(envelope: Digest): boolean {
    return this.#seen.has(formatDigest(envelope));
  }

  /** Marks it; false if it had been accepted before, or there is no room. */
  accept(envelope: Digest, expires: Millis, at: Millis): boolean {
    if (this.hasSeen(envelope)) return false;
    if (this.#seen.size >= SESSIONLESS_REMEMBERED_MAX) this.#expire(at);
    if (this.#seen.size >= SESSIONLESS_REMEMBERED_MAX) return false;
    this.#seen.set(formatDigest(envelope), expires);
    return true;
  }

  #expire(at: Millis): void {
    for (const [digest, expires] of this.#seen) if (at > expires) this.#seen.delete(digest);
  }
}
