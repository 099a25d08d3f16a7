/**
 * The right edge of a growing RFC 6962 tree: the roots of its complete subtrees, largest first, at most 53 of them. It is all
 * that an append needs, and with it a log of any length resumes at once. (A *compact range* in the literature.)
 *
 * F1. There is one hash per one in the binary form of `size`.
 * F2. An append that throws, in `onNode` too, has changed nothing.
 *
 * It keeps no leaves and gives no proofs: those need nodes, which `onNode` hands out as they become complete.
 */
import { assert } from '../core/assert.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';
import type { Digest } from './digest.ts';
import { EMPTY_ROOT, hashNode } from './merkle.ts';

/** Told of each subtree as it becomes complete, leaves (level 0) included, in the order of their making. */
export type OnNode = (level: number, index: number, digest: Digest) => void;

export class Frontier {
  #size = 0;
  readonly #hashes: Digest[] = [];

  /** A stored frontier, taken up again. Whether its root is the right one only a checkpoint can say. */
  static from(size: number, hashes: readonly Digest[]): Result<Frontier, Refusal> {
    const expected = Number.isSafeInteger(size) && size >= 0 ? onesOf(size) : undefined;
    if (hashes.length !== expected) {
      const message = `expected a size and one hash per one in it, found ${size} and ${hashes.length} hashes`;
      return err({ code: 'frontier.malformed', message });
    }
    const frontier = new Frontier();
    frontier.#size = size;
    frontier.#hashes.push(...hashes);
    return ok(frontier);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds one leaf hash: two hashes of work on average, at most one per level. */
  append(leaf: Digest, onNode?: OnNode): void {
    assert(this.#size < Number.MAX_SAFE_INTEGER, 'append: a tree of fewer than 2^53 leaves');
    let [level, index, node, kept] = [0, this.#size, leaf, this.#hashes.length];
    onNode?.(level, index, node);
    while (index % 2 === 1) {
      const left = this.#hashes[--kept];
      assert(left !== undefined, 'F1: a left sibling for every right child');
      node = hashNode(left, node);
      [level, index] = [level + 1, (index - 1) / 2];
      onNode?.(level, index, node);
    }
    this.#hashes.length = kept;
    this.#hashes.push(node);
    this.#size += 1;
  }

  /** The root of all leaves so far: the subtrees joined from the smallest up. */
  root(): Digest {
    if (this.#size === 0) return EMPTY_ROOT;
    return this.#hashes.reduceRight((right, left) => hashNode(left, right));
  }

  /** The roots of the complete subtrees, largest first: what `from` takes. */
  hashes(): readonly Digest[] {
    return [...this.#hashes];
  }

  clone(): Frontier {
    const copy = new Frontier();
    copy.#size = this.#size;
    copy.#hashes.push(...this.#hashes);
    return copy;
  }
}

function onesOf(size: number): number {
  let ones = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}
