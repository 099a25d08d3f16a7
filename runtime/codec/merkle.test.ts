import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../core/bytes.ts';
import { RECORD_BYTES_MAX } from '../core/limits.ts';
import type { Refusal, Result } from '../core/result.ts';
import { type Digest, parseDigest, sha256 } from './digest.ts';
import {
  consistencyProof,
  EMPTY_ROOT,
  hashLeaf,
  hashNode,
  inclusionProof,
  type NodeReader,
  rootAt,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';
import { fromBase64 } from './note.ts';
import { describeVectors } from './published-vectors.fixture.ts';

const SIZE_MAX = 130; // past 2^7, so that every shape of right edge up to seven levels occurs
const leaves = Array.from({ length: SIZE_MAX }, (_, n) => hashLeaf(utf8(`record ${n}`)));
const roots = Array.from({ length: SIZE_MAX + 1 }, (_, size) => rootOf(leaves.slice(0, size)));
const read = readerOf(leaves);

describe('a tree', () => {
  test('has the roots of RFC 6962 for the records that Certificate Transparency tests with', () => {
    const records = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const expected = [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const hashes = records.map((hex) => hashLeaf(Buffer.from(hex, 'hex')));
    expect(expected.map((_, size) => toHex(rootOf(hashes.slice(0, size))))).toEqual(expected);
  });

  test('keeps leaves and nodes apart: the children of a node, as a record, hash to something else', () => {
    const [left, right] = [present(leaves[0]), present(leaves[1])];
    expect(toHex(hashLeaf(Buffer.concat([left, right])))).not.toBe(toHex(hashNode(left, right)));
  });

  test('hashes records of every allowed length and asserts on longer ones', () => {
    for (const length of [0, 1, RECORD_BYTES_MAX]) {
      const record = new Uint8Array(length).fill(7);
      expect(toHex(hashLeaf(record))).toBe(toHex(sha256(Uint8Array.of(0), record)));
    }
    expect(() => hashLeaf(new Uint8Array(RECORD_BYTES_MAX + 1))).toThrow(/RECORD_BYTES_MAX/);
  });

  test('hashes into fresh memory: a later hash leaves an earlier one alone', () => {
    const node = hashNode(present(leaves[0]), present(leaves[1]));
    const before = toHex(node);
    hashNode(present(leaves[2]), present(leaves[3]));
    expect(toHex(node)).toBe(before);
  });

  test('asserts on a child that is not 32 bytes', () => {
    expect(() => hashNode(present(leaves[0]), new Uint8Array(31) as Uint8Array as Digest)).toThrow(/32 bytes/);
  });

  test('has the same root from nodes as from leaves, at every size', () => {
    const fromNodes = roots.map((_, size) => toHex(rootAt(size, read)));
    expect(fromNodes).toEqual(roots.map(toHex));
    expect(toHex(rootAt(0, read))).toBe(toHex(EMPTY_ROOT));
  });
});

describe('an inclusion proof', () => {
  test('verifies for every leaf of every tree, and no mutation of one does', () => {
    let verified = 0;
    const survivors: unknown[] = [];
    for (let size = 1; size <= SIZE_MAX; size++) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(index, size, read);
        const claim = { index, size, leaf: present(leaves[index]), root: present(roots[size]), proof };
        if (verifyInclusion(claim).ok) verified += 1;
        const bad = [
          { ...claim, index: index + 1 },
          { ...claim, index: index - 1 },
          { ...claim, leaf: flipped(claim.leaf, index) },
          { ...claim, root: flipped(claim.root, size) },
          ...mutationsOf(proof, [claim.leaf, claim.root]).map((mutated) => ({ ...claim, proof: mutated })),
        ];
        survivors.push(...bad.filter((mutation) => verifyInclusion(mutation).ok));
      }
    }
    expect(verified).toBe((SIZE_MAX * (SIZE_MAX + 1)) / 2);
    expect(survivors).toEqual([]);
  });

  test('is refused when any one bit of it is flipped', () => {
    const proof = inclusionProof(37, 100, read);
    const claim = { index: 37, size: 100, leaf: present(leaves[37]), root: present(roots[100]), proof };
    const codes = proof.flatMap((hash, at) =>
      Array.from({ length: 256 }, (_, bit) =>
        codeOf(verifyInclusion({ ...claim, proof: proof.with(at, flipped(hash, bit)) })),
      ),
    );
    expect(codes).toHaveLength(7 * 256);
    expect(new Set(codes)).toEqual(new Set(['proof.wrong_root']));
  });

  test('does not pass a node for a leaf: a proof that is a level short is refused', () => {
    const [node, ...proof] = [read(1, 0), ...inclusionProof(0, 8, read).slice(1)];
    expect(codeOf(verifyInclusion({ index: 0, size: 8, leaf: node, root: present(roots[8]), proof }))).toBe(
      'proof.wrong_length',
    );
  });

  test.each([
    ['an index at the size', 5, 5],
    ['an index past the size', 6, 5],
    ['an empty tree', 0, 0],
    ['a negative index', -1, 5],
    ['a fractional index', 0.5, 5],
    ['an index that is no number', Number.NaN, 5],
    ['an infinite size', 0, Number.POSITIVE_INFINITY],
    ['a size past 2^53', 0, 2 ** 53],
    ['a 64-bit index', 2 ** 64 - 1, 8],
  ])('is refused, not computed, with %s', (_, index, size) => {
    const claim = { index, size, leaf: present(leaves[0]), root: present(roots[1]), proof: [] };
    expect(codeOf(verifyInclusion(claim))).toBe('proof.out_of_range');
  });

  test('is right far past 32 bits, where a shift would be wrong', () => {
    fc.assert(
      fc.property(sizeAndIndex, ([size, index]) => {
        const nodes = readerOfOneAmongEquals(index);
        const proof = inclusionProof(index, size, nodes);
        const claim = { index, size, leaf: nodes(0, index), root: rootAt(size, nodes), proof };
        expect(proof.length).toBeLessThanOrEqual(53);
        expect(verifyInclusion(claim)).toEqual({ ok: true, value: true });
        for (const other of [index - 1, index + 1, index - 2 ** 32, index + 2 ** 32]) {
          expect(verifyInclusion({ ...claim, index: other }).ok).toBe(false);
        }
      }),
    );
  });
});

