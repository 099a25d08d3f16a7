/**
 * A table of records in a SQLite file: the user's, or a sample. It is opened for writing only in order to delete, and to
 * make the sample.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CodedError } from 'ringmesh/runtime';

export type Place = {
  readonly file: string;
  readonly table: string;
  /** When a record was made: ISO 8601 text, or seconds since 1970. */
  readonly column: string;
};

/** Records in the sample; each is half a day older than the one after it. */
const SAMPLE_RECORDS = 1_000;
const HALF_DAY_S = 12 * 60 * 60;
/** So that no record is just about to be old. */
const HOUR_S = 60 * 60;

/** @throws {CodedError} `records.not_found`: no such file, table or column */
export function checkPlace({ file, table, column }: Place): void {
  if (!existsSync(file)) throw new CodedError('records.not_found', `expected a database ${file}, found no file`);
  using db = new DatabaseSync(file, { readOnly: true });
  const columns = db.prepare('SELECT name FROM pragma_table_info(?)').all(table);
  if (columns.some(({ name }) => name === column)) return;
  const found = columns.map(({ name }) => name).join(', ') || 'no such table';
  throw new CodedError('records.not_found', `expected a column ${column} in the table ${table}, found ${found}`);
}

/** `before` is in seconds since 1970. */
export function countOld(place: Place, before: number): { readonly total: number; readonly old: number } {
  using db = new DatabaseSync(place.file, { readOnly: true });
  const { table } = quoted(place);
  const row = db.prepare(`SELECT count(*) AS total, count(*) FILTER (WHERE ${olderIn(place)}) AS old FROM ${table}`);
  const { total, old } = row.get(before) as { readonly total: number; readonly old: number };
  return { total, old };
}

export function deleteBefore(place: Place, before: number): { readonly deleted: number } {
  using db = new DatabaseSync(place.file);
  const { changes } = db.prepare(`DELETE FROM ${quoted(place).table} WHERE ${olderIn(place)}`).run(before);
  return { deleted: Number(changes) };
}

/** Makes a database to try it with, unless there is one. `now` is in seconds since 1970. */
export function makeSample({ file, table, column }: Place, now: number): void {
  if (existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true });
  using db = new DatabaseSync(file);
  const { table: name, column: made } = quoted({ table, column });
  db.exec(`BEGIN; CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${made} INTEGER NOT NULL, text TEXT NOT NULL)`);
  const insert = db.prepare(`INSERT INTO ${name} (${made}, text) VALUES (?, ?)`);
  for (let n = 0; n < SAMPLE_RECORDS; n += 1) {
    insert.run(now - (SAMPLE_RECORDS - n) * HALF_DAY_S - HOUR_S, `record ${n}`);
  }
  db.exec('COMMIT');
}

function olderIn(place: Pick<Place, 'table' | 'column'>): string {
  return `unixepoch(${quoted(place).column}, 'auto') < ?`;
}

/** Names are the operator's; quoted, they are nothing but names. */
function quoted({ table, column }: Pick<Place, 'table' | 'column'>) {
  const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
  return { table: quote(table), column: quote(column) };
}
