/** DID documents (W3C DID 1.1), made from what a node knows: for did-jwt, and for people who ask. Nothing is fetched. */
import { base58btc } from 'multiformats/bases/base58';
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey, parseDidKey } from '../runtime/codec/did-key.ts';
import type { PublicKey } from '../runtime/codec/ed25519.ts';
import { concat } from '../runtime/core/bytes.ts';
import type { Subject } from './hosting.ts';
import { currentKey } from './identity.ts';

/** The document, and its one key; `undefined` for an identity that has ended. */
export function didDocument(
  subject: Subject,
): { readonly did: Did; readonly key: PublicKey; readonly didDocument: object } | undefined {
  if (subject.type === 'mesh' && subject.identity.revoked !== undefined) return undefined;
  const did = subject.type === 'key' ? subject.did : subject.identity.did;
  const key = keyOf(subject);
  if (key === undefined) return undefined;
  const id = `${did}#${formatDidKey(key).slice('did:key:'.length)}`;
  const controller = subject.type === 'mesh' && subject.identity.sponsor !== undefined ? subject.identity.sponsor : did;
  const didDocument = {
    '@context': ['https://www.w3.org/ns/did/v1.1', 'https://w3id.org/security/multikey/v1'],
    id: did,
    controller,
    verificationMethod: [{ id, type: 'Multikey', controller: did, publicKeyMultibase: multibase(key) }],
    assertionMethod: [id],
    authentication: [id],
    capabilityDelegation: [id],
    capabilityInvocation: [id],
  };
  return { did, key, didDocument };
}

function keyOf(subject: Subject): PublicKey | undefined {
  if (subject.type === 'mesh') return currentKey(subject.identity);
  const key = parseDidKey(subject.did);
  return key.ok ? key.value : undefined;
}

function multibase(key: PublicKey): string {
  return base58btc.encode(concat(Uint8Array.of(0xed, 0x01), key.bytes));
}