describe('a consistency proof', () => {
  test('verifies between every two sizes, and no mutation of one does', () => {
    let verified = 0;
    const survivors: unknown[] = [];
    for (let newSize = 1; newSize <= SIZE_MAX; newSize++) {
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const proof = consistencyProof(oldSize, newSize, read);
        const claim = { oldSize, newSize, oldRoot: present(roots[oldSize]), newRoot: present(roots[newSize]), proof };
        if (verifyConsistency(claim).ok) verified += 1;
        const bad = [
          { ...claim, oldSize: oldSize + 1 },
          { ...claim, oldSize: oldSize - 1 },
          { ...claim, oldRoot: flipped(claim.oldRoot, oldSize) },
          { ...claim, newRoot: flipped(claim.newRoot, newSize) },
          ...mutationsOf(proof, [claim.oldRoot, claim.newRoot]).map((mutated) => ({ ...claim, proof: mutated })),
        ];
        if (oldSize < newSize) bad.push({ ...claim, oldRoot: claim.newRoot, newRoot: claim.oldRoot });
        survivors.push(...bad.filter((mutation) => verifyConsistency(mutation).ok));
      }
    }
    expect(verified).toBe((SIZE_MAX * (SIZE_MAX + 1)) / 2);
    expect(survivors).toEqual([]);
  });

  test('cannot be had for a tree in which an old record was replaced', () => {
    const [oldSize, newSize] = [40, 100];
    for (let changed = 0; changed < oldSize; changed++) {
      const forged = readerOf(leaves.with(changed, hashLeaf(utf8('another past'))));
      const proof = consistencyProof(oldSize, newSize, forged);
      const claim = { oldSize, newSize, oldRoot: present(roots[oldSize]), newRoot: rootAt(newSize, forged), proof };
      expect(codeOf(verifyConsistency(claim))).toBe('proof.wrong_root');
    }
  });

  test.each([
    ['an old size of zero', 0, 5],
    ['two sizes of zero', 0, 0],
    ['a tree that shrank', 5, 4],
    ['a negative size', -1, 4],
    ['a fractional size', 1.5, 4],
    ['a size that is no number', Number.NaN, 4],
    ['a size past 2^53', 1, 2 ** 53],
  ])('is refused, not computed, with %s', (_, oldSize, newSize) => {
    const claim = { oldSize, newSize, oldRoot: EMPTY_ROOT, newRoot: EMPTY_ROOT, proof: [] };
    expect(codeOf(verifyConsistency(claim))).toBe('proof.out_of_range');
  });

  test('is right far past 32 bits, where a shift would be wrong', () => {
    fc.assert(
      fc.property(sizeAndIndex, ([newSize, index]) => {
        const oldSize = index + 1;
        const nodes = readerOfOneAmongEquals(index);
        const proof = consistencyProof(oldSize, newSize, nodes);
        const claim = { oldSize, newSize, oldRoot: rootAt(oldSize, nodes), newRoot: rootAt(newSize, nodes), proof };
        expect(proof.length).toBeLessThanOrEqual(54);
        expect(verifyConsistency(claim)).toEqual({ ok: true, value: true });
        const past = rootAt(oldSize, readerOfOneAmongEquals(Math.max(0, index - 1)));
        expect(verifyConsistency({ ...claim, oldRoot: past }).ok).toBe(index === 0);
      }),
    );
  });
});

