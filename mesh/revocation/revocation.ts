/**
 * Taking authority back: a signed statement that a delegation, a hosting certificate or an identity is worth nothing from now
 * on. There is no statement that undoes it; an error is mended by a new delegation.
 *
 * Who may revoke what, the verifier decides, with the chain or certificate at hand: so a statement may arrive before what it
 * is about.
 */
import { type Cid, parseCid } from '../../runtime/codec/cid.ts';
import { type Did, parseDid } from '../../runtime/codec/did.ts';
import type { KeyPair } from '../../runtime/codec/ed25519.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Refusal, Result } from '../../runtime/core/result.ts';
import { line, millis } from '../fields.ts';
import { readStatement, type Statement, writeStatement } from '../statement.ts';
import { object, text } from '../strict-json.ts';

/** What is taken back: a delegation's or a certificate's content id, or a DID. */
export type Revocable = Cid | Did;

export type Revocation = { readonly at: Millis; readonly reason: string; readonly target: Revocable };

/** `reason` is a line for people. */
export function writeRevocationOf(revocation: Revocation, by: KeyPair): Uint8Array {
  const { at, reason, target } = revocation;
  return writeStatement(KIND.domain, { at, reason, target }, [by]);
}

export function readRevocation(statement: Uint8Array): Result<Statement<Revocation>, Refusal> {
  return readStatement(statement, KIND);
}

/** The content id or DID in `found`. */
export function parseRevocable(found: string): Result<Revocable, Refusal> {
  return found.startsWith('did:') ? parseDid(found) : parseCid(found);
}

const KIND = {
  domain: 'iatp-mesh/1/revocation',
  shape: object({
    at: millis,
    reason: line,
    target: text<Revocable>('a content id or a DID', (found) => parseRevocable(found).ok),
  }),
} as const;
