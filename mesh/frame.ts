/**
 * The frame: how one envelope lies on the wire.
 *
 *     0    128  head
 *   128      4  length of the claims
 *   132      4  length of the body's bytes, salt and tag included
 *   136      2  index of this envelope in the batch, from 0
 *   138      2  size of the batch, 1 to 256
 *   140     64  Ed25519 signature
 *   204   n·32  inclusion path, bottom up; index and size decide n (RFC 9162 section 2.1.3)
 *           …   claims
 *           …   body: 16 bytes of salt and then the content, or both encrypted and 16 bytes of tag
 *
 * The signature is over the batch: `iatp-mesh/1/envelope ‖ 0x00 ‖ size ‖ root`, size in two bytes, root as in RFC 6962 over
 * leaves whose data is `head ‖ claims`. The size is signed because the path alone does not tell a tree of three leaves from
 * one of four, and one message should have one frame per signature.
 *
 * F1. A frame is exactly as long as its lengths say.
 * F2. What is verified is the bytes that came; nothing is written again.
 */
import { Buffer } from 'node:buffer';
import { DIGEST_BYTES, type Digest } from '../runtime/codec/digest.ts';
import type { KeyPair, PublicKey } from '../runtime/codec/ed25519.ts';
import { hashLeaf, hashNode, inclusionProof } from '../runtime/codec/merkle.ts';
import { assert } from '../runtime/core/assert.ts';
import { adjoin, concat, view } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { signIn, verifyIn } from './domain.ts';
import { decodeHead, HEAD_BYTES, type Head } from './head.ts';
import { BODY_SECTION_BYTES_MAX, CLAIMS_BYTES_MAX, SEAL_BATCH_MAX } from './limits.ts';

/** An envelope taken apart, without its proof. All bytes are views of what came. */
export type Parts = {
  readonly head: Head;
  readonly headBytes: Uint8Array;
  readonly claims: Uint8Array;
  readonly body: Uint8Array;
};

/** What the signature covers of an envelope, `head ‖ claims`, and its leaf: it stands in the tree that is signed, and names
 *  this sealing. */
export type Covered = { readonly bytes: Uint8Array; readonly leaf: Digest };

export type Frame = Parts & { readonly proof: Proof };

/** A whole batch, as a bundle brings it. */
export type Batch = { readonly items: readonly Parts[]; readonly signature: Uint8Array };

type Proof = {
  readonly index: number;
  readonly size: number;
  readonly signature: Uint8Array;
  readonly path: readonly Digest[];
};

/** What is sealed: all but the proof. */
export type Unsealed = { readonly head: Uint8Array; readonly claims: Uint8Array; readonly body: Uint8Array };

export const SALT_BYTES = 16;

const SIGNATURE_BYTES = 64;
const FIXED_BYTES = HEAD_BYTES + 12 + SIGNATURE_BYTES;
const PATH_HASHES_MAX = Math.log2(SEAL_BATCH_MAX);

/** The longest frame there is. */
const FRAME_BYTES_MAX = FIXED_BYTES + PATH_HASHES_MAX * DIGEST_BYTES + CLAIMS_BYTES_MAX + BODY_SECTION_BYTES_MAX;

/** One signature over all of `batch`; one frame for each, in the same order. */
export function sealBatch(batch: readonly Unsealed[], pair: KeyPair): readonly Uint8Array[] {
  const { signature, levels } = signBatch(batch, pair);
  const read = (level: number, index: number): Digest => {
    const hash = levels[level]?.[index];
    assert(hash !== undefined, 'sealBatch: a node of the tree');
    return hash;
  };
  return batch.map((envelope, index) =>
    joinFrame(envelope, { index, size: batch.length, signature, path: inclusionProof(index, batch.length, read) }),
  );
}

/** The signature over a batch, and the tree that it covers, leaves first. */
export function signBatch(
  batch: readonly Unsealed[],
  pair: KeyPair,
): { readonly signature: Uint8Array; readonly levels: readonly (readonly Digest[])[] } {
  assert(batch.length >= 1 && batch.length <= SEAL_BATCH_MAX, 'signBatch: 1 to SEAL_BATCH_MAX envelopes');
  const levels = levelsOf(batch.map(({ head, claims }) => hashLeaf(adjoin(head, claims))));
  const root = levels.at(-1)?.[0];
  assert(root !== undefined, 'signBatch: a root');
  return { signature: signIn('iatp-mesh/1/envelope', pair, signedBytes(batch.length, root)), levels };
}

/** Whether `key` signed this whole batch (F2). `covered` is of its items, in their order. */
export function verifyBatch(covered: readonly Covered[], signature: Uint8Array, key: PublicKey): boolean {
  const root = levelsOf(covered.map(({ leaf }) => leaf)).at(-1)?.[0];
  return root !== undefined && verifyIn('iatp-mesh/1/envelope', key, signedBytes(covered.length, root), signature);
}

