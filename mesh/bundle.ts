/**
 * Bundles: the envelopes of one batch that go to one node, in one message under their one signature, without paths.
 *
 *     0    4  "IATB"
 *     4    1  version, 1
 *     5    1  zero
 *     6    2  how many, 1 to 256: the size of the batch
 *     8   64  signature, as in a frame
 *    72       of each: head (128), length of the claims (4), length of the body's bytes (4), claims, body
 *
 * What is signed is what is signed in frames, so a bundle can be taken apart into frames, and the frames of a whole batch put
 * together into a bundle, by anybody, without a key.
 */
import { Buffer } from 'node:buffer';
import type { KeyPair } from '../runtime/codec/ed25519.ts';
import { assert } from '../runtime/core/assert.ts';
import { view } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { type Batch, type Parts, signBatch, type Unsealed } from './frame.ts';
import { decodeHead, HEAD_BYTES, VERSION } from './head.ts';
import { BODY_SECTION_BYTES_MAX, BUNDLE_BYTES_MAX, CLAIMS_BYTES_MAX, SEAL_BATCH_MAX } from './limits.ts';

/** One signature over all of `batch`, in one message. The caller sees to it that it is not longer than BUNDLE_BYTES_MAX. */
export function sealBundle(batch: readonly Unsealed[], pair: KeyPair): Uint8Array {
  const { signature } = signBatch(batch, pair);
  const length = batch.reduce(
    (sum, { claims, body }) => sum + ITEM_FIXED_BYTES + claims.length + body.length,
    FIRST_AT,
  );
  assert(length <= BUNDLE_BYTES_MAX, 'sealBundle: at most BUNDLE_BYTES_MAX bytes');
  const bundle = Buffer.allocUnsafe(length); // written from end to end
  bundle.set(MAGIC, 0);
  bundle[4] = VERSION;
  bundle[5] = 0;
  bundle.writeUInt16BE(batch.length, 6);
  bundle.set(signature, 8);
  let at = FIRST_AT;
  for (const { head, claims, body } of batch) {
    assert(head.length === HEAD_BYTES, 'sealBundle: a head');
    bundle.set(head, at);
    bundle.writeUInt32BE(claims.length, at + HEAD_BYTES);
    bundle.writeUInt32BE(body.length, at + HEAD_BYTES + 4);
    bundle.set(claims, at + ITEM_FIXED_BYTES);
    bundle.set(body, at + ITEM_FIXED_BYTES + claims.length);
    at += ITEM_FIXED_BYTES + claims.length + body.length;
  }
  return bundle;
}

/** Whether a message is a bundle by its first bytes; otherwise it may be a frame. */
export function isBundle(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && view(bytes).subarray(0, MAGIC.length).equals(MAGIC);
}

/** The envelopes of a bundle and the signature over them, if its lengths agree. */
export function splitBundle(bytes: Uint8Array): Result<Batch, Refusal> {
  if (bytes.length > BUNDLE_BYTES_MAX) {
    return err({
      code: 'envelope.too_large',
      message: `expected at most ${BUNDLE_BYTES_MAX} bytes, found ${bytes.length}`,
    });
  }
  const buffer = view(bytes);
  if (!isBundle(buffer) || buffer.length < FIRST_AT) return malformed('a bundle', 0);
  if (buffer[4] !== VERSION || buffer[5] !== 0) {
    return err({
      code: 'envelope.unsupported_version',
      message: `expected version ${VERSION}, found ${buffer[4]}`,
      offset: 4,
    });
  }
  const size = buffer.readUInt16BE(6);
  if (size < 1 || size > SEAL_BATCH_MAX) return malformed('1 to 256 envelopes', 6);
  const items: Parts[] = [];
  let at = FIRST_AT;
  for (let index = 0; index < size; index++) {
    const item = readItem(buffer, at);
    if (!item.ok) return item;
    items.push(item.value.parts);
    at = item.value.end;
  }
  if (at !== buffer.length) return malformed(`${at} bytes`, at);
  return ok({ items, signature: buffer.subarray(8, FIRST_AT) });
}

const MAGIC = Buffer.from('IATB', 'latin1');
const FIRST_AT = 72;
const ITEM_FIXED_BYTES = HEAD_BYTES + 8;

function readItem(buffer: Buffer, at: number): Result<{ readonly parts: Parts; readonly end: number }, Refusal> {
  const claimsAt = at + ITEM_FIXED_BYTES;
  if (buffer.length < claimsAt) return malformed('another envelope', at);
  const headBytes = buffer.subarray(at, at + HEAD_BYTES);
  const head = decodeHead(headBytes);
  if (!head.ok) return err({ ...head.error, offset: at + (head.error.offset ?? 0) });
  const claimsBytes = buffer.readUInt32BE(at + HEAD_BYTES);
  const bodyBytes = buffer.readUInt32BE(at + HEAD_BYTES + 4);
  if (claimsBytes > CLAIMS_BYTES_MAX || bodyBytes > BODY_SECTION_BYTES_MAX) {
    return err({ code: 'envelope.too_large', message: 'expected shorter claims or body', offset: at + HEAD_BYTES });
  }
  const bodyAt = claimsAt + claimsBytes;
  const end = bodyAt + bodyBytes;
  if (end > buffer.length) return malformed('the stated lengths', at + HEAD_BYTES);
  const parts = {
    head: head.value,
    headBytes,
    claims: buffer.subarray(claimsAt, bodyAt),
    body: buffer.subarray(bodyAt, end),
  };
  return ok({ parts, end });
}

function malformed(expected: string, offset: number): Result<never, Refusal> {
  return err({ code: 'envelope.malformed', message: `expected ${expected}`, offset });
}