describe('the makers of proofs', () => {
  test('assert on a position that the tree does not have', () => {
    expect(() => inclusionProof(3, 3, read)).toThrow(/below the size/);
    expect(() => consistencyProof(0, 3, read)).toThrow(/1 ≤ old ≤ new/);
    expect(() => consistencyProof(4, 3, read)).toThrow(/1 ≤ old ≤ new/);
    expect(() => rootAt(-1, read)).toThrow(/a size/);
  });

  test('ask only for nodes that the tree has', () => {
    fc.assert(
      fc.property(sizeAndIndex, ([size, index]) => {
        const asked: boolean[] = [];
        const watch: NodeReader = (level, node) => {
          asked.push(Number.isInteger(node) && node >= 0 && (node + 1) * 2 ** level <= size);
          return EMPTY_ROOT;
        };
        inclusionProof(index, size, watch);
        consistencyProof(index + 1, size, watch);
        rootAt(size, watch);
        expect(asked.every(Boolean)).toBe(true);
      }),
    );
  });
});

describeVectors('rfc6962-merkle', ({ json }) => {
  test('inclusion: 98 cases, of which 92 are refused', () => {
    const cases = json('inclusion.json') as readonly InclusionCase[];
    const verdicts = cases.map(({ file, leafIdx: index, treeSize: size, ...vector }) => {
      const [leaf, root, proof] = [digestOf(vector.leafHash), digestOf(vector.root), digestsOf(vector.proof)];
      if (leaf === undefined || root === undefined || proof === undefined) return { file, wantErr: true };
      return { file, wantErr: !verifyInclusion({ index, size, leaf, root, proof }).ok };
    });
    expect(verdicts).toEqual(cases.map(({ file, wantErr }) => ({ file, wantErr })));
    expect(verdicts).toHaveLength(98);
    expect(verdicts.filter(({ wantErr }) => wantErr)).toHaveLength(92);
  });

  test('consistency: 98 cases, of which 92 are refused', () => {
    const cases = json('consistency.json') as readonly ConsistencyCase[];
    const verdicts = cases.map(({ file, size1: oldSize, size2: newSize, ...vector }) => {
      const [oldRoot, newRoot, proof] = [digestOf(vector.root1), digestOf(vector.root2), digestsOf(vector.proof)];
      if (oldRoot === undefined || newRoot === undefined || proof === undefined) return { file, wantErr: true };
      return { file, wantErr: !verifyConsistency({ oldSize, newSize, oldRoot, newRoot, proof }).ok };
    });
    expect(verdicts).toEqual(cases.map(({ file, wantErr }) => ({ file, wantErr })));
    expect(verdicts).toHaveLength(98);
    expect(verdicts.filter(({ wantErr }) => wantErr)).toHaveLength(92);
  });
});

