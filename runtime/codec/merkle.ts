/**
 * The Merkle tree of RFC 6962 section 2.1, with the verifiers of RFC 9162 section 2.1.
 *
 * A *node* (level, index) is the hash of the complete subtree over the leaves `index·2^level … (index+1)·2^level - 1`. Every
 * hash of a tree of any size is made of such nodes, and they never change, so a log keeps nodes and computes the rest.
 *
 * Sizes and indexes are safe integers, up to 2^53: no 32-bit operator may touch them. This file verifies proofs against
 * roots; whether a root is to be believed is for `checkpoint.ts` to say.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../core/assert.ts';
import { equalBytes } from '../core/bytes.ts';
import { RECORD_BYTES_MAX } from '../core/limits.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';
import { DIGEST_BYTES, type Digest, sha256 } from './digest.ts';

/** Answers for a node; only asked for nodes that the tree at hand has. */
export type NodeReader = (level: number, index: number) => Digest;

/** MTH of no leaves: the hash of the empty string. */
export const EMPTY_ROOT: Digest = sha256(new Uint8Array(0));

// One preimage per kind, kept: a fresh one per hash costs 10 to 50 % more. Only these two functions write here, and
// synchronously, so nothing can come between the copy and the hash.
const leafPreimage = Buffer.alloc(1 + RECORD_BYTES_MAX);
const nodePreimage = Buffer.alloc(1 + 2 * DIGEST_BYTES);
leafPreimage[0] = 0x00;
nodePreimage[0] = 0x01;

/** MTH of one record: SHA-256(0x00 ‖ record). The prefixes keep a leaf from passing for a node. */
export function hashLeaf(record: Uint8Array): Digest {
  assert(record.length <= RECORD_BYTES_MAX, 'hashLeaf: a record of at most RECORD_BYTES_MAX bytes');
  leafPreimage.set(record, 1);
  return sha256(leafPreimage.subarray(0, 1 + record.length));
}

/** MTH of two subtrees: SHA-256(0x01 ‖ left ‖ right). */
export function hashNode(left: Digest, right: Digest): Digest {
  assert(left.length === DIGEST_BYTES && right.length === DIGEST_BYTES, 'hashNode: two digests of 32 bytes');
  nodePreimage.set(left, 1);
  nodePreimage.set(right, 1 + DIGEST_BYTES);
  return sha256(nodePreimage);
}

/** MTH of the leaf hashes, word for word as RFC 6962 defines it. For a few leaves; a log keeps a `Frontier`. */
export function rootOf(leaves: readonly Digest[]): Digest {
  const [first] = leaves;
  if (first === undefined) return EMPTY_ROOT;
  if (leaves.length === 1) return first;
  const { width } = split(leaves.length);
  return hashNode(rootOf(leaves.slice(0, width)), rootOf(leaves.slice(width)));
}

/** Whether the leaf hash stands at `index` in the tree of `size` leaves with that root (RFC 9162 section 2.1.3.2). */
export function verifyInclusion(claim: {
  readonly index: number;
  readonly size: number;
  readonly leaf: Digest;
  readonly root: Digest;
  readonly proof: readonly Digest[];
}): Result<true, Refusal> {
  const { index, size, leaf, root, proof } = claim;
  if (!isCount(size) || !isCount(index) || index >= size) {
    return refuse('proof.out_of_range', `expected an index below the size, found ${index} and ${size}`);
  }
  const sides = siblingSides(index, size - 1);
  if (proof.length !== sides.length) {
    return refuse('proof.wrong_length', `expected ${sides.length} hashes, found ${proof.length}`);
  }
  let hash = leaf;
  for (const [step, sibling] of proof.entries()) {
    hash = sides[step] === 'left' ? hashNode(sibling, hash) : hashNode(hash, sibling);
  }
  return equalBytes(hash, root) ? ok(true) : refuse('proof.wrong_root', 'expected a path to the root');
}

/**
 * Whether the tree of `newSize` leaves begins with the tree of `oldSize` leaves (RFC 9162 section 2.1.4.2). An old size of
 * zero is refused: every tree begins with the empty one, so such a proof says nothing, and whoever asks for it has lost
 * the old head.
 */
