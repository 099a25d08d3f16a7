/**
 * Hosting certificates: an agent's key says that a node, in one life of it, may speak for the agent until an hour from now
 * at most. The node's message key then signs for all agents it hosts, and no agent's key is in use on the wire.
 *
 * C1. A certificate is good for exactly one node and one boot epoch of it.
 * C2. It is signed by the agent's key in force: after a rotation, older certificates are worth nothing.
 * C3. A withdrawal is final. The agent's keys and its sponsor may withdraw.
 */
import type { Cid } from '../runtime/codec/cid.ts';
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey, parseDidKey } from '../runtime/codec/did-key.ts';
import type { KeyPair } from '../runtime/codec/ed25519.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { equalBytes, toBase64url } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { bytes, cid, did, didKey, millis } from './fields.ts';
import { EPOCH_BYTES, type Epoch } from './head.ts';
import { currentKey, type Identity, isEntitled } from './identity.ts';
import { CERTIFICATE_MS_MAX, SKEW_MS } from './limits.ts';
import { readStatement, type Statement, writeStatement } from './statement.ts';
import { object } from './strict-json.ts';

/** What a certificate says. */
export type Hosting = {
  readonly agent: Did;
  readonly node: Did;
  readonly epoch: string;
  readonly issued: Millis;
  readonly expires: Millis;
};

/** Whom a statement may be about: a did:mesh with its history, or a did:key, which is its own. */
export type Subject =
  | { readonly type: 'mesh'; readonly identity: Identity }
  | { readonly type: 'key'; readonly did: Did };

export function writeCertificate(
  hosting: {
    readonly agent: Did;
    readonly node: Did;
    readonly epoch: Epoch;
    readonly issued: Millis;
    readonly expires: Millis;
  },
  agentKey: KeyPair,
): Uint8Array {
  const { agent, node, epoch, issued, expires } = hosting;
  assert(expires > issued && expires - issued <= CERTIFICATE_MS_MAX, 'writeCertificate: at most an hour');
  return writeStatement('iatp-mesh/1/hosting', { agent, epoch: toBase64url(epoch), expires, issued, node }, [agentKey]);
}

/** The end of one certificate (C3). */
export function writeWithdrawal(
  withdrawal: { readonly agent: Did; readonly certificate: Cid; readonly at: Millis },
  by: KeyPair,
): Uint8Array {
  const { agent, certificate, at } = withdrawal;
  return writeStatement('iatp-mesh/1/withdrawal', { agent, at, certificate }, [by]);
}

/** A certificate whose signature holds. By whom it had to be signed, and when it is good, `checkCertificate` says. */
export function readCertificate(statement: Uint8Array): Result<Statement<Hosting>, Refusal> {
  return readStatement(statement, HOSTING);
}

export function readWithdrawal(
  statement: Uint8Array,
): Result<Statement<{ readonly agent: Did; readonly certificate: Cid; readonly at: Millis }>, Refusal> {
  return readStatement(statement, WITHDRAWAL);
}

/** Whether the certificate lets this node, in this life of it, speak for this agent at that moment (C1, C2). */
export function checkCertificate(
  certificate: Statement<Hosting>,
  use: { readonly subject: Subject; readonly node: Did; readonly epoch: Epoch; readonly at: Millis },
): Result<true, Refusal> {
  const { agent, node, epoch, issued, expires } = certificate.value;
  const { subject, at } = use;
  const expected = subject.type === 'key' ? subject.did : subject.identity.did;
  if (agent !== expected) {
    return err({ code: 'certificate.other_agent', message: `expected a certificate of ${expected}, found ${agent}'s` });
  }
  if (node !== use.node) {
    return err({
      code: 'certificate.other_node',
      message: `expected a certificate for ${use.node}, found one for ${node}`,
    });
  }
  if (epoch !== toBase64url(use.epoch)) {
    return err({ code: 'certificate.other_epoch', message: 'expected a certificate for this life of the node' });
  }
  if (subject.type === 'mesh' && subject.identity.revoked !== undefined) {
    return err({ code: 'did.revoked', message: `expected an identity in force, found ${agent} revoked` });
  }
  if (!isSignedInForce(certificate, subject)) {
    return err({
      code: 'certificate.wrong_key',
      message: 'expected the key of the agent that is in force to have signed',
    });
  }
  if (expires <= issued || expires - issued > CERTIFICATE_MS_MAX) {
    return err({ code: 'certificate.too_long', message: 'expected a life of at most an hour' });
  }
  if (at > expires) return err({ code: 'certificate.expired', message: `expected it to last until ${at}` });
  if (issued > at + SKEW_MS) return err({ code: 'certificate.future', message: `expected it to begin before ${at}` });
  return ok(true);
}

/** Whether the key that is in force for the subject signed the statement. */
export function isSignedInForce({ signers }: Pick<Statement<unknown>, 'signers'>, subject: Subject): boolean {
  if (subject.type === 'key') return signers.has(subject.did);
  const { bytes } = currentKey(subject.identity);
  for (const signer of signers.values()) if (equalBytes(signer.bytes, bytes)) return true;
  return false;
}

/** Whether the withdrawal comes from who may withdraw (C3). */
export function checkWithdrawal(signers: Iterable<Did>, subject: Subject): Result<true, Refusal> {
  for (const signer of signers) {
    const entitled = subject.type === 'key' ? signer === subject.did : isEntitled(subject.identity, signer);
    if (entitled) return ok(true);
  }
  return err({ code: 'certificate.unauthorised', message: 'expected the agent or its sponsor to withdraw' });
}

/** A did:key as its own subject. */
export function keySubject(text: string): Result<Subject, Refusal> {
  const key = parseDidKey(text);
  return key.ok ? ok({ type: 'key', did: formatDidKey(key.value) }) : key;
}

const HOSTING = {
  domain: 'iatp-mesh/1/hosting',
  shape: object({ agent: did, epoch: bytes(EPOCH_BYTES), expires: millis, issued: millis, node: didKey }),
} as const;

const WITHDRAWAL = {
  domain: 'iatp-mesh/1/withdrawal',
  shape: object({ agent: did, at: millis, certificate: cid }),
} as const;
