/**
 * The store on disk: one LMDB environment per log and epoch.
 *
 * S1. A batch is one child transaction: all of it or none, also when a put throws (`transaction()` would commit half).
 * S2. `commit` resolves after LMDB's sync has returned, and after `flushed`, which is all that its documentation promises
 *     (power-cut.int.test.ts holds it to the order of its system calls).
 * S3. One writer: every write transaction finds its own nonce in the file, or throws. A takeover changes the nonce.
 * S4. Whoever reads an index finds its record, packed or not: a run of records stands under the index of its first, and a
 *     full bundle of 256 replaces, in one transaction, the runs that it was made of. Its bytes are the entry bundle of
 *     c2sp.org/tlog-tiles.
 *
 * Values are binary, never LMDB-js's own encodings, so that other languages can read the file.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import type { Origin } from '../codec/checkpoint.ts';
import { type Digest, formatDigest, sha256 } from '../codec/digest.ts';
import type { EventId, StreamId } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import type { Millis } from '../core/brand.ts';
import { equalBytes, toBase64url, utf8 } from '../core/bytes.ts';
import { CodedError, hasCode } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { liveness, type ProcessIdentity } from '../core/system.ts';
import { Entries } from './entries.ts';
import { EventIndex } from './event-index.ts';
import * as layout from './layout.ts';
import { openEnvironment, openTables, type Tables, type Usage, usageOf } from './lmdb-tables.ts';
import { faultOfFile } from './mapped-file.ts';
import { DamageError } from './recover.ts';
import { hasRoom } from './reserve.ts';
import { fullError, stopError } from './stop-error.ts';
import type { Batch, Head, LogStore, StreamRun } from './store.ts';
import { entriesBeyond } from './upgrade.ts';

/** `isForPen`: only who holds the pen is asked for, which is written alike in every format. */
export type LmdbAccess = { readonly mode: 'read'; readonly isForPen?: true } | WriteAccess;

export type WriteAccess = {
  readonly mode: 'write';
  readonly identity: ProcessIdentity;
  readonly random: Random;
  /** Take the log from a writer that may be alive: its next write will fail. */
  readonly takeover?: boolean;
  /** For the suite's own proof that it would notice: flush nothing. */
  readonly plantNoSync?: boolean;
};

/** S3. Who writes, as it stands in the file until somebody takes the log over. */
type Pen = { readonly nonce: string; readonly value: Uint8Array };

const KEY = { format: utf8('format'), head: utf8('head'), writer: utf8('writer') } as const;
const EMPTY_HEAD: Head = { size: 0, wallMs: 0 as Millis, counter: 0, frontier: [] };
const WINDOW = 256;

/** How many stores read each directory in this process. LMDB opens a file once per process and a second opening shares the
 *  first, so that nothing can be written behind a reader. (lmdb-js, asked to, fails, and then never closes the file.) */
const readers = new Map<string, number>();

/** Pens that this process holds and will never write with again, since a write failed and LMDB takes no more. */
const abandoned = new Set<string>();

export class LmdbStore implements LogStore {
  readonly origin: Origin;
  readonly isReadOnly: boolean;
  readonly #directory: string;
  readonly #env: RootDatabase<Uint8Array, Uint8Array>;
  readonly #tables: Tables;
  readonly #pen: Pen;
  /** Whether every write that has ended has ended well. */
  #isSound = true;
  #underWay = 0;
  readonly #entries: Entries;
  readonly #index: EventIndex;
  #lastHead: { readonly value: Uint8Array; readonly head: Head } | undefined;

  /** Makes the environment of a new log in an empty or missing directory. @throws `log.exists` */
  static async create(directory: string, origin: Origin): Promise<void> {
    if (existsSync(join(directory, 'data.mdb')))
      throw new CodedError('log.exists', `expected no log in ${directory}, found one`);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const env = openEnvironment(directory, false, false);
    const tables = openTables(env);
    env.transactionSync(() => {
      tables.meta.putSync(KEY.format, layout.formatValue(origin));
      tables.meta.putSync(KEY.head, layout.headValue(EMPTY_HEAD));
    });
    await env.close();
  }

