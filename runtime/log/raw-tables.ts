/**
 * The tables of a log's LMDB file as they are, for whoever trusts no index: every key and value in order, nothing
 * interpreted (docs/spec/log.md section 5).
 *
 * W1. All reads of one `RawTables` see one moment, however long they take and whatever is appended meanwhile.
 * W2. Keys come in strictly ascending order, or the walk ends with an error: a damaged file could lead in circles.
 * W3. Whatever a walk meets is also found by its key, or the walk ends with an error: readers of the log come by key.
 */
import type { Buffer } from 'node:buffer';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase, type Transaction } from 'lmdb';
import { CodedError } from '../core/errors.ts';
import { faultOfFile } from './mapped-file.ts';

export const TABLES = ['meta', 'entries', 'tiles', 'streams', 'ids', 'blobs', 'checkpoints'] as const;

export type TableName = (typeof TABLES)[number];

export type Row = { readonly key: Buffer; readonly value: Buffer };

type Table = Database<Buffer, Buffer>;

export class RawTables implements AsyncDisposable {
  /** Every table that the file names, ours or not. */
  readonly names: readonly string[];
  readonly #env: RootDatabase<Buffer, Buffer>;
  readonly #tables: ReadonlyMap<TableName, Table>;
  readonly #moment: Transaction;
  readonly #onWork: () => void;
  #work = 0;

  /** `onWork` is called after every so much reading, so that whoever waits knows that it goes on.
   *  @throws `log.not_found` · `log.unreadable` · whatever LMDB makes of a damaged file */
  constructor(directory: string, onWork: () => void = () => undefined) {
    this.#onWork = onWork;
    const path = join(directory, 'data.mdb');
    if (!existsSync(path)) throw new CodedError('log.not_found', `expected a log in ${directory}, found no data.mdb`);
    const fault = faultOfFile(path);
    if (fault !== undefined) throw new CodedError('log.unreadable', fault);
    this.#env = open<Buffer, Buffer>({ path: directory, maxDbs: 8, ...BINARY, readOnly: true });
    this.names = [...this.#env.getKeys()].map((key) => key.toString('latin1').replace(/\0$/, '')); // as lmdb-js ends them
    const tables = TABLES.filter((name) => this.names.includes(name)).map(
      (name) => [name, this.#env.openDB<Buffer, Buffer>(name, BINARY)] as const,
    );
    this.#tables = new Map(tables);
    this.#moment = this.#env.useReadTransaction(); // after the tables: opening one ends a transaction
  }

  /** Every row of a table, in the order of its keys; none where there is no such table.
   *  @throws `log.unreadable` (W2, W3) */
  *rows(name: TableName): Generator<Row> {
    const table = this.#tables.get(name);
    const options = { transaction: this.#moment };
    let last: Buffer | undefined;
    for (const row of table?.getRange(options) ?? []) {
      const { key, value } = row;
      if (last !== undefined && !isBefore(last, key)) {
        throw new CodedError('log.unreadable', `expected ascending keys, found ${show(key)} after ${show(last)}`);
      }
      if (table?.get(key, options)?.length !== value.length) {
        throw new CodedError('log.unreadable', `expected to find ${show(key)} by its key too`);
      }
      last = key;
      this.#work += ROW_BYTES + value.length;
      if (this.#work > WORK_BYTES) {
        this.#work = 0;
        this.#onWork();
      }
      yield row;
    }
  }

  get(name: TableName, key: Buffer): Buffer | undefined {
    return this.#tables.get(name)?.get(key, { transaction: this.#moment });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#moment.done();
    await this.#env.close();
  }
}

/** Reading a row costs about as much as hashing this many bytes. */
const ROW_BYTES = 1_024;
/** About 50 ms of work. */
const WORK_BYTES = 64 * 1024 * 1024;
const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const;

/** Whether `a` sorts before `b`. For keys that differ early this is faster than a call into Buffer's own. */
function isBefore(a: Buffer, b: Buffer): boolean {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    if (a[at] !== b[at]) return (a[at] ?? 0) < (b[at] ?? 0);
  }
  return a.length < b.length;
}

function show(key: Buffer): string {
  return key.toString('hex', 0, 24);
}