export function verifyConsistency(claim: {
  readonly oldSize: number;
  readonly newSize: number;
  readonly oldRoot: Digest;
  readonly newRoot: Digest;
  readonly proof: readonly Digest[];
}): Result<true, Refusal> {
  const { oldSize, newSize, oldRoot, newRoot, proof } = claim;
  if (!isCount(oldSize) || !isCount(newSize) || oldSize === 0 || oldSize > newSize) {
    return refuse('proof.out_of_range', `expected sizes 1 ≤ old ≤ new, found ${oldSize} and ${newSize}`);
  }
  if (oldSize === newSize) {
    if (proof.length > 0) return refuse('proof.wrong_length', `expected no hashes, found ${proof.length}`);
    return equalBytes(oldRoot, newRoot) ? ok(true) : refuse('proof.wrong_root', 'expected equal roots for equal sizes');
  }
  // The walk begins at the largest complete subtree that ends the old tree. Where that is the whole old tree its hash is
  // the old root, and the proof leaves it out.
  let [node, last] = [oldSize - 1, newSize - 1];
  while (isOdd(node)) [node, last] = [parent(node), parent(last)];
  const sides = siblingSides(node, last);
  const [start, ...path] = node === 0 ? [oldRoot, ...proof] : proof;
  if (start === undefined || path.length !== sides.length) {
    const expected = sides.length + (node === 0 ? 0 : 1);
    return refuse('proof.wrong_length', `expected ${expected} hashes, found ${proof.length}`);
  }
  let [oldHash, newHash] = [start, start];
  for (const [step, sibling] of path.entries()) {
    if (sides[step] === 'left') [oldHash, newHash] = [hashNode(sibling, oldHash), hashNode(sibling, newHash)];
    else newHash = hashNode(newHash, sibling);
  }
  if (!equalBytes(oldHash, oldRoot)) return refuse('proof.wrong_root', 'expected a path to the old root');
  return equalBytes(newHash, newRoot) ? ok(true) : refuse('proof.wrong_root', 'expected a path to the new root');
}

/** MTH(D[size]): the root of the first `size` leaves, from nodes. */
export function rootAt(size: number, read: NodeReader): Digest {
  assert(isCount(size), 'rootAt: a size');
  return size === 0 ? EMPTY_ROOT : rangeRoot(0, size, read);
}

/** PATH(index, D[size]): the siblings on the way from a leaf to the root, bottom up (RFC 6962 section 2.1.1). */
export function inclusionProof(index: number, size: number, read: NodeReader): Digest[] {
  assert(isCount(size) && isCount(index) && index < size, 'inclusionProof: an index below the size');
  return path(0, size);

  function path(start: number, end: number): Digest[] {
    if (end - start === 1) return [];
    const middle = start + split(end - start).width;
    return index < middle
      ? [...path(start, middle), rangeRoot(middle, end, read)]
      : [...path(middle, end), rangeRoot(start, middle, read)];
  }
}

/** PROOF(oldSize, D[newSize]): that the old tree is how the new one begins (RFC 6962 section 2.1.2). */
export function consistencyProof(oldSize: number, newSize: number, read: NodeReader): Digest[] {
  assert(isCount(oldSize) && isCount(newSize) && oldSize >= 1 && oldSize <= newSize, 'consistencyProof: 1 ≤ old ≤ new');
  return subproof(0, newSize);

  /** SUBPROOF: the verifier knows the hash of a range that ends the old tree only if that range is the whole old tree. */
  function subproof(start: number, end: number): Digest[] {
    if (end === oldSize) return start === 0 ? [] : [rangeRoot(start, end, read)];
    const middle = start + split(end - start).width;
    return oldSize <= middle
      ? [...subproof(start, middle), rangeRoot(middle, end, read)]
      : [...subproof(middle, end), rangeRoot(start, middle, read)];
  }
}

/** MTH(D[start:end]) of a range that `split` cut out of a tree: `start` is a multiple of its largest complete subtree. */
function rangeRoot(start: number, end: number, read: NodeReader): Digest {
  const size = end - start;
  if (size === 1) return read(0, start);
  const { level, width } = split(size);
  if (size === 2 * width) return read(level + 1, start / size);
  return hashNode(read(level, start / width), rangeRoot(start + width, end, read));
}

/** The k of RFC 6962: the largest power of two smaller than `size`, which is 2^level. At most 53 steps. */
function split(size: number): { readonly level: number; readonly width: number } {
  let [level, width] = [0, 1];
  while (2 * width < size) [level, width] = [level + 1, 2 * width];
  return { level, width };
}

/** On which side each sibling stands, from the node at `index` up to the root, in a level whose last node is `last`. On
 *  the right edge a node may have no sibling: it passes for its own parent, and no hash is due. */
function siblingSides(index: number, last: number): readonly ('left' | 'right')[] {
  const sides: ('left' | 'right')[] = [];
  for (let [node, end] = [index, last]; end > 0; [node, end] = [parent(node), parent(end)]) {
    if (isOdd(node)) sides.push('left');
    else if (node < end) sides.push('right');
  }
  return sides;
}

function parent(index: number): number {
  return Math.floor(index / 2);
}

function isOdd(index: number): boolean {
  return index % 2 === 1;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function refuse(code: string, message: string): Result<never, Refusal> {
  return err({ code, message });
}
