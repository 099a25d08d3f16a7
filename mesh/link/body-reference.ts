/**
 * Bodies by digest. A body that an envelope has no room for stays at its sender, and a reference to it travels instead; the
 * receiver fetches it in chunks before anybody else sees the message. The reference is the content of the envelope, so it
 * is signed, and encrypted where bodies are; SHA-256 of the body itself, so that it means the same after every restart.
 */
import { sha256 } from '../../runtime/codec/digest.ts';
import { canonicalJson } from '../../runtime/codec/json.ts';
import { type DigestText, digestText } from '../../runtime/codec/record.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../../runtime/core/result.ts';
import { digest } from '../fields.ts';
import { BODY_BYTES_MAX } from '../limits.ts';
import { integer, object, oneOf, readStrict } from '../strict-json.ts';
import { JSON_MEDIA } from './bodies.ts';
import { CHUNK_BYTES, LARGE_BODY_BYTES_MAX } from './limits.ts';

/** The media type of a content that is a reference. */
export const REFERENCE_MEDIA = 'application/vnd.ringmesh.reference';

/** By which a receiver asks for a chunk. */
export const CHUNK_COMMAND = '/mesh/chunk';
export const CHUNK_MEDIA = 'application/octet-stream';

export type BodyReference = { readonly digest: DigestText; readonly media: typeof JSON_MEDIA; readonly size: number };

/** One piece of a body, by its place from 0. */
export type ChunkRequest = { readonly digest: DigestText; readonly index: number };

export function isLarge(content: Uint8Array): boolean {
  return content.length > BODY_BYTES_MAX;
}

export function digestOfBody(content: Uint8Array): DigestText {
  return digestText(sha256(content));
}

export function writeReference(content: Uint8Array): Uint8Array {
  return written({ digest: digestOfBody(content), media: JSON_MEDIA, size: content.length });
}

/** The reference in a content; what has room in an envelope has to be there. */
export function readReference(content: Uint8Array): Result<BodyReference, Refusal> {
  const read = readStrict(content, REFERENCE, 'body.malformed');
  if (!read.ok) return read;
  const { size } = read.value;
  if (size > LARGE_BODY_BYTES_MAX) {
    return err({ code: 'body.too_large', message: `expected at most ${LARGE_BODY_BYTES_MAX} bytes, found ${size}` });
  }
  if (size <= BODY_BYTES_MAX) {
    return err({ code: 'body.malformed', message: `expected a body of ${size} bytes in its envelope` });
  }
  return ok(read.value);
}

export function writeChunkRequest(request: ChunkRequest): Uint8Array {
  return written(request);
}

export function readChunkRequest(content: Uint8Array): Result<ChunkRequest, Refusal> {
  return readStrict(content, CHUNK_REQUEST, 'body.malformed');
}

/** How many chunks a body has, and how long the one at `index` is. */
export function chunksIn(size: number): number {
  return Math.ceil(size / CHUNK_BYTES);
}

export function chunkLength(size: number, index: number): number {
  return Math.min(CHUNK_BYTES, size - index * CHUNK_BYTES);
}

const REFERENCE = object({ digest, media: oneOf(JSON_MEDIA), size: integer(0) });
const CHUNK_REQUEST = object({ digest, index: integer(0, chunksIn(LARGE_BODY_BYTES_MAX) - 1) });

function written(value: BodyReference | ChunkRequest): Uint8Array {
  return utf8(unwrap(canonicalJson(value), 'a reference is data'));
}
