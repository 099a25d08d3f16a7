/**
 * Who a did:mesh is: an inception, then rotations, then perhaps a revocation, all signed, verified offline by folding
 * them. The identifier is the hash of the inception, so it and all that hangs on it survive every change of key.
 *
 * I1. An inception is signed by its first key and, where it names a sponsor, by that sponsor's key. It cannot name a sponsor
 *     who did not sign: nobody is made to answer for what he never agreed to.
 * I2. A rotation is signed by the key it ends and by the key it begins, and the new key is the one whose hash the statement
 *     before it committed to. Who steals a key in use can neither rotate it nor survive its rotation.
 * I3. A revocation is signed by the sponsor or by any key the identity ever had. It is final, whatever else is known, in
 *     whatever order it arrives. (So a stolen old key can end an identity. It can do nothing else with it.)
 * I4. Of two rotations at one place the first known wins and the other is refused: whoever holds both has proof that the
 *     owner said two things.
 *
 * Times in statements are what their signers say; nothing here depends on them.
 */
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import type { Digest } from '../runtime/codec/digest.ts';
import type { KeyPair, PublicKey } from '../runtime/codec/ed25519.ts';
import { type DigestText, digestText } from '../runtime/codec/record.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { formatDidMesh } from './did-mesh.ts';
import { hashIn } from './domain.ts';
import { did, didKey, digest, line, millis, name } from './fields.ts';
import { ROTATIONS_MAX } from './limits.ts';
import { readStatement, type Statement, writeStatement } from './statement.ts';
import { integer, object, optional } from './strict-json.ts';

/** What a history proves. A value: learning more makes another one. */
export type Identity = {
  readonly did: Did;
  readonly name: string;
  /** Who answers for it; `undefined` where nobody does. */
  readonly sponsor: Did | undefined;
  /** Every key it had, by sequence; the last is in force. */
  readonly keys: readonly PublicKey[];
  /** The digest of the last inception or rotation, and of the key that it committed to. */
  readonly head: Digest;
  readonly next: DigestText;
  /** Why it ended, once it has (I3). */
  readonly revoked: string | undefined;
  /** The statements themselves, in order, for passing on. */
  readonly history: readonly Uint8Array[];
};

/** The inception of a new identity (I1). `next` is the public key of the pair kept aside for the first rotation. */
export function writeInception(inception: {
  readonly name: string;
  readonly key: KeyPair;
  readonly next: PublicKey;
  readonly sponsor?: KeyPair;
  readonly at: Millis;
}): Uint8Array {
  const { name, key, next, sponsor, at } = inception;
  const value = {
    at,
    key: formatDidKey(key.publicKey),
    name,
    next: commitment(next),
    ...(sponsor === undefined ? {} : { sponsor: formatDidKey(sponsor.publicKey) }),
  };
  return writeStatement('did-mesh/1/inception', value, sponsor === undefined ? [key] : [key, sponsor]);
}

/** The rotation that ends the key in force (I2). */
export function writeRotation(
  identity: Identity,
  rotation: { readonly from: KeyPair; readonly to: KeyPair; readonly next: PublicKey; readonly at: Millis },
): Uint8Array {
  const { from, to, next, at } = rotation;
  assert(commitment(to.publicKey) === identity.next, 'writeRotation: the key that was committed to');
  const value = {
    at,
    did: identity.did,
    key: formatDidKey(to.publicKey),
    next: commitment(next),
    previous: digestText(identity.head),
    sequence: identity.keys.length,
  };
  return writeStatement('did-mesh/1/rotation', value, [from, to]);
}

/** The end of an identity (I3). `reason` is a line for people. */
export function writeRevocation(
  did: Did,
  revocation: { readonly by: KeyPair; readonly reason: string; readonly at: Millis },
): Uint8Array {
  const { by, reason, at } = revocation;
  return writeStatement('did-mesh/1/revocation', { at, did, reason }, [by]);
}

/** The identity that an inception begins. */
export function incept(bytes: Uint8Array): Result<Identity, Refusal> {
  const read = readStatement(bytes, INCEPTION);
  if (!read.ok) return read;
  const { value, signers, digest } = read.value;
  const key = signers.get(value.key);
  if (key === undefined) return unauthorised('the first key to sign its inception');
  if (value.sponsor === value.key) return unauthorised('a sponsor other than the key itself');
  if (value.sponsor !== undefined && !signers.has(value.sponsor)) {
    return err({ code: 'did.unsponsored', message: `expected ${value.sponsor} to have signed as sponsor` });
  }
  if (signers.size > (value.sponsor === undefined ? 1 : 2)) return unauthorised('no signatures but those due');
  return ok({
    did: formatDidMesh(value.name, digest),
    name: value.name,
    sponsor: value.sponsor,
    keys: [key],
    head: digest,
    next: value.next,
    revoked: undefined,
    history: [bytes],
  });
}

/** The identity after one more statement about it. A statement that it knows already changes nothing. */
export function learn(identity: Identity, bytes: Uint8Array): Result<Identity, Refusal> {
  const read = readStatement(bytes, ROTATION);
  if (read.ok) return rotate(identity, read.value);
  if (read.error.code !== 'statement.wrong_type') return read;
  const revocation = readStatement(bytes, REVOCATION);
  return revocation.ok ? revoke(identity, revocation.value) : revocation;
}

