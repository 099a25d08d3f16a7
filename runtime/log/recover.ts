/**
 * What a store must agree on before anybody appends to it (fsck level 0): its head, its last records, its tiles and its
 * frontier. Costs the same for every size of log: at most three bundles of records and a tile per level are read.
 */

import { DIGEST_BYTES, type Digest, parseDigest } from '../codec/digest.ts';
import { Frontier } from '../codec/frontier.ts';
import { hashLeaf, rootOf } from '../codec/merkle.ts';
import { decodeRecord } from '../codec/record.ts';
import { nodeFromTiles, TILE_WIDTH } from '../codec/tile.ts';
import { concat, equalBytes } from '../core/bytes.ts';
import { CodedError } from '../core/errors.ts';
import type { LogStore } from './store.ts';
import { LogTree } from './tree.ts';

/** A log that contradicts itself: nothing may be appended to it or signed for it until an operator has looked. */
export class DamageError extends CodedError {
  override readonly name = 'DamageError';
  /** Where: `record 17`, `tile 0/3`, `head`. */
  readonly place: string;
  constructor(place: string, message: string, options?: ErrorOptions) {
    super('log.damaged', `${place}: ${message}`, options);
    this.place = place;
  }
}

/** The tree of a sound store.
 *  @throws {DamageError} `log.damaged`, with the place. */
export function recoverTree(store: LogStore): LogTree {
  const { size, frontier: claimed } = store.head();
  checkLastRecord(store);
  const open = openTiles(store, size);
  checkLastTiles(store, size);
  const frontier = Frontier.from(size, subtreeRoots(store, size, open));
  if (!frontier.ok) throw new DamageError('head', frontier.error.message);
  const computed = frontier.value.hashes();
  if (computed.length !== claimed.length || computed.some((hash, n) => !equalBytes(hash, claimed[n] ?? EMPTY))) {
    throw new DamageError('head', 'expected the frontier that tiles and records give, found another');
  }
  return new LogTree(frontier.value, open, (level, number) => store.tile(level, number));
}

const EMPTY = new Uint8Array(0);

function checkLastRecord(store: LogStore): void {
  const { size, wallMs, counter } = store.head();
  if ([...store.records(size, size + 1)].length > 0)
    throw new DamageError(`record ${size}`, 'expected none after the head');
  if (size === 0) return;
  const last = [...store.records(size - 1, size)][0];
  if (last === undefined) throw new DamageError(`record ${size - 1}`, 'expected the last record, found none');
  const record = decodeRecord(last);
  if (!record.ok) throw new DamageError(`record ${size - 1}`, record.error.message);
  const { value } = record;
  if (value.index !== size - 1 || value.wallMs !== wallMs || value.counter !== counter) {
    throw new DamageError(`record ${size - 1}`, 'expected the index and time that the head names');
  }
}

/** The hashes in the partial tile of every level: of level 0 from the records, of the others as stored. */
function openTiles(store: LogStore, size: number): readonly (readonly Digest[])[] {
  const levels: (readonly Digest[])[] = [leafHashes(store, size - (size % TILE_WIDTH), size)];
  for (
    let level = 1, hashes = Math.floor(size / TILE_WIDTH);
    hashes > 0;
    level++, hashes = Math.floor(hashes / TILE_WIDTH)
  ) {
    const number = Math.floor(hashes / TILE_WIDTH);
    const width = hashes % TILE_WIDTH;
    levels.push(width === 0 ? [] : tileHashes(store, level, number, width));
  }
  return levels;
}

function tileHashes(store: LogStore, level: number, number: number, width: number): readonly Digest[] {
  const place = `tile ${level}/${number}`;
  const bytes = store.tile(level, number);
  if (bytes?.length !== width * DIGEST_BYTES) {
    throw new DamageError(place, `expected ${width} hashes, found ${(bytes?.length ?? 0) / DIGEST_BYTES}`);
  }
  return Array.from({ length: width }, (_, n) => {
    const hash = parseDigest(bytes.subarray(n * DIGEST_BYTES, (n + 1) * DIGEST_BYTES));
    if (!hash.ok) throw new DamageError(place, hash.error.message);
    return hash.value;
  });
}

function leafHashes(store: LogStore, from: number, to: number): readonly Digest[] {
  const hashes = [...store.records(from, to)].map(hashLeaf);
  if (hashes.length !== to - from)
    throw new DamageError(`record ${from + hashes.length}`, 'expected a record, found none');
  return hashes;
}

/** The last two full tiles of level 0 against their records, and against the tile above them. */
function checkLastTiles(store: LogStore, size: number): void {
  const full = Math.floor(size / TILE_WIDTH);
  for (let number = Math.max(0, full - 2); number < full; number++) {
    const stored = tileHashes(store, 0, number, TILE_WIDTH);
    const leaves = leafHashes(store, number * TILE_WIDTH, (number + 1) * TILE_WIDTH);
    const wrong = leaves.findIndex((leaf, n) => !equalBytes(leaf, stored[n] ?? EMPTY));
    if (wrong !== -1)
      throw new DamageError(`record ${number * TILE_WIDTH + wrong}`, `expected the hash in tile 0/${number}`);
    const above = store.tile(1, Math.floor(number / TILE_WIDTH)) ?? EMPTY;
    const offset = (number % TILE_WIDTH) * DIGEST_BYTES;
    if (!equalBytes(rootOf(leaves), above.subarray(offset, offset + DIGEST_BYTES))) {
      throw new DamageError(`tile 1/${Math.floor(number / TILE_WIDTH)}`, `expected the root of tile 0/${number}`);
    }
  }
}

/** The roots of the complete subtrees of a tree of `size`, largest first, each from the tiles. */
function subtreeRoots(store: LogStore, size: number, open: readonly (readonly Digest[])[]): readonly Digest[] {
  const roots: Digest[] = [];
  let start = 0;
  for (let level = Math.ceil(Math.log2(size + 1)); level >= 0; level--) {
    const width = 2 ** level;
    if (Math.floor(size / width) % 2 === 0) continue;
    roots.push(
      nodeFromTiles(level, start / width, (tileLevel, number) => {
        const isOpen = number === Math.floor(size / TILE_WIDTH ** (tileLevel + 1));
        if (isOpen) return concat(...(open[tileLevel] ?? []));
        const tile = store.tile(tileLevel, number);
        if (tile?.length !== TILE_WIDTH * DIGEST_BYTES)
          throw new DamageError(`tile ${tileLevel}/${number}`, 'expected 256 hashes');
        return tile;
      }),
    );
    start += width;
  }
  return roots;
}
