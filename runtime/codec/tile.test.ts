import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, toHex, utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Digest } from './digest.ts';
import { Frontier } from './frontier.ts';
import {
  consistencyProof,
  hashLeaf,
  inclusionProof,
  type NodeReader,
  rootAt,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';
import { parseVerifierKey } from './note.ts';
import { describeVectors } from './published-vectors.fixture.ts';
import {
  decodeBundle,
  encodeBundle,
  nodeFromTiles,
  parseTilePath,
  type TileReader,
  tilePath,
  tilesOf,
} from './tile.ts';

describe('a tile path', () => {
  test.each([
    ['tile/0/000', 0, 0, undefined],
    ['tile/0/x001/234.p/5', 0, 1234, 5],
    ['tile/3/x001/x234/067', 3, 1_234_067, 256],
    ['tile/entries/000.p/1', 'entries', 0, 1],
    ['tile/entries/x999/999', 'entries', 999_999, 256],
    ['tile/63/x009/x007/x199/x254/x740/991.p/255', 63, Number.MAX_SAFE_INTEGER, 255],
  ] as const)('%s is that of its level, number and width', (path, level, number, width) => {
    expect(tilePath(level, number, width)).toBe(path);
    expect(parseTilePath(path)).toEqual({ ok: true, value: { level, number, width: width ?? 256 } });
  });

  test('is read back to what it was written from', () => {
    const level = fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 }));
    const number = fc.oneof(fc.nat(2000), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
    fc.assert(
      fc.property(level, number, fc.integer({ min: 1, max: 256 }), (level, number, width) => {
        expect(parseTilePath(tilePath(level, number, width))).toEqual({ ok: true, value: { level, number, width } });
      }),
    );
  });

  test.each([
    '',
    'tile/0/0',
    'tile/0/0000',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/entry/000',
    'tile/0/x000/001',
    'tile/0/001/234',
    'tile/0/x001',
    'tile/0/x001/x234',
    'tile/0/x999/x999/x999/x999/x999/999',
    'tile/0/x001/x001/x001/x001/x001/x001/001',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/000.p/',
    'tile/0/000.p',
    '/tile/0/000',
    'tile/0/000/',
    'tile/0/000\n',
    'tile/0/../000',
    'tile/0/٠٠٠',
  ])('is not %j', (path) => {
    expect(parseTilePath(path)).toMatchObject({ ok: false, error: { code: 'tile.malformed_path' } });
  });

  test('is not written for a level, number or width that no tile has', () => {
    expect(() => tilePath(64, 0)).toThrow(/level/);
    expect(() => tilePath(0, -1)).toThrow(/number/);
    expect(() => tilePath(0, 0.5)).toThrow(/number/);
    expect(() => tilePath(0, 0, 0)).toThrow(/width/);
    expect(() => tilePath(0, 0, 257)).toThrow(/width/);
  });
});

