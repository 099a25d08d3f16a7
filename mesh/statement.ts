/**
 * Signed statements: what agents, sponsors and nodes declare once and others keep. One line of canonical JSON,
 *
 *     {"payload":"<base64url>","signatures":[{"key":"did:key:…","signature":"<base64url>"}],"type":"<domain>"}
 *
 * S1. What is signed and hashed is the payload's bytes as they came, under the statement's domain. They are not written
 *     again in order to be verified.
 * S2. Every signature must verify, whoever's it is; a key signs once. Whether the right keys signed is for the kind to say.
 * S3. A statement is named by the digest of its payload. Adding or removing signatures does not rename it.
 */
import { type Cid, cidOf } from '../runtime/codec/cid.ts';
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey, parseDidKey } from '../runtime/codec/did-key.ts';
import { type Digest, sha256 } from '../runtime/codec/digest.ts';
import type { KeyPair, PublicKey } from '../runtime/codec/ed25519.ts';
import { canonicalJson, type JsonValue } from '../runtime/codec/json.ts';
import { assert } from '../runtime/core/assert.ts';
import { fromBase64url, toBase64url, utf8 } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import { type Domain, signIn, verifyIn } from './domain.ts';
import { bytes, didKey } from './fields.ts';
import { STATEMENT_BYTES_MAX } from './limits.ts';
import { list, object, readStrict, type Shape, text } from './strict-json.ts';

/** A statement whose signatures hold (S2). */
export type Statement<T> = {
  readonly value: T;
  /** Who signed, as did:key, in the order of the text. */
  readonly signers: ReadonlyMap<Did, PublicKey>;
  /** Of the payload (S3). */
  readonly digest: Digest;
  readonly cid: Cid;
  /** The whole statement, for passing on. */
  readonly bytes: Uint8Array;
};

const SIGNATURES_MAX = 2;

/** The statement that `value`, signed by each of `signers`. */
export function writeStatement(domain: Domain, value: JsonValue, signers: readonly KeyPair[]): Uint8Array {
  assert(signers.length >= 1 && signers.length <= SIGNATURES_MAX, 'writeStatement: one or two signers');
  const payload = utf8(unwrap(canonicalJson(value), 'a statement is data'));
  const signatures = signers.map((pair) => ({
    key: formatDidKey(pair.publicKey),
    signature: toBase64url(signIn(domain, pair, payload)),
  }));
  const statement = { payload: toBase64url(payload), signatures, type: domain };
  const written = utf8(unwrap(canonicalJson(statement), 'a statement is data'));
  assert(written.length <= STATEMENT_BYTES_MAX, 'writeStatement: at most STATEMENT_BYTES_MAX bytes');
  return written;
}

/** The statement in `bytes`, if it is one of this domain and shape and its signatures hold (S1, S2). */
export function readStatement<T>(
  bytes: Uint8Array,
  kind: { readonly domain: Domain; readonly shape: Shape<T> },
): Result<Statement<T>, Refusal> {
  if (bytes.length > STATEMENT_BYTES_MAX) {
    const message = `expected at most ${STATEMENT_BYTES_MAX} bytes, found ${bytes.length}`;
    return err({ code: 'statement.too_large', message });
  }
  const outer = readStrict(bytes, OUTER, 'statement.malformed');
  if (!outer.ok) return outer;
  if (outer.value.type !== kind.domain) {
    return err({ code: 'statement.wrong_type', message: `expected ${kind.domain}, found ${outer.value.type}` });
  }
  const payload = fromBase64url(outer.value.payload) ?? EMPTY;
  const signers = new Map<Did, PublicKey>();
  for (const { key: did, signature } of outer.value.signatures) {
    const key = parseDidKey(did);
    if (!key.ok) return key;
    if (signers.has(did)) return err({ code: 'statement.malformed', message: 'expected each key to sign once' });
    if (!verifyIn(kind.domain, key.value, payload, fromBase64url(signature) ?? EMPTY)) {
      return err({ code: 'statement.bad_signature', message: `expected a signature by ${did}` });
    }
    signers.set(did, key.value);
  }
  const value = readStrict(payload, kind.shape, 'statement.malformed');
  if (!value.ok) return value;
  return ok({ value: value.value, signers, digest: sha256(payload), cid: cidOf(payload), bytes });
}

/** The domain that a statement claims, before anything about it is believed; to sort what arrived. */
export function claimedType(bytes: Uint8Array): string | undefined {
  if (bytes.length > STATEMENT_BYTES_MAX) return undefined;
  const outer = readStrict(bytes, OUTER, 'statement.malformed');
  return outer.ok ? outer.value.type : undefined;
}

const EMPTY = new Uint8Array(0);

const OUTER = object({
  payload: text('base64url', (found) => fromBase64url(found) !== undefined),
  signatures: list(object({ key: didKey, signature: bytes(64) }), SIGNATURES_MAX),
  type: text('a statement type', (found) => /^[a-z0-9/-]{1,64}$/.test(found)),
});
