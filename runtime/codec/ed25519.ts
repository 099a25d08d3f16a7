/**
 * The signature profile: Ed25519 (RFC 8032) with one answer for every (key, message, signature) on every node.
 *
 * RFC 8032 leaves verifiers room to differ, on small-order keys, on encodings, on the cofactor, and two nodes that differ
 * cannot replay one log. So a key is *admitted* once, strictly, and a signature is then verified by the cofactorless
 * equation, with S < L and R compared as bytes: what OpenSSL does, and `verifyPortable` in the open.
 *
 * E1. A `PublicKey` is a canonical encoding of a point of the prime-order subgroup, not the neutral element.
 * E2. Verification never throws on peer input, and answers false for all but exactly 64 bytes.
 * E3. Signing is deterministic (RFC 8032 section 5.1.6): a replay makes the same bytes.
 * E4. R is not of small order. Node.js refuses such an R since June 2026 (nodejs/node 64026) and took it before; with an
 *     admitted key the equation leaves only one, the neutral element, so refusing that one here makes all versions agree.
 */
import { Buffer } from 'node:buffer';
import {
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign as signWithNode,
  verify as verifyWithNode,
} from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { assert } from '../core/assert.ts';
import type { Brand } from '../core/brand.ts';
import { concat, equalBytes, fromBase64url } from '../core/bytes.ts';
import { messageOf } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../core/result.ts';

/** An admitted key: its 32 bytes, and the same key in the form that node:crypto verifies with. */
export type PublicKey = Brand<{ readonly bytes: Uint8Array; readonly handle: KeyObject }, 'PublicKey'>;

/** Who holds it can sign. The seed stays inside OpenSSL's handle: printing or serialising a pair shows nothing of it. */
export type KeyPair = Brand<{ readonly publicKey: PublicKey; readonly handle: KeyObject }, 'KeyPair'>;

const PUBLIC_KEY_BYTES = 32;
export const SEED_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** A key from 32 bytes of unknown origin (E1), copied. Costs about a millisecond: once per key, not per message. */
export function admitKey(raw: Uint8Array): Result<PublicKey, Refusal> {
  if (raw.length !== PUBLIC_KEY_BYTES) {
    return err({ code: 'key.wrong_length', message: `expected ${PUBLIC_KEY_BYTES} bytes, found ${raw.length}` });
  }
  const bytes = Uint8Array.from(raw);
  const point = decodePoint(bytes);
  if (!point.ok) return point;
  if (point.value.isSmallOrder()) {
    return err({ code: 'key.small_order', message: 'expected a key of prime order, found one of order at most 8' });
  }
  if (!point.value.isTorsionFree()) {
    return err({ code: 'key.mixed_order', message: 'expected a key of prime order, found one with a small component' });
  }
  const handle = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: 'der', type: 'spki' });
  return ok({ bytes, handle } as PublicKey);
}

export function generateKeyPair(random: Random): KeyPair {
  return keyPairFromSeed(random.bytes(SEED_BYTES));
}

/** The pair of a private key as RFC 8032 section 5.1.5 has it: 32 secret bytes, here called the seed. */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  assert(seed.length === SEED_BYTES, 'keyPairFromSeed: 32 bytes');
  const key = Buffer.concat([PKCS8_PREFIX, seed]);
  const handle = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  key.fill(0); // its memory is Node's shared pool
  const raw = jwkMember(createPublicKey(handle), 'x');
  return { publicKey: unwrap(admitKey(raw), 'the public key of a seed is of prime order'), handle } as KeyPair;
}

/** The secret itself, for a key file. There is no other way to it. */
export function seedOf(pair: KeyPair): Uint8Array {
  return jwkMember(pair.handle, 'd');
}

/** 64 bytes, R ‖ S (E3). */
export function sign(pair: KeyPair, message: Uint8Array): Uint8Array {
  return signWithNode(null, message, pair.handle);
}

/** Whether `signature` is the key's over `message` (E2, E4), by node:crypto: nine times faster than in JavaScript. */
export function verify(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  return isPlausible(signature) && verifyWithNode(null, message, key.handle, signature);
}

/** The same answer without OpenSSL's verifier: R = [S]B − [k]A, no cofactor, compared as bytes (RFC 8032 section 5.1.7). */
export function verifyPortable(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isPlausible(signature)) return false;
  const encodedR = signature.subarray(0, R_BYTES);
  const s = littleEndian(signature.subarray(R_BYTES));
  if (s >= ORDER) return false;
  const k = littleEndian(hash('sha512', concat(encodedR, key.bytes, message), 'buffer')) % ORDER;
  const expectedR = BASE.multiplyUnsafe(s).subtract(Point.fromBytes(key.bytes, false).multiplyUnsafe(k));
  return equalBytes(expectedR.toBytes(), encodedR);
}

const { Point } = ed25519;
const { BASE } = Point;
const ORDER = Point.CURVE().n;
const NEUTRAL = Point.ZERO.toBytes();
const R_BYTES = 32;

/** What can be said before any arithmetic: 64 bytes (E2), R not the neutral element (E4). */
function isPlausible(signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && !equalBytes(signature.subarray(0, R_BYTES), NEUTRAL);
}

/** RFC 8410 section 4 and 7: what stands before the 32 bytes of a key in DER. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** RFC 8032 section 5.1.3: refuses y ≥ p, a y off the curve, and the sign bit set where x is zero. */
function decodePoint(bytes: Uint8Array): Result<typeof BASE, Refusal> {
  try {
    return ok(Point.fromBytes(bytes, false));
  } catch (error) {
    const message = `expected the canonical encoding of a point, found otherwise: ${messageOf(error)}`;
    return err({ code: 'key.not_canonical', message });
  }
}

/** RFC 8037 section 2: `x` is the public key and `d` the seed. */
function jwkMember(handle: KeyObject, member: 'x' | 'd'): Uint8Array {
  const bytes = fromBase64url(handle.export({ format: 'jwk' })[member] ?? '');
  assert(bytes?.length === 32, 'jwkMember: 32 bytes');
  return Uint8Array.from(bytes);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
