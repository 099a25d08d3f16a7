/**
 * What a signature is about. Every signature of the mesh covers `domain ‖ 0x00 ‖ bytes`, so one made for one purpose can
 * never pass for another. This table is the whole of them.
 *
 * Two kinds of signature are not in it, because others have fixed their bytes: log checkpoints, whose text begins with the
 * log's origin, by a key that signs nothing else; and JWTs, whose text begins with a header that is fixed per purpose
 * (`jwt.ts`). Neither can begin with a domain of this table and a zero byte.
 */

import { type Digest, sha256, sha256Text } from '../runtime/codec/digest.ts';
import { type KeyPair, type PublicKey, sign, verify } from '../runtime/codec/ed25519.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { concat, utf8 } from '../runtime/core/bytes.ts';

const DOMAINS = [
  'did-mesh/1/inception',
  'did-mesh/1/rotation',
  'did-mesh/1/revocation',
  'iatp-mesh/1/hosting',
  'iatp-mesh/1/withdrawal',
  'iatp-mesh/1/revocation',
  'iatp-mesh/1/card',
  'iatp-mesh/1/beat',
  'iatp-mesh/1/death',
  'iatp-mesh/1/order',
  'iatp-mesh/1/report',
  'iatp-mesh/1/envelope',
  'iatp-mesh/1/handshake/responder',
  'iatp-mesh/1/handshake/initiator',
] as const;

/** What a key may sign, beside checkpoints and JWTs. */
export type Domain = (typeof DOMAINS)[number];

/** What is hashed rather than signed, kept apart in the same way. */
export type HashDomain = 'did-mesh/1/next' | 'iatp-mesh/1/body' | 'iatp-mesh/1/transcript' | 'iatp-mesh/1/session';

export function signIn(domain: Domain, pair: KeyPair, bytes: Uint8Array): Uint8Array {
  return sign(pair, separated(domain, bytes));
}

/** Never throws on peer input. */
export function verifyIn(domain: Domain, key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verify(key, separated(domain, bytes), signature);
}

/** The digest as it is written. */
export function hashTextIn(domain: HashDomain, ...parts: readonly Uint8Array[]): DigestText {
  return sha256Text(separated(domain, ...parts)) as DigestText;
}

export function hashIn(domain: HashDomain, ...parts: readonly Uint8Array[]): Digest {
  return sha256(separated(domain, ...parts));
}

/** No domain holds a zero byte, so none is the beginning of another with its zero. */
function separated(domain: Domain | HashDomain, ...parts: readonly Uint8Array[]): Uint8Array {
  const known = prefixes.get(domain);
  const prefix = known ?? utf8(`${domain}\0`);
  if (known === undefined) prefixes.set(domain, prefix);
  return concat(prefix, ...parts);
}

/** Bounded by the two types. */
const prefixes = new Map<Domain | HashDomain, Uint8Array>();