  /** @throws `log.not_found` · `log.no_access` · `log.damaged` · `log.old_format` to be read, it has to be opened for writing
   *  first · `log.locked` another process writes, or may */
  static open(directory: string, access: LmdbAccess): LmdbStore {
    if (!existsSync(join(directory, 'data.mdb')))
      throw new CodedError('log.not_found', `expected a log in ${directory}, found none`);
    return new LmdbStore(directory, access);
  }

  /** Writes nothing, not even the pen: for who must know before there is room to write.
   *  @throws as `open` */
  static async mustBeFree(directory: string, access: WriteAccess): Promise<void> {
    await using reader = LmdbStore.open(directory, { mode: 'read', isForPen: true });
    reader.#mustBeFree(access);
  }

  private constructor(directory: string, access: LmdbAccess) {
    this.#directory = realpathSync(directory);
    this.isReadOnly = access.mode === 'read';
    if (!this.isReadOnly) mustBeUnread(this.#directory);
    const fault = faultOfFile(join(directory, 'data.mdb'));
    if (fault !== undefined) throw new DamageError('data.mdb', fault);
    this.#env = openEnvironment(directory, this.isReadOnly, access.mode === 'write' && access.plantNoSync === true);
    try {
      this.#tables = openTables(this.#env);
      const format = this.#tables.meta.get(KEY.format);
      const known = format && layout.parseFormat(format);
      if (known === undefined) throw new DamageError('format', 'expected a log of format 1 or 2');
      if (known.format === 1 && access.mode === 'read' && access.isForPen !== true) throw oldFormat();
      this.origin = known.origin;
      this.#pen = access.mode === 'write' ? this.#takePen(access) : { nonce: '', value: new Uint8Array(0) };
      this.#entries = new Entries(this.#tables.entries, this.head().size);
      if (known.format === 1 && !this.isReadOnly) this.#upgrade();
      const source = { size: () => this.head().size, records: this.records.bind(this) };
      this.#index = new EventIndex(this.#tables, source, this.isReadOnly);
      if (this.isReadOnly) readers.set(this.#directory, (readers.get(this.#directory) ?? 0) + 1);
    } catch (error) {
      this.#abandonPen();
      void this.#env.close();
      throw error;
    }
  }

  head(): Head {
    const value = this.#tables.meta.get(KEY.head) ?? new Uint8Array(0);
    if (this.#lastHead !== undefined && equalBytes(value, this.#lastHead.value)) return this.#lastHead.head;
    const head = layout.parseHead(value);
    if (head === undefined) throw new DamageError('head', 'expected a head');
    this.#lastHead = { value, head };
    return head;
  }

  /** The batch is taken when the transaction is there: whatever was appended while LMDB made room for it goes along. */
  async commit(take: () => Batch): Promise<Batch> {
    const tables = this.#tables;
    const { batch, packed, indexed } = await this.#write(() => {
      const batch = take();
      const packed = this.#entries.pack(batch);
      const indexed = this.#index.index(batch);
      for (const [first, bytes] of packed.puts) void tables.entries.put(layout.u64(first), bytes);
      for (const first of packed.removes) void tables.entries.remove(layout.u64(first));
      for (const [id, index] of indexed.ids) void tables.ids.put(layout.idKey(id), layout.u64(index));
      for (const run of indexed.runs)
        void tables.streams.put(layout.runKey(run.stream, run.version), layout.runValue(run.indexes));
      for (const tile of batch.tiles) void tables.tiles.put(layout.tileKey(tile.level, tile.number), tile.bytes);
      for (const blob of batch.blobs) void tables.blobs.put(blob.digest, blob.bytes);
      void tables.meta.put(KEY.head, layout.headValue(batch.head));
      return { batch, packed, indexed };
    });
    this.#entries.packed(packed);
    indexed.settle();
    return batch;
  }

  records(from: number, to: number): Iterable<Uint8Array> {
    return this.#entries.records(from, to);
  }

  runs(stream: StreamId, fromVersion: number): Iterable<StreamRun> {
    return this.#index.runs(stream, fromVersion);
  }

  lastRun(stream: StreamId): StreamRun | undefined {
    return this.#index.lastRun(stream);
  }

  streams(after: string): Iterable<StreamId> {
    return this.#index.streams(after);
  }

  find(id: EventId): number | undefined {
    return this.#index.find(id);
  }

  tile(level: number, number: number): Uint8Array | undefined {
    return this.#tables.tiles.get(layout.tileKey(level, number));
  }

  blob(digest: Digest): Uint8Array | undefined {
    return this.#tables.blobs.get(digest);
  }

  *checkpoints(): Generator<{ readonly size: number; readonly note: Uint8Array }> {
    let start = layout.u64(Number.MAX_SAFE_INTEGER);
    for (;;) {
      const window = [...this.#tables.checkpoints.getRange({ start, reverse: true, limit: WINDOW })];
      for (const { key, value } of window) {
        const size = layout.fromU64(key);
        if (size === undefined) throw new DamageError('checkpoints', 'expected a size for a key');
        yield { size, note: value };
        if (size === 0) return;
        start = layout.u64(size - 1);
      }
      if (window.length < WINDOW) return;
    }
  }

  async putCheckpoint(size: number, note: Uint8Array): Promise<void> {
    await this.#write(() => void this.#tables.checkpoints.put(layout.u64(size), note));
  }

  /** A file of its own: snapshots are replaced often, and deleted values would stay in the log's free pages. */
  putSnapshot(name: string, bytes: Uint8Array): void {
    const path = this.#snapshotPath(name);
    mkdirSync(join(this.#directory, 'snapshots'), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.next`, bytes, { mode: 0o600 });
    renameSync(`${path}.next`, path);
  }

  snapshot(name: string): Uint8Array | undefined {
    try {
      return readFileSync(this.#snapshotPath(name));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** How many entries each table holds and how many bytes its pages take, from LMDB's own books: nothing is read for it. */
  usage(): { readonly [Name in keyof Tables]: Usage } {
    const rows = Object.entries(this.#tables).map(([name, table]) => [name, usageOf(table)]);
    return Object.fromEntries(rows) as { readonly [Name in keyof Tables]: Usage };
  }

  /** @throws `log.stopped` · `log.full` the pen could not be laid down: all else is well, and whoever comes finds it held by
   *  a process that is gone */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.isReadOnly) readers.set(this.#directory, (readers.get(this.#directory) ?? 0) - 1);
      else this.#layDownPen();
    } finally {
      // A write that hangs holds LMDB's lock, and closing would hang with it: then only the end of the process frees the file.
      if (this.#underWay === 0) await this.#env.close();
    }
  }

  // --- one writer ----------------------------------------------------------------------------------------------------

  /** Who holds the pen, dead or alive; `undefined` when it was laid down. */
  get writer(): ProcessIdentity | undefined {
    const held = this.#tables.meta.get(KEY.writer);
    return held && layout.parseWriter(held);
  }

  #takePen(access: WriteAccess): Pen {
    const nonce = toBase64url(access.random.bytes(16));
    const value = layout.writerValue({ ...access.identity, nonce });
    this.#inTransaction(() => {
      this.#mustBeFree(access);
      this.#tables.meta.putSync(KEY.writer, value);
    });
    return { nonce, value };
  }

  #holdsPen(): boolean {
    const held = this.#tables.meta.get(KEY.writer);
    return held !== undefined && equalBytes(held, this.#pen.value);
  }

  #upgrade(): void {
    const takeOut = entriesBeyond(this.#tables, this.head().size, this.records.bind(this));
    this.#inTransaction(() => {
      takeOut();
      this.#tables.meta.putSync(KEY.format, layout.formatValue(this.origin));
    });
  }

  #mustBeFree(access: WriteAccess): void {
    const held = this.#tables.meta.get(KEY.writer);
    if (held === undefined || access.takeover === true) return;
    const writer = layout.parseWriter(held);
    if (writer === undefined || !abandoned.has(writer.nonce)) mustBeDead(writer, access.identity);
  }

  /** What cannot be opened is not written by this process, whatever the file says: it may try again. */
  #abandonPen(): void {
    const pen: Pen | undefined = this.#pen;
    if (pen !== undefined) abandoned.add(pen.nonce);
  }

