/**
 * One epoch's file, every byte of it that means something: records first, then everything that is derived from them,
 * compared both ways. Called by `fsck.ts`.
 *
 * V1. Only records are believed, and only as far as they are strictly encoded and in order. Tiles, head, indexes and
 *     checkpoints are made again from them and must be equal: nothing missing, nothing else.
 * V2. Nothing is thrown for what the file holds: every fault becomes a problem with its place. At the first record that is
 *     not there at all the comparison ends, for nothing after it can be placed.
 * V3. Memory does not grow with the log but for an entry per stream and per blob, and 29 bytes per event up to four million
 *     events.
 */
import type { Buffer } from 'node:buffer';
import { type Checkpoint, type Origin, openCheckpoint } from '../codec/checkpoint.ts';
import { DIGEST_BYTES, type Digest, formatDigest, parseDigest, sha256 } from '../codec/digest.ts';
import { hashLeaf, rootOf } from '../codec/merkle.ts';
import type { Verifier } from '../codec/note.ts';
import type { LogRecord, StreamId } from '../codec/record.ts';
import { TILE_WIDTH } from '../codec/tile.ts';
import { concat, equalBytes } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { indexedIn } from './event-index.ts';
import type { Findings } from './findings.ts';
import { IndexWindow, WINDOW_EVENTS } from './fsck-index.ts';
import * as layout from './layout.ts';
import { Cursor } from './raw-cursor.ts';
import { type RawTables, type Row, TABLES } from './raw-tables.ts';
import { RecordOrder, type StreamEnd } from './record-order.ts';
import type { Head, StoredTile } from './store.ts';
import { Tiling } from './tiling.ts';
import { unbundle } from './unbundle.ts';

export type EpochParts = {
  readonly tables: RawTables;
  readonly origin: Origin;
  /** Absent when no key of the log could be read; checkpoints then stay unverified, which is a problem elsewhere. */
  readonly verifier: Verifier | undefined;
  readonly anchored: Checkpoint | undefined;
  readonly findings: Findings;
  /** Awaited after each bundle of records; throws to give up. */
  readonly onProgress: (done: number, size: number) => Promise<void>;
};

/** How an epoch ends, as far as its records tell. */
export type EpochEnd = {
  readonly size: number;
  /** Absent when a record is missing. */
  readonly root: Digest | undefined;
  /** The root at the size of the anchor, when the tree reaches that far. */
  readonly rootAtAnchor: Digest | undefined;
  readonly checkpoints: number;
  readonly first: LogRecord | undefined;
  readonly streams: ReadonlyMap<StreamId, StreamEnd>;
};

export async function verifyEpoch(parts: EpochParts): Promise<EpochEnd> {
  const check = new EpochCheck(parts);
  await check.run();
  return check.end();
}

class EpochCheck {
  readonly #parts: EpochParts;
  readonly #tables: RawTables;
  readonly #findings: Findings;
  readonly #order: RecordOrder;
  /** Tiles of level 1 and higher, made from the leaves. */
  readonly #upper = new Map<string, StoredTile>();
  readonly #tiling = new Tiling((tile) => this.#keepUpper(tile));
  readonly #tiles: Cursor;
  readonly #checkpoints: Cursor;
  readonly #blobs = new Map<string, { readonly index: number; readonly length: number }>();
  #window = new IndexWindow(0);
  #head: Head | undefined;
  #format: 1 | 2 = 2;
  /** The index that the next record must have. */
  #next = 0;
  /** False once a record is missing (V2). */
  #isWhole = true;
  /** Of the bundle under way. */
  #leaves: Digest[] = [];
  #first: LogRecord | undefined;
  #checkpointCount = 0;
  /** The last size at which the root was the one that had been signed. */
  #signedSize = 0;
  #isForked = false;
  #rootAtAnchor: Digest | undefined;

  constructor(parts: EpochParts) {
    this.#parts = parts;
    this.#tables = parts.tables;
    this.#findings = parts.findings;
    this.#order = new RecordOrder(parts.origin, parts.findings);
    this.#tiles = new Cursor(parts.tables.rows('tiles'), 'tiles', parts.findings);
    this.#checkpoints = new Cursor(parts.tables.rows('checkpoints'), 'checkpoints', parts.findings);
  }

  async run(): Promise<void> {
    this.#checkNames();
    this.#findings.guard('meta', () => this.#checkMeta());
    this.#compareSigned();
    await this.#checkEntries();
    this.#closeBundle();
    this.#closeWindow(this.#isWhole ? this.#next : undefined);
    if (this.#isWhole) {
      this.#checkHead();
      this.#checkUpperTiles();
      this.#checkRestOfCheckpoints();
    }
    this.#findings.guard('blobs', () => this.#checkBlobs());
  }