describe('the tiles of a tree', () => {
  test('are those that the specification counts for a tree of 70,000', () => {
    const tiles = [...tilesOf(70_000)];
    expect(tiles.filter(({ level, width }) => level === 0 && width === 256)).toHaveLength(273);
    expect(tiles.filter(({ level, width }) => level > 0 || width < 256)).toEqual([
      { level: 0, number: 273, width: 112 },
      { level: 1, number: 0, width: 256 },
      { level: 1, number: 1, width: 17 },
      { level: 2, number: 0, width: 1 },
    ]);
  });

  test('are a full one and a partial one above it at 256, and none at 0', () => {
    expect([...tilesOf(256)]).toEqual([
      { level: 0, number: 0, width: 256 },
      { level: 1, number: 0, width: 1 },
    ]);
    expect([...tilesOf(0)]).toEqual([]);
  });

  test('answer for every node, and so for every proof, once a frontier has filled them', () => {
    const size = 66_000; // past 256^2, so that three levels of tiles take part
    const leafOf = (index: number): Digest => hashLeaf(utf8(`record ${index}`));
    const tiles = new Map<string, Digest[]>();
    const frontier = new Frontier();
    for (let index = 0; index < size; index++) {
      frontier.append(leafOf(index), (level, number, digest) => {
        if (level % 8 !== 0) return;
        const key = `${level / 8}/${Math.floor(number / 256)}`;
        tiles.set(key, [...(number % 256 === 0 ? [] : (tiles.get(key) ?? [])), digest]);
      });
    }
    expect([...tilesOf(size)].map(({ level, number, width }) => [`${level}/${number}`, width])).toEqual(
      [...tiles].map(([key, hashes]) => [key, hashes.length] as const).sort(byLevelAndNumber),
    );
    const readTile: TileReader = (level, number) => concat(...(tiles.get(`${level}/${number}`) ?? []));
    const read: NodeReader = (level, index) => nodeFromTiles(level, index, readTile);
    const root = rootAt(size, read);
    expect(toHex(root)).toBe(toHex(frontier.root()));
    for (const index of [0, 255, 256, 65_535, 65_536, size - 1]) {
      const proof = inclusionProof(index, size, read);
      expect(verifyInclusion({ index, size, leaf: leafOf(index), root, proof }).ok).toBe(true);
      const [oldSize, newSize] = [index + 1, size];
      const claim = { oldSize, newSize, oldRoot: rootAt(oldSize, read), newRoot: root };
      expect(verifyConsistency({ ...claim, proof: consistencyProof(oldSize, newSize, read) }).ok).toBe(true);
    }
  });

  test('assert when one is narrower than the node asked for', () => {
    const narrow: TileReader = () => new Uint8Array(3 * 32 + 31);
    expect(nodeFromTiles(1, 0, narrow)).toHaveLength(32);
    expect(() => nodeFromTiles(2, 0, narrow)).toThrow(/as wide as/);
    expect(() => nodeFromTiles(0, 3, narrow)).toThrow(/as wide as/);
  });
});

describe('an entry bundle', () => {
  test('gives back the records that were put in', () => {
    const records = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256 });
    fc.assert(
      fc.property(records, (records) => {
        const decoded = unwrap(decodeBundle(encodeBundle(records)), 'our own bundle');
        expect(decoded.map(toHex)).toEqual(records.map(toHex));
      }),
      { numRuns: 50 },
    );
  });

  test('frames a record of 65,535 bytes and asserts on a longer one', () => {
    const bundle = encodeBundle([new Uint8Array(65_535), Uint8Array.of(1)]);
    expect(unwrap(decodeBundle(bundle), 'our own bundle').map(({ length }) => length)).toEqual([65_535, 1]);
    expect(() => encodeBundle([new Uint8Array(65_536)])).toThrow(/RECORD_BYTES_MAX/);
  });

  test('holds 1 to 256 records', () => {
    const records = Array.from({ length: 257 }, () => Uint8Array.of(7));
    const overfull = concat(encodeBundle(records.slice(1)), encodeBundle(records.slice(0, 1)));
    expect(() => encodeBundle([])).toThrow(/1..256/);
    expect(() => encodeBundle(records)).toThrow(/1..256/);
    expect(decodeBundle(new Uint8Array(0))).toMatchObject({
      ok: false,
      error: { code: 'bundle.malformed', offset: 0 },
    });
    expect(decodeBundle(overfull)).toMatchObject({ ok: false, error: { code: 'bundle.malformed', offset: 256 * 3 } });
  });

  test('is refused at the byte where it is cut, wherever it is cut inside a record', () => {
    const bundle = encodeBundle([utf8('first'), utf8('second')]);
    for (let length = 0; length < bundle.length; length++) {
      const cut = decodeBundle(bundle.subarray(0, length));
      if (length === 7) expect(unwrap(cut, 'cut between records')).toHaveLength(1);
      else expect(cut).toMatchObject({ ok: false, error: { code: 'bundle.malformed' } });
    }
    expect(decodeBundle(bundle.subarray(0, 8))).toMatchObject({ error: { offset: 7 } });
    expect(decodeBundle(bundle.subarray(0, 11))).toMatchObject({ error: { offset: 9 } });
  });
});

