import { describe, expect, test } from 'vitest';
import { DIGEST_BYTES, type Digest, sha256 } from '../codec/digest.ts';
import { Frontier } from '../codec/frontier.ts';
import { rootOf } from '../codec/merkle.ts';
import { TILE_WIDTH } from '../codec/tile.ts';
import { toHex, utf8 } from '../core/bytes.ts';
import { LogTree } from './tree.ts';

const LEAVES = 2 * TILE_WIDTH + 40;
const leaves: readonly Digest[] = Array.from({ length: LEAVES }, (_, n) => sha256(utf8(`leaf ${n}`)));

/** A tree that keeps what it hands out, as a store does. */
function grownBy(batches: readonly number[]) {
  const stored = new Map<string, Uint8Array>();
  const tree = new LogTree(new Frontier(), [], (level, number) => stored.get(`${level}/${number}`));
  const handedOut: string[][] = [];
  for (const size of batches) {
    const tiles = tree.append(leaves.slice(tree.size, tree.size + size));
    handedOut.push(tiles.map(({ level, number, bytes }) => `${level}/${number}:${bytes.length / DIGEST_BYTES}`));
    for (const { level, number, bytes } of tiles) stored.set(`${level}/${number}`, bytes);
  }
  return { tree, handedOut };
}

describe('a tree', () => {
  test.each([[[1, 1, 1]], [[255, 1, 1]], [[256, 256]], [[300, 200]], [[7, 249, 1, 255, 40]], [[LEAVES]]])(
    'has the roots and leaves of its records after batches of %j',
    (batches) => {
      const { tree } = grownBy(batches);

      const sizes = Array.from({ length: tree.size + 1 }, (_, size) => size);
      expect(sizes.map((size) => toHex(tree.root(size)))).toEqual(
        sizes.map((size) => toHex(rootOf(leaves.slice(0, size)))),
      );
      expect(sizes.slice(1).map((size) => toHex(tree.leaf(size - 1)))).toEqual(leaves.slice(0, tree.size).map(toHex));
    },
  );

  test('T1: hands out a full tile once, a grown partial one above, and never a partial one of leaves', () => {
    expect(grownBy([10, 246, 1, 255, 3]).handedOut).toEqual([[], ['0/0:256', '1/0:1'], [], ['0/1:256', '1/0:2'], []]);
    expect(grownBy([LEAVES]).handedOut).toEqual([['0/0:256', '0/1:256', '1/0:2']]);
  });

  test('answers for the last batch before its store has it', () => {
    const tree = new LogTree(new Frontier(), [], () => undefined);
    tree.append(leaves.slice(0, TILE_WIDTH + 5));

    expect(toHex(tree.root(TILE_WIDTH + 3))).toBe(toHex(rootOf(leaves.slice(0, TILE_WIDTH + 3))));
    expect(toHex(tree.leaf(3))).toBe(toHex(leaves[3] ?? new Uint8Array(0)));
  });

  test('asserts that a tile it needs is there', () => {
    const tree = new LogTree(new Frontier(), [], () => undefined);
    tree.append(leaves.slice(0, TILE_WIDTH));
    tree.append(leaves.slice(TILE_WIDTH, 2 * TILE_WIDTH));

    expect(() => tree.leaf(3)).toThrow(/tile 0\/0/);
  });
});
