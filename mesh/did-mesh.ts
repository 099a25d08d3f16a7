/** `did:mesh:<name>:<fingerprint>`: the identifier. Whom it names is for its history to say (`identity.ts`). */
import { base58btc } from 'multiformats/bases/base58';
import { type Did, parseDid } from '../runtime/codec/did.ts';
import { DIGEST_BYTES, type Digest } from '../runtime/codec/digest.ts';
import { assert } from '../runtime/core/assert.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import { isName } from './fields.ts';

/** The fingerprint is the SHA-256 of the inception's payload, in base58btc without a multibase prefix. */
export function formatDidMesh(name: string, inception: Digest): Did {
  assert(isName(name), 'formatDidMesh: a name');
  return unwrap(parseDid(`${METHOD}${name}:${base58btc.baseEncode(inception)}`), 'a did:mesh is a DID');
}

/** The parts of a did:mesh, if `text` is one in the only spelling that it has. */
export function parseDidMesh(text: string): Result<{ readonly did: Did; readonly name: string }, Refusal> {
  const did = parseDid(text);
  if (!did.ok) return did;
  const [, name = '', fingerprint = ''] = FORM.exec(text) ?? [];
  if (!isName(name) || !isFingerprint(fingerprint)) {
    return err({ code: 'did.unsupported', message: 'expected did:mesh:<name>:<fingerprint>' });
  }
  return ok({ did: did.value, name });
}

export function isDidMesh(text: string): boolean {
  return text.startsWith(METHOD);
}

const METHOD = 'did:mesh:';
/** The length is bounded before decoding, which takes quadratic time. */
const FORM = /^did:mesh:([a-z0-9-]{1,63}):([1-9A-HJ-NP-Za-km-z]{32,44})$/;

/** 32 bytes, and the one text that they have. */
function isFingerprint(text: string): boolean {
  if (text === '') return false;
  const bytes = base58btc.baseDecode(text);
  return bytes.length === DIGEST_BYTES && base58btc.baseEncode(bytes) === text;
}
