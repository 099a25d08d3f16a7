/**
 * A hand in the file: every way the tamper suite changes a log. Each change is drawn from a seed, says what it did, and, where
 * it wronged a record, which one.
 */
import {
  closeSync,
  cpSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { hashLeaf } from '../codec/merkle.ts';
import { digestText } from '../codec/record.ts';
import { decodeBundle, encodeBundle, TILE_WIDTH } from '../codec/tile.ts';
import type { Random } from '../core/random.ts';
import { unwrap } from '../core/result.ts';
import { editTables, rowsOf, type Tables } from './directory.fixture.ts';
import { tileKey, u64 } from './layout.ts';
import { TABLES, type TableName } from './raw-tables.ts';
import type { StoredTile } from './store.ts';
import { Tiling } from './tiling.ts';

export type Mutation = {
  /** For people: what was done. */
  readonly what: string;
  /** The first record that is no longer what it was, if the change was to records. */
  readonly index?: number;
};

export type Scene = {
  /** The copy to change. */
  readonly directory: string;
  /** Another sound log, to take things from. */
  readonly other: string;
  readonly random: Random;
};

/** Changes the copy in one of the ways of `kind`. */
export async function mutate(kind: 'records' | 'rows' | 'pages', scene: Scene): Promise<Mutation> {
  const folder = join(scene.directory, 'epoch-0');
  if (kind === 'pages') return mutatePages(join(folder, 'data.mdb'), scene.random);
  const borrowed = await borrow(join(scene.other, 'epoch-0'));
  let mutation: Mutation = { what: 'nothing' };
  await editTables(folder, (tables) => {
    mutation = (kind === 'records' ? mutateRecords : mutateRows)(tables, borrowed, scene.random);
  });
  return mutation;
}

type Row = { readonly key: Buffer; readonly value: Buffer };
type Borrowed = { readonly [Name in TableName]: readonly Row[] };

const borrowedFrom = new Map<string, Borrowed>();

async function borrow(folder: string): Promise<Borrowed> {
  const known = borrowedFrom.get(folder);
  if (known !== undefined) return known;
  let rows: Partial<Record<TableName, readonly Row[]>> = {};
  await editTables(folder, (tables) => {
    rows = Object.fromEntries(TABLES.map((name) => [name, rowsOf(tables[name])]));
  });
  borrowedFrom.set(folder, rows as Borrowed);
  return rows as Borrowed;
}

// --- records ---------------------------------------------------------------------------------------------------------

type Edit = (records: Buffer[], at: number, tools: { other: readonly Buffer[]; random: Random }) => Mutation;

const flipBit = (bytes: Buffer, random: Random): Buffer => {
  const [changed, at] = [Buffer.from(bytes), random.below(bytes.length)];
  changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
  return changed;
};

const pick = <T>(items: readonly T[], random: Random): T => items[random.below(items.length)] as T;

/** Fields that a forger may rewrite and keep canonical, each by a pattern and what stands there instead. */
const FORGERIES: readonly (readonly [RegExp, (found: string) => string])[] = [
  [/"a":"did:example:tester"/, () => '"a":"did:example:taster"'],
  [/"w":\d+/, (found) => `"w":${Number(found.slice(4)) + 1}`],
  [/"w":\d+/, (found) => `"w":${Number(found.slice(4)) - 1}`],
  [/"c":\d+/, (found) => `"c":${Number(found.slice(4)) + 1}`],
  [/"n":\d+,"t"/, (found) => `"n":${Number.parseInt(found.slice(4), 10) + 1},"t"`],
  [/"i":\d+/, (found) => `"i":${Number(found.slice(4)) + 1}`],
  [/"s":"stream\/\d/, (found) => `${found.slice(0, -1)}${(Number(found.at(-1)) + 1) % 7}`],
  [/"t":"import.recorded"/, () => '"t":"import.rewritten"'],
  [/"tv":1/, () => '"tv":2'],
  [/"id":"0/, () => '"id":"1'],
  [/"r":"state"/, () => '"r":"outcome"'],
  [/"x":\{"j":\{"n":\d+/, (found) => `${found}7`],
  [/"l":\d+/, (found) => `"l":${Number(found.slice(4)) + 1}`],
];

const EDITS: { readonly [what: string]: Edit } = {
  'flip a bit of'(records, at, { random }) {
    records[at] = flipBit(records[at] as Buffer, random);
    return { what: '', index: at };
  },
  truncate(records, at, { random }) {
    records[at] = (records[at] as Buffer).subarray(0, random.below((records[at] as Buffer).length));
    return { what: '', index: at };
  },
  'swap with another'(records, at, { random }) {
    const to = (at + 1 + random.below(records.length - 1)) % records.length;
    [records[at], records[to]] = [records[to] as Buffer, records[at] as Buffer];
    return { what: ` (${to})`, index: Math.min(at, to) };
  },
  'take out'(records, at) {
    records.splice(at, 1);
    return { what: '', index: at };
  },
  duplicate(records, at) {
    records.splice(at, 0, records[at] as Buffer);
    return { what: '', index: at + 1 };
  },
  'reorder from'(records, at, { random }) {
    const count = 2 + random.below(8);
    const some = records.slice(at, at + count);
    if (some.length < 2) return EDITS['take out']?.(records, at, { other: [], random }) as Mutation;
    records.splice(at, count, ...some.slice(1), some[0] as Buffer);
    return { what: ` (${count})`, index: at };
  },
  'replace by another log’s'(records, at, { other }) {
    records[at] = other[at % other.length] as Buffer;
    return { what: '', index: at };
  },
  forge(records, at, { random }) {
    const text = (records[at] as Buffer).toString('utf8');
    const fitting = FORGERIES.filter(([pattern]) => pattern.test(text));
    const [pattern, forged] = pick(fitting, random);
    records[at] = Buffer.from(text.replace(pattern, forged));
    return { what: ` ${pattern}`, index: at };
  },
};

function mutateRecords(tables: Tables, borrowed: Borrowed, random: Random): Mutation {
  const records = recordsOf(rowsOf(tables.entries));
  const [what, edit] = pick(Object.entries(EDITS), random);
  const at = random.below(records.length);
  const isThorough = random.below(4) === 0; // the forger makes everything again that needs no key
  const mutation = edit(records, at, { other: recordsOf(borrowed.entries), random });
  if (isThorough) forgeAll(tables, records);
  else putBack(tables, records);
  return { ...mutation, what: `${what} record ${at}${mutation.what}${isThorough ? ', and forge the tree' : ''}` };
}

function recordsOf(rows: readonly Row[]): Buffer[] {
  return rows.flatMap(({ value }) => unwrap(decodeBundle(value), 'a sound run') as Buffer[]);
}

/** The records under the keys that stand, so that nothing but the records shows; what is over goes into the last run. */
function putBack(tables: Tables, records: readonly Buffer[]): void {
  const firsts = rowsOf(tables.entries).map(({ key }) => key.readUInt32BE(4));
  for (const [n, first] of firsts.entries()) {
    const run = records.slice(first, firsts[n + 1]);
    if (run.length > 0) tables.entries.putSync(u64(first), encodeBundle(run) as Buffer);
    else tables.entries.removeSync(u64(first));
  }
}

/** Runs, tiles and head as if these had been the records all along: only indexes and signatures are left to tell. */
function forgeAll(tables: Tables, records: readonly Buffer[]): void {
  for (const name of ['entries', 'tiles'] as const)
    for (const { key } of rowsOf(tables[name])) tables[name].removeSync(key);
  const tiles: StoredTile[] = [];
  const tiling = new Tiling((tile) => tiles.push(tile));
  for (let first = 0; first < records.length; first += TILE_WIDTH) {
    const bundle = records.slice(first, first + TILE_WIDTH);
    tables.entries.putSync(u64(first), encodeBundle(bundle) as Buffer);
    for (const record of bundle) tiling.append(hashLeaf(record));
  }
  for (const { level, number, bytes } of [...tiles, ...tiling.partial().filter((tile) => tile.level > 0)]) {
    tables.tiles.putSync(tileKey(level, number), Buffer.from(bytes));
  }
  const head: object = JSON.parse((tables.meta.get(Buffer.from('head')) as Buffer).toString('utf8'));
  const forged = { ...head, size: records.length, frontier: tiling.frontier.map(digestText) };
  tables.meta.putSync(Buffer.from('head'), Buffer.from(JSON.stringify(forged)));
}

// --- rows ------------------------------------------------------------------------------------------------------------

type Change = (
  table: Tables[TableName],
  rows: readonly Row[],
  tools: { borrowed: readonly Row[]; random: Random },
) => string;

const short = (key: Buffer): string => key.toString('hex', 0, 16);

const CHANGES: { readonly [what: string]: Change } = {
  'flip a bit of a value'(table, rows, { random }) {
    const { key, value } = pick(rows, random);
    table.putSync(key, flipBit(value, random));
    return short(key);
  },
  'flip a bit of a key'(table, rows, { random }) {
    const { key, value } = pick(rows, random);
    table.removeSync(key);
    table.putSync(flipBit(key, random), value);
    return short(key);
  },
  'truncate a value'(table, rows, { random }) {
    const { key, value } = pick(rows, random);
    table.putSync(key, value.subarray(0, random.below(value.length)));
    return short(key);
  },
  'lengthen a value'(table, rows, { random }) {
    const { key, value } = pick(rows, random);
    table.putSync(key, Buffer.concat([value, random.bytes(1 + random.below(40))]));
    return short(key);
  },
  'remove a row'(table, rows, { random }) {
    const { key } = pick(rows, random);
    table.removeSync(key);
    return short(key);
  },
  'duplicate a value under a new key'(table, rows, { random }) {
    const { key, value } = pick(rows, random);
    const added = flipBit(key, random);
    if (!rows.some((row) => row.key.equals(added))) table.putSync(added, value);
    else table.removeSync(key);
    return short(key);
  },
  'swap two values'(table, rows, { random }) {
    const [a, b] = [pick(rows, random), pick(rows, random)];
    table.putSync(a.key, b.value);
    table.putSync(b.key, a.value);
    return `${short(a.key)} ${short(b.key)}`;
  },
  'put an older value in the place of a newer'(table, rows, { random }) {
    const newer = random.below(rows.length);
    const [from, to] = [rows[random.below(newer + 1)] as Row, rows[newer] as Row];
    table.putSync(to.key, from.value);
    return `${short(from.key)} ${short(to.key)}`;
  },
  'transplant a value from another log'(table, rows, { borrowed, random }) {
    const { key } = pick(rows, random);
    table.putSync(key, pick(borrowed, random).value);
    return short(key);
  },
  'transplant a row from another log'(table, _, { borrowed, random }) {
    const { key, value } = pick(borrowed, random);
    table.putSync(key, value);
    return short(key);
  },
  'replace the whole table by another log’s'(table, rows, { borrowed }) {
    for (const { key } of rows) table.removeSync(key);
    for (const { key, value } of borrowed) table.putSync(key, value);
    return '';
  },
};

function mutateRows(tables: Tables, borrowed: Borrowed, random: Random): Mutation {
  const name = pick(TABLES, random);
  const [what, change] = pick(Object.entries(CHANGES), random);
  const which = change(tables[name], rowsOf(tables[name]), { borrowed: borrowed[name], random });
  return { what: `${what} in ${name} ${which}` };
}

// --- pages -----------------------------------------------------------------------------------------------------------

const PAGE = 4_096;

type Stroke = (file: { readonly fd: number; readonly bytes: number }, random: Random) => string;

const STROKES: { readonly [what: string]: Stroke } = {
  'flip a bit'({ fd, bytes }, random) {
    const at = random.below(bytes);
    writeAt(fd, flipBit(readAt(fd, at, 1), random), at);
    return `at ${at}`;
  },
  'overwrite some bytes'({ fd, bytes }, random) {
    const at = random.below(bytes - 64);
    writeAt(fd, Buffer.from(random.bytes(1 + random.below(64))), at);
    return `at ${at}`;
  },
  'flip a bit of a page’s head'({ fd, bytes }, random) {
    const at = random.below(bytes / PAGE) * PAGE;
    writeAt(fd, flipBit(readAt(fd, at, 32), random), at);
    return `at ${at}`;
  },
  'clear a page'({ fd, bytes }, random) {
    const at = random.below(bytes / PAGE) * PAGE;
    writeAt(fd, Buffer.alloc(PAGE), at);
    return `at ${at}`;
  },
  'copy a page over another'({ fd, bytes }, random) {
    const [from, to] = [random.below(bytes / PAGE) * PAGE, random.below(bytes / PAGE) * PAGE];
    writeAt(fd, readAt(fd, from, PAGE), to);
    return `${from} to ${to}`;
  },
  'cut the file'({ fd, bytes }, random) {
    const to = random.below(bytes);
    ftruncateSync(fd, to);
    return `to ${to}`;
  },
};

function mutatePages(path: string, random: Random): Mutation {
  const fd = openSync(path, 'r+');
  try {
    const [what, stroke] = pick(Object.entries(STROKES), random);
    return { what: `${what} ${stroke({ fd, bytes: statSync(path).size }, random)}` };
  } finally {
    closeSync(fd);
  }
}

/** Lets every value that has pages of its own say that it is far longer than the file: its reader dies of that. */
export function lengthenLongValues(path: string): void {
  const file = readFileSync(path);
  for (let page = 2 * PAGE; page < file.length; page += PAGE) {
    if (file.readUInt16LE(page + 18) !== LEAF) continue;
    for (let n = 0; n < file.readUInt16LE(page + 20); n += 2) {
      const node = page + 24 + file.readUInt16LE(page + 24 + n);
      if ((file.readUInt16LE(node + 4) & IS_LONG) !== 0) file.writeUInt16LE(0x0fff, node + 2);
    }
  }
  writeFileSync(path, file);
}

/** `P_LEAF` and `F_BIGDATA` of LMDB. */
const [LEAF, IS_LONG] = [0x02, 0x01];

function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, at);
  return bytes;
}

function writeAt(fd: number, bytes: Buffer, at: number): void {
  writeSync(fd, bytes, 0, bytes.length, at);
}

/** A copy of a log, without its reserve. */
export function copyLog(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => !/(reserve|lock\.mdb)$/.test(path) });
}
