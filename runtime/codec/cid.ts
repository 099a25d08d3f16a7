/**
 * Content ids: how blobs, envelopes, policies and delegations are named in text. Of all that a CID can be, the house writes
 * one form: version 1, raw bytes, SHA-256, in lower-case base32 (multiformats CIDv1). Equal content, equal text.
 */
import { base32 } from 'multiformats/bases/base32';
import type { Brand } from '../core/brand.ts';
import { concat, equalBytes } from '../core/bytes.ts';
import { messageOf } from '../core/errors.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../core/result.ts';
import { DIGEST_BYTES, type Digest, sha256 } from './digest.ts';

/** 59 characters that begin with `bafkrei`. */
export type Cid = Brand<`bafkrei${string}`, 'Cid'>;

export function cidOf(bytes: Uint8Array): Cid {
  return cidFromDigest(sha256(bytes));
}

export function cidFromDigest(digest: Digest): Cid {
  return base32.encode(concat(PREFIX, digest)) as Cid;
}

/** Accepts exactly what `cidFromDigest` writes: no other version, codec, hash, base or letter case. */
export function parseCid(text: string): Result<Cid, Refusal> {
  if (CID.test(text)) return ok(text as Cid);
  const digest = decode(text);
  return digest.ok ? ok(text as Cid) : digest;
}

/** The digest inside: of the very bytes that the id names. */
export function digestOfCid(cid: Cid): Digest {
  return unwrap(decode(cid), 'a Cid has been parsed');
}

/** CID version 1, codec `raw`, hash `sha2-256`, 32 bytes: each a varint of one byte. */
const PREFIX = Uint8Array.of(0x01, 0x55, 0x12, DIGEST_BYTES);
const CID_LENGTH = 59;

/** The same as text: the prefix ends two bits into the eighth character, and the last one has two bits to spare. */
export const CID = /^bafkrei[a-h][a-z2-7]{50}[aeimquy4]$/;

function decode(text: string): Result<Digest, Refusal> {
  if (text.length !== CID_LENGTH) return malformed(`${CID_LENGTH} characters, found ${text.length}`);
  let bytes: Uint8Array;
  try {
    bytes = base32.decode(text);
  } catch (error) {
    return malformed(`base32: ${messageOf(error)}`);
  }
  if (!equalBytes(bytes.subarray(0, PREFIX.length), PREFIX)) return malformed('version 1, raw, sha2-256');
  if (base32.encode(bytes) !== text) return malformed('lower-case base32 without padding');
  return ok(bytes.subarray(PREFIX.length) as Digest);
}

function malformed(expected: string): Result<never, Refusal> {
  return err({ code: 'cid.malformed', message: `expected ${expected}` });
}
