/**
 * Tiles and entry bundles of c2sp.org/tlog-tiles: a tree as a set of static resources, from which anyone can compute any
 * proof. A tile holds 256 hashes of 32 bytes; a hash in a tile of level L is the root of 256^L leaves. Only the last tile of
 * a level may be narrower (*partial*); a full tile never changes.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../core/assert.ts';
import { view } from '../core/bytes.ts';
import { RECORD_BYTES_MAX } from '../core/limits.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';
import { DIGEST_BYTES, type Digest, parseDigest } from './digest.ts';
import { rootOf } from './merkle.ts';

/** Tree levels that one tile spans. */
export const TILE_HEIGHT = 8;

/** Hashes in a full tile, and records in a full entry bundle. */
export const TILE_WIDTH = 256;

/** Levels of tiles: the specification's bound; a tree of 2^53 leaves has seven. */
const TILE_LEVEL_MAX = 63;

/** A tile of hashes, or the bundle of the records under a tile of level 0. `width` is in 1..256; 256 means full. */
export type Tile = { readonly level: number | 'entries'; readonly number: number; readonly width: number };

/** The hashes of one tile, at least as many as the tree at hand has there. */
export type TileReader = (level: number, number: number) => Uint8Array;

/** The path of a resource: `tile/0/x001/234` for a full tile, `tile/entries/x001/234.p/5` for a partial bundle. */
export function tilePath(level: number | 'entries', number: number, width: number = TILE_WIDTH): string {
  assert(level === 'entries' || isWithin(level, 0, TILE_LEVEL_MAX), 'tilePath: a level in 0..63');
  assert(isWithin(number, 0, Number.MAX_SAFE_INTEGER), 'tilePath: a tile number');
  assert(isWithin(width, 1, TILE_WIDTH), 'tilePath: a width in 1..256');
  const digits = String(number);
  const groups = digits.padStart(3 * Math.ceil(digits.length / 3), '0').replace(/\d{3}(?=\d)/g, 'x$&/');
  return `tile/${level}/${groups}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** Accepts exactly what `tilePath` writes. */
export function parseTilePath(path: string): Result<Tile, Refusal> {
  const [, levelText, groups, widthText] = TILE_PATH.exec(path) ?? [];
  if (levelText !== undefined && groups !== undefined) {
    const level = levelText === 'entries' ? levelText : Number(levelText);
    const number = Number(groups.replaceAll(/[x/]/g, ''));
    const width = widthText === undefined ? TILE_WIDTH : Number(widthText);
    const isTile = (level === 'entries' || level <= TILE_LEVEL_MAX) && Number.isSafeInteger(number);
    if (isTile && isWithin(width, 1, TILE_WIDTH) && tilePath(level, number, width) === path) {
      return ok({ level, number, width });
    }
  }
  return err({ code: 'tile.malformed_path', message: 'expected tile/<level>/<number>[.p/<width>]' });
}

const TILE_PATH = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/;

/** The tiles of a tree, the partial ones included, level by level from the leaves. Those of level 0 are its bundles too. */
export function* tilesOf(size: number): Generator<Tile & { readonly level: number }> {
  assert(isWithin(size, 0, Number.MAX_SAFE_INTEGER), 'tilesOf: a size');
  for (let [level, hashes] = [0, size]; hashes > 0; [level, hashes] = [level + 1, Math.floor(hashes / TILE_WIDTH)]) {
    const full = Math.floor(hashes / TILE_WIDTH);
    for (let number = 0; number < full; number++) yield { level, number, width: TILE_WIDTH };
    if (hashes % TILE_WIDTH > 0) yield { level, number: full, width: hashes % TILE_WIDTH };
  }
}

/** Answers as a `NodeReader` does: a node is the root of a run of 1 to 128 hashes in one tile. */
export function nodeFromTiles(level: number, index: number, readTile: TileReader): Digest {
  const width = 2 ** (level % TILE_HEIGHT);
  const first = index * width;
  const offset = first % TILE_WIDTH;
  const tile = readTile(Math.floor(level / TILE_HEIGHT), Math.floor(first / TILE_WIDTH));
  return rootOf(Array.from({ length: width }, (_, n) => hashAt(tile, offset + n)));
}

function hashAt(tile: Uint8Array, position: number): Digest {
  const hash = parseDigest(tile.subarray(position * DIGEST_BYTES, (position + 1) * DIGEST_BYTES));
  assert(hash.ok, 'nodeFromTiles: a tile as wide as the tree needs it');
  return hash.value;
}

/** An entry bundle: each record after its length, a big-endian 16-bit integer. */
export function encodeBundle(records: readonly Uint8Array[]): Uint8Array {
  assert(isWithin(records.length, 1, TILE_WIDTH), 'encodeBundle: 1..256 records');
  const bundle = Buffer.allocUnsafe(records.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0));
  let at = 0;
  for (const record of records) {
    assert(record.length <= RECORD_BYTES_MAX, 'encodeBundle: a record of at most RECORD_BYTES_MAX bytes');
    at = bundle.writeUInt16BE(record.length, at);
    bundle.set(record, at);
    at += record.length;
  }
  return bundle;
}

/** The records of a bundle, 1 to 256 of them, as views of `bytes`. */
export function decodeBundle(bytes: Uint8Array): Result<Uint8Array[], Refusal> {
  const source = view(bytes);
  const records: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const start = offset + LENGTH_BYTES;
    if (start > bytes.length) return malformed('expected a length of two bytes, found one', offset);
    const end = start + source.readUInt16BE(offset);
    if (end > bytes.length) return malformed(`expected ${end - start} bytes, found ${bytes.length - start}`, start);
    if (records.length === TILE_WIDTH) return malformed('expected at most 256 records, found another', offset);
    records.push(bytes.subarray(start, end));
    offset = end;
  }
  return records.length > 0 ? ok(records) : malformed('expected at least one record, found none', 0);
}

const LENGTH_BYTES = 2;

function malformed(message: string, offset: number): Result<never, Refusal> {
  return err({ code: 'bundle.malformed', message, offset });
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