  #layDownPen(): void {
    this.#abandonPen();
    if (!this.#isSound || this.#underWay > 0) return; // LMDB takes no more writes, or would wait for one that hangs
    this.#inTransaction(() => {
      if (this.#holdsPen()) this.#tables.meta.removeSync(KEY.writer);
    });
    abandoned.delete(this.#pen.nonce);
  }

  #inTransaction(puts: () => void): void {
    try {
      this.#env.transactionSync(puts);
    } catch (error) {
      throw this.#toldBy(error);
    }
  }

  /** LMDB reports a write that the disk cut short as an I/O error: whether it was the disk's end, only the disk can tell. */
  #toldBy(error: unknown): Error {
    if (hasCode(error)) return error;
    return hasRoom(this.#directory) ? stopError(error) : fullError(error);
  }

  /** S1, S2, S3. */
  async #write<T>(puts: () => T): Promise<T> {
    assert(!this.isReadOnly && this.#isSound, 'S3: a store open for writing, none of whose writes has failed');
    this.#underWay += 1;
    try {
      const written = await this.#env.childTransaction(() => {
        if (!this.#holdsPen()) throw fenced();
        return puts();
      });
      await this.#env.flushed;
      return written;
    } catch (error) {
      this.#isSound = false;
      throw this.#toldBy(await causeOf(error));
    } finally {
      this.#underWay -= 1;
    }
  }

  #snapshotPath(name: string): string {
    return join(this.#directory, 'snapshots', `${formatDigest(sha256(utf8(name)))}.snapshot`);
  }
}

