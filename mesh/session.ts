/**
 * A session: what two nodes agreed on in a handshake (`handshake.ts`), for an hour at most. It fixes who the peer is and in
 * which of its lives, counts what is sent and what has arrived, and holds the keys if bodies are encrypted.
 *
 * N1. A sequence number is used once. Counters live in memory only, and a session does not outlive its process, so no
 *     snapshot or fork can make a nonce repeat.
 * N2. Each direction has its own key and its own window.
 */
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import type { PublicKey } from '../runtime/codec/ed25519.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { toBase64url } from '../runtime/core/bytes.ts';
import { type CipherKey, cipherKey, counterNonce, decrypt, encrypt } from './cipher.ts';
import type { Epoch } from './head.ts';
import { SESSION_MESSAGES_MAX } from './limits.ts';
import { ReplayWindow } from './replay-window.ts';
import { type NodeToken, nodeToken } from './subject.ts';

/** The directions' keys, from this node's side. */
export type SessionKeys = { readonly sending: Uint8Array; readonly receiving: Uint8Array };

/** What the peer said of itself and its demands in the handshake, signed. */
export type PeerStatement = {
  readonly contracts: readonly string[];
  readonly head: { readonly origin: string; readonly root: string; readonly size: number };
};

export class Session {
  readonly id: Uint8Array;
  readonly peer: PublicKey;
  /** The peer's did:key, and how carriers name it. */
  readonly peerDid: Did;
  readonly peerToken: NodeToken;
  readonly ownEpoch: Epoch;
  readonly peerEpoch: Epoch;
  readonly expires: Millis;
  readonly stated: PeerStatement;
  readonly window = new ReplayWindow();
  readonly #keys: { readonly sending: CipherKey; readonly receiving: CipherKey } | undefined;
  #next = 0;

  constructor(session: {
    readonly id: Uint8Array;
    readonly peer: PublicKey;
    readonly ownEpoch: Epoch;
    readonly peerEpoch: Epoch;
    readonly expires: Millis;
    readonly stated: PeerStatement;
    readonly keys?: SessionKeys;
  }) {
    this.id = session.id;
    this.peer = session.peer;
    this.peerDid = formatDidKey(session.peer);
    this.peerToken = nodeToken(this.peerDid);
    this.ownEpoch = session.ownEpoch;
    this.peerEpoch = session.peerEpoch;
    this.expires = session.expires;
    this.stated = session.stated;
    const { keys } = session;
    this.#keys = keys && { sending: cipherKey(keys.sending), receiving: cipherKey(keys.receiving) };
  }

  get isEncrypted(): boolean {
    return this.#keys !== undefined;
  }

  /** Whether a new message may still be sent over it. */
  isUsable(at: Millis): boolean {
    return at <= this.expires && this.#next < SESSION_MESSAGES_MAX;
  }

  /** How many messages were sent over it. */
  get sent(): number {
    return this.#next;
  }

  /** The next sequence number, used up by asking (N1). */
  nextSequence(): number {
    assert(this.#next < SESSION_MESSAGES_MAX, 'nextSequence: a session that is not used up');
    return this.#next++;
  }

  /** The body under the sending key; `associated` is what the signature covers beside it (N2). */
  encrypt(sequence: number, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
    assert(this.#keys !== undefined && sequence < this.#next, 'encrypt: keys, and a number that was drawn');
    return encrypt(this.#keys.sending, counterNonce(sequence), { plaintext, associated });
  }

  decrypt(sequence: number, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
    if (this.#keys === undefined) return undefined;
    return decrypt(this.#keys.receiving, counterNonce(sequence), { sealed, associated });
  }
}

/** Sessions by id: a bounded map. */
export class Sessions {
  readonly #byId = new Map<string, Session>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(session: Session, at: Millis): void {
    if (this.#byId.size >= this.#max) this.expire(at);
    const [oldest] = this.#byId.keys();
    if (this.#byId.size >= this.#max && oldest !== undefined) this.#byId.delete(oldest);
    this.#byId.set(toBase64url(session.id), session);
  }

  find(id: Uint8Array): Session | undefined {
    return this.#byId.get(toBase64url(id));
  }

  /** Forgets what has ended. */
  expire(at: Millis): void {
    for (const [id, session] of this.#byId) if (at > session.expires) this.#byId.delete(id);
  }

  remove(id: Uint8Array): void {
    this.#byId.delete(toBase64url(id));
  }
}