/** Whom a rotation or revocation is about, if its signatures hold. */
export function statementSubject(bytes: Uint8Array): Result<Did, Refusal> {
  const rotation = readStatement(bytes, ROTATION);
  if (rotation.ok) return ok(rotation.value.value.did);
  if (rotation.error.code !== 'statement.wrong_type') return rotation;
  const revocation = readStatement(bytes, REVOCATION);
  return revocation.ok ? ok(revocation.value.value.did) : revocation;
}

/** Folds a whole history, inception first. */
export function foldIdentity(history: readonly Uint8Array[]): Result<Identity, Refusal> {
  const [inception, ...rest] = history;
  if (inception === undefined || rest.length > ROTATIONS_MAX + 1) {
    return err({ code: 'did.no_history', message: `expected 1 to ${ROTATIONS_MAX + 2} statements` });
  }
  let identity = incept(inception);
  for (const bytes of rest) {
    if (!identity.ok) return identity;
    identity = learn(identity.value, bytes);
  }
  return identity;
}

/** The key in force. */
export function currentKey(identity: Identity): PublicKey {
  const key = identity.keys.at(-1);
  assert(key !== undefined, 'currentKey: an identity has a key');
  return key;
}

/** Which of these did:key may speak of the identity's end, or of its certificates'. */
export function isEntitled(identity: Identity, signer: Did): boolean {
  return signer === identity.sponsor || identity.keys.some((key) => formatDidKey(key) === signer);
}

const INCEPTION = {
  domain: 'did-mesh/1/inception',
  shape: object({ at: millis, key: didKey, name, next: digest, sponsor: optional(didKey) }),
} as const;

const ROTATION = {
  domain: 'did-mesh/1/rotation',
  shape: object({ at: millis, did, key: didKey, next: digest, previous: digest, sequence: integer(1, ROTATIONS_MAX) }),
} as const;

const REVOCATION = { domain: 'did-mesh/1/revocation', shape: object({ at: millis, did, reason: line }) } as const;

type Rotation = Statement<typeof ROTATION.shape extends { readonly of?: infer T } ? NonNullable<T> : never>;
type Revocation = Statement<typeof REVOCATION.shape extends { readonly of?: infer T } ? NonNullable<T> : never>;

function rotate(identity: Identity, statement: Rotation): Result<Identity, Refusal> {
  const { value, signers, digest, bytes } = statement;
  if (value.did !== identity.did) return otherDid(identity.did, value.did);
  if (identity.revoked !== undefined) return ok(identity);
  if (value.sequence > identity.keys.length) {
    return err({ code: 'did.gap', message: `expected rotation ${identity.keys.length}, found ${value.sequence}` });
  }
  if (value.sequence < identity.keys.length) return known(identity, statement);
  if (value.previous !== digestText(identity.head)) {
    return err({ code: 'did.forked', message: 'expected the rotation to follow the statement known before it' });
  }
  const [old, key] = [signers.get(formatDidKey(currentKey(identity))), signers.get(value.key)];
  if (old === undefined || key === undefined || old === key) return unauthorised('the old and the new key to sign');
  if (commitment(key) !== identity.next) {
    return err({ code: 'did.not_committed', message: 'expected the key whose hash was given before' });
  }
  return ok({
    ...identity,
    keys: [...identity.keys, key],
    head: digest,
    next: value.next,
    history: [...identity.history, bytes],
  });
}

/** A rotation at a place that is taken: the same one, or a fork (I4). */
function known(identity: Identity, { value, digest, bytes }: Rotation): Result<Identity, Refusal> {
  const there = identity.history[value.sequence];
  const same = there === undefined ? undefined : readStatement(there, ROTATION);
  if (same?.ok === true && digestText(same.value.digest) === digestText(digest)) return ok(identity);
  const message = `expected the rotation ${value.sequence} known before, found another of ${bytes.length} bytes`;
  return err({ code: 'did.forked', message });
}

function revoke(identity: Identity, { value, signers, bytes }: Revocation): Result<Identity, Refusal> {
  if (value.did !== identity.did) return otherDid(identity.did, value.did);
  if (![...signers.keys()].every((signer) => isEntitled(identity, signer)) || signers.size === 0) {
    return unauthorised('the sponsor or a key of the identity to revoke it');
  }
  if (identity.revoked !== undefined) return ok(identity);
  return ok({ ...identity, revoked: value.reason, history: [...identity.history, bytes] });
}

/** What stands for a key that is not to be shown yet. */
function commitment(key: PublicKey): DigestText {
  return digestText(hashIn('did-mesh/1/next', key.bytes));
}

function otherDid(expected: Did, found: Did): Result<never, Refusal> {
  return err({ code: 'did.other', message: `expected a statement about ${expected}, found one about ${found}` });
}

function unauthorised(expected: string): Result<never, Refusal> {
  return err({ code: 'did.unauthorised', message: `expected ${expected}` });
}
