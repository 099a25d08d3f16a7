import { describe, expect, test } from 'vitest';
import { parseDigest } from '../codec/digest.ts';
import { TILE_WIDTH } from '../codec/tile.ts';
import type { Millis } from '../core/brand.ts';
import { toHex } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { events, write } from './event.fixture.ts';
import { MemoryWorld } from './memory-log.ts';
import { type MemoryDisk, MemoryStore } from './memory-store.ts';
import { recoverTree } from './recover.ts';

async function diskOf(size: number): Promise<MemoryWorld> {
  const world = new MemoryWorld(seededRandom('recover'));
  const { log } = await world.open(new ManualClock());
  for (let n = 0; n < size; n += 100) await log.append([write('a', events(n, Math.min(size, n + 100)))]);
  return world;
}

function flip(bytes: Uint8Array | undefined, at = 3): Uint8Array {
  const copy = Uint8Array.from(bytes ?? []);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

describe('a sound store', () => {
  test.each([0, 1, 2, 255, 256, 257, 511, 512, 513, 1_000])(
    'of %i records gives the tree that wrote it',
    async (size) => {
      const world = await diskOf(size);
      const { log } = await world.open(new ManualClock());

      const tree = recoverTree(new MemoryStore(world.origin, world.disk));

      expect(tree.size).toBe(size);
      expect(toHex(tree.root())).toBe(toHex(log.root()));
      expect(tree.frontier.map(toHex)).toEqual(world.disk.head.frontier.map(toHex));
    },
  );
});

describe('a store', () => {
  const size = 2 * TILE_WIDTH + 10;
  const damages: readonly (readonly [string, string, (disk: MemoryDisk) => void])[] = [
    ['whose last record was changed', `record ${size - 1}`, (d) => (d.records[size - 1] = flip(d.records[size - 1]))],
    [
      'whose last record is another',
      `record ${size - 1}`,
      (d) => (d.records[size - 1] = d.records[size - 2] ?? flip(undefined)),
    ],
    ['whose last record is gone', `record ${size - 1}`, (d) => d.records.pop()],
    [
      'with an earlier record of the open tile changed',
      'head',
      (d) => (d.records[size - 5] = flip(d.records[size - 5])),
    ],
    ['with a record of the last full tile changed', 'record 300', (d) => (d.records[300] = flip(d.records[300]))],
    ['with a record of the tile before changed', 'record 7', (d) => (d.records[7] = flip(d.records[7]))],
    ['with a tile of leaves changed', 'record 256', (d) => d.tiles.set('0/1', flip(d.tiles.get('0/1')))],
    ['with a tile of leaves gone', 'tile 0/1', (d) => d.tiles.delete('0/1')],
    ['with a tile of leaves cut short', 'tile 0/0', (d) => d.tiles.set('0/0', flip(d.tiles.get('0/0')).subarray(32))],
    ['with a tile above changed', 'tile 1/0', (d) => d.tiles.set('1/0', flip(d.tiles.get('1/0'), 40))],
    ['with a tile above gone', 'tile 1/0', (d) => d.tiles.delete('1/0')],
    ['whose head is short of a hash', 'head', (d) => (d.head = { ...d.head, frontier: d.head.frontier.slice(1) })],
    [
      'whose head names another hash',
      'head',
      (d) =>
        (d.head = { ...d.head, frontier: d.head.frontier.map((hash) => unwrap(parseDigest(flip(hash)), 'a digest')) }),
    ],
    [
      'whose head names a time that the last record has not',
      `record ${size - 1}`,
      (d) => (d.head = { ...d.head, wallMs: 5 as Millis }),
    ],
    ['whose head is behind', `record ${size - 2}`, (d) => (d.head = { ...d.head, size: size - 1 })],
    ['whose head is ahead', `record ${size}`, (d) => (d.head = { ...d.head, size: size + 1 })],
  ];

  test.each(damages)('%s is damaged, at %s', async (_, place, damage) => {
    const world = await diskOf(size);
    damage(world.disk);

    const recovering = (): unknown => recoverTree(new MemoryStore(world.origin, world.disk));

    expect(recovering).toThrow(expect.objectContaining({ code: 'log.damaged', place }));
    await expect(world.open(new ManualClock())).rejects.toMatchObject({ code: 'log.damaged' });
  });
});