  end(): EpochEnd {
    return {
      size: this.#next,
      root: this.#isWhole ? this.#tiling.root() : undefined,
      rootAtAnchor: this.#rootAtAnchor,
      checkpoints: this.#checkpointCount,
      first: this.#first,
      streams: this.#order.streams,
    };
  }

  #checkNames(): void {
    for (const name of TABLES) {
      if (!this.#tables.names.includes(name))
        this.#findings.add('log.bad_layout', name, 'expected this table, found none');
    }
    for (const name of this.#tables.names) {
      if ((TABLES as readonly string[]).includes(name)) continue;
      this.#findings.add('log.bad_layout', JSON.stringify(name), 'expected no table of this name');
    }
  }

  #checkMeta(): void {
    for (const { key, value } of this.#tables.rows('meta')) {
      const name = key.toString('latin1');
      if (name === 'head') this.#head = layout.parseHead(value);
      if (name === 'format') this.#format = layout.parseFormat(value)?.format ?? 2;
      const isGood =
        (name === 'head' && this.#head !== undefined && equalBytes(layout.headValue(this.#head), value)) ||
        (name === 'format' && equalBytes(layout.formatValue(this.#parts.origin, this.#format), value)) ||
        (name === 'writer' && layout.parseWriter(value) !== undefined);
      if (!isGood)
        this.#findings.add('log.bad_layout', `meta ${JSON.stringify(name)}`, 'expected format, head or writer');
    }
    if (this.#head === undefined) this.#findings.add('log.bad_head', 'head', 'expected a head, found none');
  }

  // --- records -------------------------------------------------------------------------------------------------------

  async #checkEntries(): Promise<void> {
    const size = this.#head?.size ?? Number.POSITIVE_INFINITY;
    const rows = this.#tables.rows('entries');
    while (this.#isWhole) {
      const row = this.#findings.guard(`record ${this.#next}`, () => rows.next(), this.#next);
      if (row === undefined || row.done === true) break;
      this.#findings.guard(`record ${this.#next}`, () => this.#checkRun(row.value, size), this.#next);
      if (this.#leaves.length === 0)
        await this.#parts.onProgress(this.#next, Math.max(this.#next, this.#head?.size ?? 0));
    }
    if (this.#isWhole && this.#next < size && size !== Number.POSITIVE_INFINITY) {
      this.#miss(`expected the ${size} records that the head names, found ${this.#next}`);
    }
  }

  /** S4: records stand in runs, each under the index of its first; a full bundle is one run. */
  #checkRun({ key, value }: Row, size: number): void {
    const first = key.length === 8 ? layout.fromU64(key) : undefined;
    if (first !== undefined && first > this.#next && first < size) {
      this.#miss(`expected this record, found record ${first}`);
    } else if (first !== this.#next || first >= size) {
      const place = first === undefined ? `entries ${key.toString('hex', 0, 24)}` : `record ${first}`;
      const message = `expected each of ${size} records once, and nothing else`;
      this.#findings.add('log.bad_layout', place, message, first === undefined ? {} : { index: first });
    } else {
      this.#checkRecords(first, unbundle(value), size);
    }
  }

  #checkRecords(first: number, { records, fault }: ReturnType<typeof unbundle>, size: number): void {
    for (const record of records) this.#checkRecord(record);
    if (fault !== undefined) {
      this.#miss(fault);
      return;
    }
    const at = { index: first };
    const end = (first % TILE_WIDTH) + records.length; // of the run, in its bundle
    const isBundle = records.length === TILE_WIDTH && end === TILE_WIDTH;
    if (end >= TILE_WIDTH && !isBundle) {
      this.#findings.add('log.bad_layout', `record ${first}`, 'expected a full bundle to be one run', at);
    }
    if (first + records.length > size) {
      this.#findings.add('log.bad_layout', `record ${size}`, `expected no record past the size ${size}`, {
        index: size,
      });
    }
  }

  #checkRecord(bytes: Buffer): void {
    const index = this.#next++;
    const leaf = hashLeaf(bytes);
    const record = this.#order.check(bytes, index, leaf);
    this.#window.add(record, record === undefined ? 0 : (this.#order.streams.get(record.stream)?.number ?? 0));
    if (index === 0) this.#first = record;
    if (record?.payload.type === 'blob' && !this.#blobs.has(record.payload.digest)) {
      this.#blobs.set(record.payload.digest, { index, length: record.payload.length });
    }
    this.#leaves.push(leaf);
    if (this.#leaves.length === TILE_WIDTH) this.#closeBundle();
    if (this.#window.length === WINDOW_EVENTS) this.#closeWindow(this.#head?.size);
  }

  /** V2. */
  #miss(message: string): void {
    this.#findings.addRecord('log.missing_record', this.#next, message);
    this.#isWhole = false;
  }