type Case = { readonly file: string; readonly proof: readonly string[] | null; readonly wantErr: boolean };
type InclusionCase = Case & {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly leafHash: string;
  readonly root: string;
};
type ConsistencyCase = Case & {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
};

/** Some vectors write a few words where a hash should stand. Their digest stands in, so that the verifier gets to see the
 *  case; an empty hash is refused where it is parsed. */
function digestOf(base64: string): Digest | undefined {
  const bytes = fromBase64(base64) ?? new Uint8Array(0);
  if (bytes.length === 0) return undefined;
  const parsed = parseDigest(bytes);
  return parsed.ok ? parsed.value : sha256(bytes);
}

function digestsOf(proof: readonly string[] | null): readonly Digest[] | undefined {
  const digests = (proof ?? []).map(digestOf).filter((digest) => digest !== undefined);
  return digests.length === (proof ?? []).length ? digests : undefined;
}

/** Every node of a small tree, by definition the root of its own leaves. */
function readerOf(of: readonly Digest[]): NodeReader {
  const made = new Map<string, Digest>();
  return (level, index) => {
    const key = `${level}/${index}`;
    const node = made.get(key) ?? rootOf(of.slice(index * 2 ** level, (index + 1) * 2 ** level));
    made.set(key, node);
    return node;
  };
}

/** A tree of any size whose leaves are all alike but the one at `marked`: its nodes need no leaves to be known. */
function readerOfOneAmongEquals(marked: number): NodeReader {
  const nodes: NodeReader = (level, index) => {
    if (Math.floor(marked / 2 ** level) !== index) return present(equals[level]);
    return level === 0 ? present(leaves[1]) : hashNode(nodes(level - 1, 2 * index), nodes(level - 1, 2 * index + 1));
  };
  return nodes;
}

const equals = [present(leaves[0])];
for (let level = 0; level < 53; level++) equals.push(hashNode(present(equals[level]), present(equals[level])));

/** A size up to 2^53 - 1, small, large and near powers of two alike, and an index below it. */
const sizeAndIndex = fc
  .oneof(
    fc.integer({ min: 1, max: 1000 }),
    fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    fc.tuple(fc.integer({ min: 10, max: 52 }), fc.integer({ min: -2, max: 2 })).map(([bits, by]) => 2 ** bits + by),
  )
  .chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 })));

/** Each hash bent, taken out and put in twice, strangers before and behind, neighbours exchanged. */
function mutationsOf(proof: readonly Digest[], strangers: readonly Digest[]): readonly (readonly Digest[])[] {
  return [
    ...proof.flatMap((hash, at) => [
      proof.with(at, flipped(hash, at * 31)),
      proof.toSpliced(at, 1),
      proof.toSpliced(at, 0, hash),
    ]),
    ...proof.slice(1).map((hash, at) => proof.with(at, hash).with(at + 1, present(proof[at]))),
    ...strangers.flatMap((stranger) => [
      [stranger, ...proof],
      [...proof, stranger],
    ]),
  ];
}

function flipped(digest: Digest, bit: number): Digest {
  const bytes = Uint8Array.from(digest);
  bytes[Math.floor(bit / 8) % 32] = present(bytes[Math.floor(bit / 8) % 32]) ^ (1 << (bit % 8));
  return bytes as Uint8Array as Digest;
}

function codeOf(result: Result<unknown, Refusal>): string {
  return result.ok ? 'ok' : result.error.code;
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('expected a value, found none');
  return value;
}