/** The parts of a frame, if its lengths agree (F1). The head has its own refusals; nothing else is looked at. */
export function splitFrame(frame: Uint8Array): Result<Frame, Refusal> {
  if (frame.length > FRAME_BYTES_MAX) {
    return err({
      code: 'envelope.too_large',
      message: `expected at most ${FRAME_BYTES_MAX} bytes, found ${frame.length}`,
    });
  }
  if (frame.length < FIXED_BYTES) return malformed(`at least ${FIXED_BYTES} bytes`, frame.length);
  const buffer = view(frame);
  const head = decodeHead(buffer);
  if (!head.ok) return head;
  const claimsBytes = buffer.readUInt32BE(128);
  const bodyBytes = buffer.readUInt32BE(132);
  const index = buffer.readUInt16BE(136);
  const size = buffer.readUInt16BE(138);
  if (claimsBytes > CLAIMS_BYTES_MAX) return tooLarge('claims', 128);
  if (bodyBytes > BODY_SECTION_BYTES_MAX) return tooLarge('body', 132);
  if (size < 1 || size > SEAL_BATCH_MAX || index >= size) return malformed('an index below a size of 1 to 256', 136);
  const hashes = pathLength(index, size);
  const claimsAt = FIXED_BYTES + hashes * DIGEST_BYTES;
  const bodyAt = claimsAt + claimsBytes;
  if (frame.length !== bodyAt + bodyBytes) return malformed(`${bodyAt + bodyBytes} bytes`, frame.length);
  return ok({
    head: head.value,
    headBytes: buffer.subarray(0, HEAD_BYTES),
    claims: buffer.subarray(claimsAt, bodyAt),
    body: buffer.subarray(bodyAt),
    proof: {
      index,
      size,
      signature: buffer.subarray(140, FIXED_BYTES),
      path: Array.from({ length: hashes }, (_, step) => {
        const at = FIXED_BYTES + step * DIGEST_BYTES;
        return buffer.subarray(at, at + DIGEST_BYTES) as Uint8Array as Digest;
      }),
    },
  });
}

/** Whether `key` signed the batch that this frame is part of (F2). */
export function verifyFrame(frame: Frame, key: PublicKey, { leaf }: Covered = coveredOf(frame)): boolean {
  const { proof } = frame;
  let hash = leaf;
  let [node, last] = [proof.index, proof.size - 1];
  let step = 0;
  for (; last > 0; node >>= 1, last >>= 1) {
    if (node % 2 === 0 && node === last) continue; // on the right edge without a sibling: it passes for its parent
    const sibling = proof.path[step++];
    assert(sibling !== undefined, 'verifyFrame: a path as long as pathLength says');
    hash = node % 2 === 1 ? hashNode(sibling, hash) : hashNode(hash, sibling);
  }
  return verifyIn('iatp-mesh/1/envelope', key, signedBytes(proof.size, hash), proof.signature);
}

function joinFrame({ head, claims, body }: Unsealed, { index, size, signature, path }: Proof): Uint8Array {
  assert(head.length === HEAD_BYTES && claims.length <= CLAIMS_BYTES_MAX, 'joinFrame: a head and claims');
  assert(body.length <= BODY_SECTION_BYTES_MAX, 'joinFrame: a body');
  const fixed = Buffer.alloc(12);
  fixed.writeUInt32BE(claims.length, 0);
  fixed.writeUInt32BE(body.length, 4);
  fixed.writeUInt16BE(index, 8);
  fixed.writeUInt16BE(size, 10);
  return concat(head, fixed, signature, ...path, claims, body);
}

/** Of the very bytes that came (F2). Hashed here: whoever looks at an envelope more than once carries it along. */
export function coveredOf({ headBytes, claims }: Parts): Covered {
  const bytes = concat(headBytes, claims);
  return { bytes, leaf: hashLeaf(bytes) };
}

/** Every complete node of the tree, and at last the root, which may be of no complete one. */
function levelsOf(leaves: readonly Digest[]): readonly (readonly Digest[])[] {
  const levels: (readonly Digest[])[] = [leaves];
  for (let below = leaves; below.length > 1; ) {
    const level: Digest[] = [];
    for (let index = 0; index < below.length; index += 2) {
      const [left, right] = [below[index], below[index + 1]];
      if (left !== undefined) level.push(right === undefined ? left : hashNode(left, right));
    }
    levels.push(level);
    below = level;
  }
  return levels;
}

function signedBytes(size: number, root: Digest): Uint8Array {
  return concat(Uint8Array.of(size >> 8, size & 0xff), root);
}

/** How many siblings stand between a leaf and the root. */
function pathLength(index: number, size: number): number {
  let length = 0;
  for (let [node, last] = [index, size - 1]; last > 0; node >>= 1, last >>= 1) {
    if (node % 2 === 1 || node < last) length++;
  }
  return length;
}

function malformed(expected: string, offset: number): Result<never, Refusal> {
  return err({ code: 'envelope.malformed', message: `expected ${expected}`, offset });
}

function tooLarge(part: string, offset: number): Result<never, Refusal> {
  return err({ code: 'envelope.too_large', message: `expected a shorter ${part}`, offset });
}