  /** `size`: of the log, if that is known by now. */
  #closeWindow(size = Number.POSITIVE_INFINITY): void {
    const inTables = this.#format === 1 ? (of: number) => of : indexedIn;
    const [{ streams }, indexed, end] = [this.#order, inTables(this.#next), inTables(size)];
    this.#window.compare({ tables: this.#tables, findings: this.#findings, streams, indexed, end });
    this.#window = new IndexWindow(this.#next);
  }

  // --- tree ----------------------------------------------------------------------------------------------------------

  #closeBundle(): void {
    const leaves = this.#leaves.length === TILE_WIDTH ? this.#settle(this.#leaves) : this.#leaves;
    for (const leaf of leaves) {
      this.#tiling.append(leaf);
      this.#compareSigned();
    }
    this.#leaves = [];
  }

  /** The leaves of a full bundle, compared with their tile. Where the two differ, the tile above tells which is wrong, and
   *  the tree goes on with the other: one fault, one problem. */
  #settle(leaves: readonly Digest[]): readonly Digest[] {
    const number = this.#tiling.size / TILE_WIDTH;
    const place = `tile 0/${number}`;
    const start = number * TILE_WIDTH;
    const stored = this.#tiles.take(layout.tileKey(0, number));
    if (stored !== undefined && equalBytes(stored, concat(...leaves))) return leaves;
    if (stored?.length !== TILE_WIDTH * DIGEST_BYTES) {
      this.#findings.add('log.bad_tile', place, `expected 256 hashes, found ${stored?.length ?? 0} bytes`, {
        index: start,
      });
      return leaves;
    }
    const hashes = hashesOf(stored);
    const above = this.#tables.get('tiles', layout.tileKey(1, Math.floor(number / TILE_WIDTH)));
    const offset = (number % TILE_WIDTH) * DIGEST_BYTES;
    const isTileGood = above !== undefined && equalBytes(rootOf(hashes), above.subarray(offset, offset + DIGEST_BYTES));
    for (const [n, hash] of hashes.entries()) {
      if (equalBytes(hash, leaves[n] ?? EMPTY)) continue;
      const index = start + n;
      if (isTileGood) this.#findings.addRecord('log.bad_leaf', index, `expected the record whose hash is in ${place}`);
      else this.#findings.add('log.bad_tile', place, `expected the hash of record ${index}`, { index });
    }
    return isTileGood ? hashes : leaves;
  }

  #keepUpper(tile: StoredTile): void {
    if (tile.level > 0) this.#upper.set(`${tile.level}/${tile.number}`, tile);
  }

  #checkHead(): void {
    const { wallMs, counter } = this.#next === 0 ? { wallMs: 0, counter: 0 } : this.#order.time;
    const head = this.#head;
    if (head === undefined) return;
    const fail = (message: string, at = {}): void => this.#findings.add('log.bad_head', 'head', message, at);
    if (head.size !== this.#next) fail(`expected the size ${this.#next}, found ${head.size}`);
    if (head.wallMs !== wallMs || head.counter !== counter) fail('expected the time of the last record');
    const { frontier } = this.#tiling;
    if (head.frontier.length !== frontier.length) fail(`expected ${frontier.length} hashes in the frontier`);
    const wrong = frontier.findIndex((hash, n) => !equalBytes(hash, head.frontier[n] ?? EMPTY));
    if (wrong === -1) return;
    const at = subtreesOf(this.#next)[wrong] ?? { index: 0, end: this.#next };
    fail(`expected the hash of records ${at.index} to ${at.end - 1} as hash ${wrong} of the frontier`, at);
  }

  #checkUpperTiles(): void {
    for (const tile of this.#tiling.partial()) this.#keepUpper(tile);
    for (let row = this.#tiles.next(); row !== undefined; row = this.#tiles.next()) {
      const tile = layout.parseTileKey(row.key);
      const name = tile === undefined ? row.key.toString('hex', 0, 24) : `${tile.level}/${tile.number}`;
      const expected = this.#upper.get(name);
      this.#upper.delete(name);
      if (expected === undefined) this.#findings.add('log.bad_tile', `tile ${name}`, 'expected no such tile');
      else if (!equalBytes(expected.bytes, row.value)) this.#addBadUpper(expected, row.value);
    }
    for (const name of this.#upper.keys())
      this.#findings.add('log.bad_tile', `tile ${name}`, 'expected a tile, found none');
  }

  #addBadUpper({ level, number, bytes }: StoredTile, found: Uint8Array): void {
    const byte = bytes.findIndex((expected, at) => expected !== found[at]);
    const width = TILE_WIDTH ** level;
    const n = Math.floor((byte === -1 ? bytes.length : byte) / DIGEST_BYTES);
    const index = (number * TILE_WIDTH + n) * width;
    const message = `expected the hash of records ${index} to ${index + width - 1} as hash ${n}`;
    this.#findings.add('log.bad_tile', `tile ${level}/${number}`, message, { index, end: index + width });
  }

  // --- what was signed -----------------------------------------------------------------------------------------------

  /** The tree at its size of this moment, against the checkpoint and the anchor that speak of this size. */
  #compareSigned(): void {
    const { size } = this.#tiling;
    if (this.#parts.anchored?.size === size) this.#rootAtAnchor = this.#tiling.root();
    while (this.#checkpoints.number <= size) {
      const row = this.#checkpoints.next();
      if (row !== undefined) this.#checkCheckpoint(row, size);
    }
  }

  #checkCheckpoint({ key, value }: Row, size: number): void {
    const place = `checkpoint ${layout.fromU64(key) ?? key.toString('hex', 0, 24)}`;
    this.#checkpointCount += 1;
    const opened = this.#openCheckpoint(key, value, size);
    if (typeof opened === 'string') {
      this.#findings.add('log.bad_checkpoint', place, opened);
    } else if (opened !== undefined && equalBytes(opened.root, this.#tiling.root())) {
      this.#signedSize = size;
    } else if (opened !== undefined && !this.#isForked) {
      this.#isForked = true; // every later checkpoint will differ as well
      const message = `expected the root that was signed, found another: records ${this.#signedSize} to ${size - 1}`;
      this.#findings.add('log.forked', place, message, { index: this.#signedSize, end: size });
    }
  }

  /** The checkpoint of that size, what is wrong with it, or nothing when there is no key to tell. */
  #openCheckpoint(key: Buffer, note: Buffer, size: number): Checkpoint | string | undefined {
    if (key.length !== 8 || layout.fromU64(key) !== size) return 'expected a size of this log for a key';
    if (this.#parts.verifier === undefined) return undefined;
    const opened = openCheckpoint(note, this.#parts.verifier);
    if (!opened.ok) return `${opened.error.message} (${opened.error.code})`;
    return opened.value.size === size ? opened.value : `expected the size ${size}, found ${opened.value.size}`;
  }

  #checkRestOfCheckpoints(): void {
    for (let row = this.#checkpoints.next(); row !== undefined; row = this.#checkpoints.next()) {
      const size = layout.fromU64(row.key);
      const message = `expected no checkpoint past the size ${this.#next}`;
      this.#findings.add('log.bad_checkpoint', `checkpoint ${size ?? row.key.toString('hex', 0, 24)}`, message);
    }
  }

  // --- blobs ---------------------------------------------------------------------------------------------------------

  #checkBlobs(): void {
    for (const { key, value } of this.#tables.rows('blobs')) {
      const digest = parseDigest(key);
      const text = digest.ok ? formatDigest(digest.value) : key.toString('hex', 0, 24);
      const named = this.#blobs.get(text);
      this.#blobs.delete(text);
      const at = named === undefined ? {} : { index: named.index };
      if (!equalBytes(sha256(value), key))
        this.#findings.add('log.bad_blob', `blob ${text}`, 'expected bytes of this digest', at);
      else if (named === undefined && this.#isWhole)
        this.#findings.add('log.bad_blob', `blob ${text}`, 'expected a record that names it');
      else if (named !== undefined && named.length !== value.length) {
        this.#findings.add('log.bad_blob', `blob ${text}`, `expected ${named.length} bytes, found ${value.length}`, at);
      }
    }
    for (const [text, { index }] of this.#blobs) {
      this.#findings.add('log.bad_blob', `blob ${text}`, `expected the payload of record ${index}, found none`, {
        index,
      });
    }
  }
}

const EMPTY = new Uint8Array(0);

function hashesOf(tile: Uint8Array): readonly Digest[] {
  return Array.from({ length: tile.length / DIGEST_BYTES }, (_, n) =>
    unwrap(parseDigest(tile.subarray(n * DIGEST_BYTES, (n + 1) * DIGEST_BYTES)), '32 bytes of a tile'),
  );
}

/** The ranges of the complete subtrees of a tree, largest first: one per hash of its frontier. */
function subtreesOf(size: number): readonly { readonly index: number; readonly end: number }[] {
  const ranges: { readonly index: number; readonly end: number }[] = [];
  for (let index = 0; index < size; index = ranges.at(-1)?.end ?? size) {
    ranges.push({ index, end: index + 2 ** Math.floor(Math.log2(size - index)) });
  }
  return ranges;
}
