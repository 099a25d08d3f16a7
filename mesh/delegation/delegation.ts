/**
 * One delegation: a signed word by which an issuer gives a part of a root's authority to an audience. A JWT of one fixed
 * header (`jwt.ts`) with the meaning of UCAN's delegations; what it is worth, only its chain says (`chain.ts`).
 *
 * L1. Every member is there, but `prf` at the root and `ctx` where nothing is bound to a context: an absent one is never
 *     read as "anything".
 * L2. It is named by the content id of its text. What it says was signed by the key that was in force when it was read; whether
 *     that key still is, is asked at every use.
 */
import { type Cid, cidOf } from '../../runtime/codec/cid.ts';
import { type Did, parseDid } from '../../runtime/codec/did.ts';
import type { KeyPair, PublicKey } from '../../runtime/codec/ed25519.ts';
import { assert } from '../../runtime/core/assert.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { equalBytes, fromBase64url, utf8 } from '../../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../../runtime/core/result.ts';
import { bytes, cid, did } from '../fields.ts';
import type { Subject } from '../hosting.ts';
import { currentKey } from '../identity.ts';
import { type Resolve, readJwt, writeJwt } from '../jwt.ts';
import { DELEGATION_CHAIN_MAX, DELEGATION_SECONDS_MAX, JWT_CHARACTERS_MAX, PREDICATES_MAX } from '../limits.ts';
import { integer, list, type Of, object, optional, readStrict, text } from '../strict-json.ts';
import { amount } from './amount.ts';
import { commandPrefix } from './command.ts';
import { predicate } from './predicate.ts';

export const NONCE_BYTES = 16;

const DELEGATION = object({
  /** To whom. */
  aud: did,
  /** How much, shared by everything that hangs below; `{}` sets no bound of its own. */
  bud: amount,
  /** What: this command, and those below it. */
  cmd: commandPrefix,
  /** Only within this session, task or correlation. */
  ctx: optional(text('1 to 200 printable characters', (found) => /^[\x21-\x7e]{1,200}$/.test(found))),
  /** How many links may follow. */
  dep: integer(0, DELEGATION_CHAIN_MAX - 1),
  /** Until when, in seconds. */
  exp: integer(0),
  /** By whom. */
  iss: did,
  /** From when, in seconds. */
  nbf: integer(0),
  /** Keeps two delegations that say the same apart. */
  nnc: bytes(NONCE_BYTES),
  /** With which arguments: all of these. */
  pol: list(predicate, PREDICATES_MAX),
  /** The parent; absent at the root. */
  prf: optional(cid),
  /** Whose authority it is a part of. */
  sub: did,
  /** How far the audience may count as trusted for it: 0 to 1000. */
  tcl: integer(0, 1000),
});

/** What a delegation says, in the members of its JWT. */
export type DelegationClaims = Of<typeof DELEGATION>;

/** A delegation whose form and signature hold (L2). */
export type Delegation = {
  readonly claims: DelegationClaims;
  readonly cid: Cid;
  readonly token: string;
  /** What signed; `undefined` where the issuer is a did:key, whose key never changes. */
  readonly key: PublicKey | undefined;
};

/** Signs. What is sensible to sign, `mint` says. */
export async function writeDelegation(claims: DelegationClaims, pair: KeyPair): Promise<string> {
  const fault = DELEGATION.faultIn(JSON.parse(JSON.stringify(claims)), '');
  assert(fault === undefined, `writeDelegation: ${fault?.expected} at ${fault?.path}`);
  return await writeJwt('iatp-dlg+jwt', { ...claims }, pair);
}

/** The delegation in a token, whoever it is for and whenever it is good: those are asked at its use. Never throws on its
 *  text. The refusal is one of the token's (`jwt.*`). */
export async function readDelegation(token: string, resolve: Resolve): Promise<Result<Delegation, Refusal>> {
  const { aud = NOBODY, nbf = 0 } = peek(token) ?? {};
  const at = (nbf * 1000) as Millis;
  const read = await readJwt(token, { purpose: 'iatp-dlg+jwt', shape: DELEGATION, audience: aud, at, resolve });
  if (!read.ok) return read;
  const claims = read.value;
  if (claims.exp - claims.nbf > DELEGATION_SECONDS_MAX) {
    return err({ code: 'delegation.too_long', message: `expected at most ${DELEGATION_SECONDS_MAX} s` });
  }
  const subject = resolve(claims.iss);
  return ok({ claims, cid: cidOf(utf8(token)), token, key: subject && keyOf(subject) });
}

/** Whether the key that signed is its issuer's still (R1). */
export function isInForce({ key }: Delegation, issuer: Subject): boolean {
  if (issuer.type === 'key') return key === undefined;
  if (key === undefined || issuer.identity.revoked !== undefined) return false;
  const current = currentKey(issuer.identity);
  return current === key || equalBytes(current.bytes, key.bytes);
}

/** Whom the token says it is for, and from when, so that the wrapper can be asked about all the rest. */
function peek(token: string): DelegationClaims | undefined {
  if (token.length > JWT_CHARACTERS_MAX) return undefined;
  const payload = fromBase64url(token.split('.', 2)[1] ?? '');
  const read = payload === undefined ? undefined : readStrict(payload, DELEGATION, 'jwt.malformed');
  return read?.ok === true ? read.value : undefined;
}

function keyOf(subject: Subject): PublicKey | undefined {
  return subject.type === 'mesh' ? currentKey(subject.identity) : undefined;
}

const NOBODY: Did = unwrap(parseDid('did:none:none'), 'a DID');