describeVectors('tlog-tiles', ({ bytes }) => {
  const folder = 'tessera-log';
  const sizes = Array.from({ length: 16 }, (_, size) => size);
  const verifier = unwrap(
    parseVerifierKey('example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx'),
    'published',
  );
  const checkpoints = sizes.map((size) =>
    unwrap(openCheckpoint(bytes(`${folder}/checkpoint.${size}`), verifier), 'published'),
  );
  const readerAt =
    (size: number): NodeReader =>
    (level, index) =>
      nodeFromTiles(level, index, (tileLevel, number) => {
        const tile = [...tilesOf(size)].find((tile) => tile.level === tileLevel && tile.number === number);
        return bytes(`${folder}/${tilePath(tileLevel, number, tile?.width)}`);
      });

  test('all 16 checkpoints are signed by the log and say their size', () => {
    expect(checkpoints.map(({ size }) => size)).toEqual(sizes);
    expect(new Set(checkpoints.map(({ origin }) => origin))).toEqual(new Set(['example.com/log/testdata']));
  });

  test('all 120 leaf hashes are those of the records in the 15 bundles', () => {
    let leaves = 0;
    for (const size of sizes.slice(1)) {
      const records = unwrap(decodeBundle(bytes(`${folder}/${tilePath('entries', 0, size)}`)), 'published');
      const tile = bytes(`${folder}/${tilePath(0, 0, size)}`);
      expect(toHex(concat(...records.map(hashLeaf)))).toBe(toHex(tile));
      expect(toHex(encodeBundle(records))).toBe(toHex(bytes(`${folder}/${tilePath('entries', 0, size)}`)));
      leaves += records.length;
    }
    expect(leaves).toBe(120);
  });

  test('all 16 roots follow from the tiles, and from the records', () => {
    const records = unwrap(decodeBundle(bytes(`${folder}/tile/entries/000.p/15`)), 'published');
    const hashes = records.map(hashLeaf);
    for (const { size, root } of checkpoints) {
      expect(toHex(rootAt(size, readerAt(size)))).toBe(toHex(root));
      expect(toHex(rootOf(hashes.slice(0, size)))).toBe(toHex(root));
    }
    expect(checkpoints).toHaveLength(16);
  });

  test('of the 120 pairs of sizes 105 have a consistency proof that holds, and the 15 from size 0 are refused', () => {
    const verdicts: string[] = [];
    for (const { size: newSize, root: newRoot } of checkpoints) {
      for (const { size: oldSize, root: oldRoot } of checkpoints.slice(0, newSize)) {
        const proof = oldSize === 0 ? [] : consistencyProof(oldSize, newSize, readerAt(newSize));
        const result = verifyConsistency({ oldSize, newSize, oldRoot, newRoot, proof });
        verdicts.push(result.ok ? 'ok' : result.error.code);
      }
    }
    expect(verdicts.filter((verdict) => verdict === 'ok')).toHaveLength(105);
    expect(verdicts.filter((verdict) => verdict === 'proof.out_of_range')).toHaveLength(15);
    expect(verdicts).toHaveLength(120);
  });

  test('every record is included in every later checkpoint: 120 proofs', () => {
    let held = 0;
    for (const { size, root } of checkpoints) {
      const read = readerAt(size);
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(index, size, read);
        if (verifyInclusion({ index, size, leaf: read(0, index), root, proof }).ok) held += 1;
      }
    }
    expect(held).toBe(120);
  });
});

function byLevelAndNumber([a]: readonly [string, number], [b]: readonly [string, number]): number {
  const [levelA = 0, numberA = 0] = a.split('/').map(Number);
  const [levelB = 0, numberB = 0] = b.split('/').map(Number);
  return levelA - levelB || numberA - numberB;
}
