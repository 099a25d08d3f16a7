import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import type { Digest } from './digest.ts';
import { Frontier } from './frontier.ts';
import { EMPTY_ROOT, hashLeaf, rootAt, rootOf } from './merkle.ts';

const leaves = Array.from({ length: 600 }, (_, n) => hashLeaf(utf8(`record ${n}`)));
const leafCount = fc.integer({ min: 0, max: leaves.length });

function frontierOf(of: readonly Digest[]): Frontier {
  const frontier = new Frontier();
  for (const leaf of of) frontier.append(leaf);
  return frontier;
}

describe('a frontier', () => {
  test('is empty at first and has the root of no leaves', () => {
    const frontier = new Frontier();
    expect([frontier.size, frontier.hashes().length, toHex(frontier.root())]).toEqual([0, 0, toHex(EMPTY_ROOT)]);
  });

  test('has the root of its leaves after every append', () => {
    const frontier = new Frontier();
    for (const [index, leaf] of leaves.slice(0, 130).entries()) {
      frontier.append(leaf);
      expect(frontier.size).toBe(index + 1);
      expect(toHex(frontier.root())).toBe(toHex(rootOf(leaves.slice(0, index + 1))));
    }
  });

  test('keeps one hash per one in its size, largest subtree first (F1)', () => {
    const frontier = frontierOf(leaves.slice(0, 0b1011));
    expect(frontier.hashes().map(toHex)).toEqual(
      [leaves.slice(0, 8), leaves.slice(8, 10), leaves.slice(10, 11)].map((part) => toHex(rootOf(part))),
    );
  });

  test('goes on from its stored size and hashes as if it had never stopped', () => {
    fc.assert(
      fc.property(leafCount, leafCount, (size, stop) => {
        const stored = frontierOf(leaves.slice(0, Math.min(size, stop)));
        const resumed = unwrap(Frontier.from(stored.size, stored.hashes()), 'our own frontier');
        for (const leaf of leaves.slice(stored.size, size)) resumed.append(leaf);
        expect(toHex(resumed.root())).toBe(toHex(rootOf(leaves.slice(0, size))));
      }),
      { numRuns: 50 },
    );
  });

  test('hands out each node once, complete, and just the nodes that make every earlier root', () => {
    const nodes = new Map<string, Digest>();
    const frontier = new Frontier();
    const size = 300;
    for (const leaf of leaves.slice(0, size)) {
      frontier.append(leaf, (level, index, digest) => {
        expect(nodes.has(`${level}/${index}`)).toBe(false);
        nodes.set(`${level}/${index}`, digest);
      });
    }
    expect(nodes.size).toBe(300 + 150 + 75 + 37 + 18 + 9 + 4 + 2 + 1);
    for (let past = 0; past <= size; past++) {
      const root = rootAt(past, (level, index) => nodes.get(`${level}/${index}`) ?? EMPTY_ROOT);
      expect(toHex(root)).toBe(toHex(rootOf(leaves.slice(0, past))));
    }
  });

  test('is unchanged by an append whose listener throws (F2)', () => {
    const frontier = frontierOf(leaves.slice(0, 7));
    const before = frontier.hashes().map(toHex);
    const failAt = (failing: number) => (level: number) => {
      if (level === failing) throw new Error('the disk is full');
    };
    for (const level of [0, 1, 2, 3]) {
      expect(() => frontier.append(leaves[7] ?? EMPTY_ROOT, failAt(level))).toThrow('the disk is full');
      expect([frontier.size, frontier.hashes().map(toHex)]).toEqual([7, before]);
    }
    frontier.append(leaves[7] ?? EMPTY_ROOT);
    expect(toHex(frontier.root())).toBe(toHex(rootOf(leaves.slice(0, 8))));
  });

  test('is not touched by what happens to its clone, or to the hashes it was made of', () => {
    const original = frontierOf(leaves.slice(0, 7));
    const root = toHex(original.root());
    const clone = original.clone();
    const given = [...original.hashes()];
    const taken = unwrap(Frontier.from(7, given), 'our own frontier');
    clone.append(leaves[7] ?? EMPTY_ROOT);
    given.pop();
    expect([original.size, toHex(original.root()), toHex(taken.root())]).toEqual([7, root, root]);
    expect(clone.size).toBe(8);
  });

  test.each([
    ['a hash too few', 7, 2],
    ['a hash too many', 7, 4],
    ['hashes for the empty tree', 0, 1],
    ['a negative size', -1, 1],
    ['a fractional size', 0.5, 0],
    ['a size past 2^53', 2 ** 53, 1],
    ['a size that is no number', Number.NaN, 0],
  ])('is not made from %s', (_, size, count) => {
    expect(Frontier.from(size, leaves.slice(0, count))).toMatchObject({
      ok: false,
      error: { code: 'frontier.malformed' },
    });
  });

  test('grows to the last safe integer and asserts there', () => {
    const size = Number.MAX_SAFE_INTEGER - 1; // 52 ones and a zero
    const frontier = unwrap(Frontier.from(size, leaves.slice(0, 52)), 'one hash per one');
    frontier.append(leaves[52] ?? EMPTY_ROOT);
    expect([frontier.size, frontier.hashes().length]).toEqual([Number.MAX_SAFE_INTEGER, 53]);
    expect(() => frontier.append(leaves[53] ?? EMPTY_ROOT)).toThrow(/2\^53/);
  });
});
