/** SHA-256 (FIPS 180-4), the one hash of the house: leaves, nodes, blobs, content ids, key ids. */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import type { Brand } from '../core/brand.ts';
import { concat, fromBase64url, toBase64url } from '../core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';

/** A SHA-256 digest: exactly 32 bytes. */
export type Digest = Brand<Uint8Array, 'Digest'>;

export const DIGEST_BYTES = 32;

/** The digest of the parts as if they were one. Several parts are copied once; a single part not at all. */
export function sha256(...parts: readonly Uint8Array[]): Digest {
  const [only] = parts;
  const bytes = parts.length === 1 && only !== undefined ? only : concat(...parts);
  // By way of a string, since Node gives each digest buffer a memory of its own: 450 ns for 65 bytes against 850. The
  // bytes come from Node's shared pool instead, so never transfer or structured-clone a digest's `buffer`.
  return Buffer.from(hash('sha256', bytes, 'latin1'), 'latin1') as Uint8Array as Digest;
}

/** What `formatDigest` writes of the digest of `bytes`, where nothing else is wanted of it: half of what both take. */
export function sha256Text(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64url');
}

/** `bytes` as a digest: the same memory, not a copy. */
export function parseDigest(bytes: Uint8Array): Result<Digest, Refusal> {
  if (bytes.length === DIGEST_BYTES) return ok(bytes as Digest);
  return err({ code: 'digest.malformed', message: `expected ${DIGEST_BYTES} bytes, found ${bytes.length}` });
}

/** 43 characters of base64url without padding: how a digest is written in records. */
export function formatDigest(digest: Digest): string {
  return toBase64url(digest);
}

/** Accepts exactly what `formatDigest` writes. */
export function parseDigestText(text: string): Result<Digest, Refusal> {
  const bytes = fromBase64url(text);
  if (bytes === undefined) return err({ code: 'digest.malformed', message: 'expected base64url without padding' });
  return parseDigest(bytes);
}