function oldFormat(): CodedError {
  const message = 'expected a log of format 2, found one of format 1';
  return new CodedError(
    'log.old_format',
    `${message}: start its node once, or append an event, and it is one of format 2`,
  );
}

function mustBeUnread(directory: string): void {
  if ((readers.get(directory) ?? 0) === 0) return;
  const message = `expected ${directory} not to be open for reading in the process that opens it for writing`;
  throw new CodedError('log.locked', `${message}: close the reader first`);
}

function mustBeDead(writer: ReturnType<typeof layout.parseWriter>, self: ProcessIdentity): void {
  const state = writer === undefined ? 'unknown' : liveness(writer, self);
  if (state === 'dead') return;
  const who = writer === undefined ? 'an unknown process' : `process ${writer.pid} on ${writer.host}`;
  const doubt = state === 'alive' ? 'which is running' : 'which cannot be seen from here';
  const remedy = 'stop it first; if it is certainly gone, open the log with --takeover';
  throw new CodedError('log.locked', `expected no other writer, found ${who}, ${doubt}: ${remedy}`);
}

function fenced(): CodedError {
  return new CodedError(
    'log.fenced',
    'expected to be the only writer, found that another process has taken the log over',
  );
}

/** lmdb-js rejects a failed commit with an error that says nothing, and hangs a promise on it that rejects with the reason.
 *  Unobserved, that second rejection would end the process before anyone could say what happened. */
function causeOf(error: unknown): unknown {
  const second: unknown =
    typeof error === 'object' && error !== null && 'commitError' in error ? error.commitError : undefined;
  return second instanceof Promise ? second.then(() => error).catch((reason: unknown) => reason) : error;
}
