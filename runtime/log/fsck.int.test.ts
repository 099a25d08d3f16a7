import { cpSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeBundle, encodeBundle } from '../codec/tile.ts';
import { unwrap } from '../core/result.ts';
import { editTables, fill, rowsOf, type Tables, type TestDirectory, testDirectory } from './directory.fixture.ts';
import { event, write } from './event.fixture.ts';
import { type LogReport, verifyLog } from './fsck.ts';
import { tileKey, u64 } from './layout.ts';
import { lengthenLongValues } from './tamper.fixture.ts';
import { verifyInChild } from './verify-child.ts';

async function filled(size: number): Promise<TestDirectory> {
  const at = await testDirectory();
  const log = await at.open();
  await fill(log, 0, size);
  await log[Symbol.asyncDispose]();
  return at;
}

const verify = ({ directory, anchors }: TestDirectory): Promise<LogReport> => verifyLog(directory, { anchors });
const epoch0 = ({ directory }: TestDirectory): string => join(directory, 'epoch-0');

describe('a sound log', () => {
  test.each([0, 1, 255, 256, 257, 700])('of %i events has no problems', async (size) => {
    using at = await filled(size);

    const report = await verify(at);

    expect(report).toMatchObject({
      origin: at.origin,
      size,
      anchor: 'agrees',
      epochs: [0],
      problems: [],
      problemCount: 0,
    });
  });

  test('is sound at one moment while somebody appends to it', async () => {
    using at = await filled(600);
    await using log = await at.open();
    const appending = fill(log, 600, 2_000);

    const reports = [await verifyInChild(at.directory, at), await verifyInChild(at.directory, at)];

    await appending;
    expect(reports.map(({ problems }) => problems)).toEqual([[], []]);
    expect(reports.every(({ size }) => size >= 600)).toBe(true);
  });

  test('says so through a child process, and counts on the way', async () => {
    using at = await filled(700);

    const report = await verifyInChild(at.directory, at);

    expect(report).toEqual(await verify(at));
  });

  test('is verified to the end of every epoch', async () => {
    using at = await filled(300);
    await at.succeed();
    const log = await at.open();
    await fill(log, 1_000, 1_300);
    await log[Symbol.asyncDispose]();

    const report = await verify(at);

    expect(report).toMatchObject({ size: 301, epochs: [0, 1], anchor: 'agrees', problems: [] });
  });
});

/** One fault each: what is done to a log of 700 events, and the first problem that must be found. */
const faults: readonly (readonly [string, (tables: Tables) => void, object])[] = [
  ['a byte of a record in a full bundle', (t) => flipRecord(t, 300, 40), { index: 300 }],
  [
    'another actor in a full bundle',
    (t) => changeActor(t, 300),
    { code: 'log.bad_leaf', place: 'record 300', index: 300 },
  ],
  ['another actor in the last bundle', (t) => changeActor(t, 620), { code: 'log.bad_head', index: 512, end: 640 }],
  ['a record missing', (t) => editRecords(t, 256, (r) => r.toSpliced(9, 1)), { code: 'log.bad_order', index: 265 }],
  ['two records swapped', (t) => editRecords(t, 0, swapped), { code: 'log.bad_order', index: 10 }],
  ['a bundle missing', (t) => t.entries.removeSync(u64(256)), { code: 'log.missing_record', index: 256 }],
  [
    'a run cut short',
    (t) => t.entries.putSync(u64(0), t.entries.get(u64(0))?.subarray(0, 9_000) as Buffer),
    {
      code: 'log.missing_record',
    },
  ],
  [
    'a record after the head',
    (t) => t.entries.putSync(u64(700), encodeBundle([Buffer.from('{}')]) as Buffer),
    {
      code: 'log.bad_layout',
      place: 'record 700',
    },
  ],
  [
    'a hash in a tile',
    (t) => flip(t, 'tiles', tileKey(0, 1), 32 * 7),
    { code: 'log.bad_tile', place: 'tile 0/1', index: 263 },
  ],
  [
    'a hash in a tile above',
    (t) => flip(t, 'tiles', tileKey(1, 0), 40),
    {
      code: 'log.bad_tile',
      place: 'tile 1/0',
      index: 256,
      end: 512,
    },
  ],
  ['a tile missing', (t) => t.tiles.removeSync(tileKey(0, 0)), { code: 'log.bad_tile', place: 'tile 0/0' }],
  [
    'a tile too many',
    (t) => t.tiles.putSync(tileKey(2, 0), Buffer.alloc(32)),
    { code: 'log.bad_tile', place: 'tile 2/0' },
  ],
  ['another size in the head', (t) => editHead(t, { size: 650 }), { code: 'log.bad_layout', place: 'record 650' }],
  ['a larger size in the head', (t) => editHead(t, { size: 2 ** 50 }), { code: 'log.missing_record', index: 700 }],
  ['no head', (t) => t.meta.removeSync(Buffer.from('head')), { code: 'log.bad_head', place: 'head' }],
  ['an unknown entry beside the head', (t) => t.meta.putSync(Buffer.from('x'), Buffer.of(1)), { place: 'meta "x"' }],
  ['an id that names another event', (t) => t.ids.putSync(idKeyAt(t, 5), u64(6)), { code: 'log.bad_index', index: 5 }],
  ['an id missing', (t) => t.ids.removeSync(idKeyAt(t, 5)), { code: 'log.bad_index', place: 'ids', index: 5 }],
  ['an id too many', (t) => t.ids.putSync(Buffer.alloc(16, 9), u64(9)), { code: 'log.bad_index', index: 9 }],
  [
    'an id of an event after the last full bundle',
    (t) => t.ids.putSync(Buffer.alloc(16, 9), u64(512)),
    { code: 'log.bad_index', place: 'ids 09090909-0909-0909-0909-090909090909' },
  ],
  [
    'a run of events after the last full bundle',
    (t) => t.streams.putSync(Buffer.from('x\0\0\0\0\0\0\0\0\0', 'latin1'), u64(512)),
    { code: 'log.bad_index', place: 'streams x@0' },
  ],
  ['a run missing', (t) => t.streams.removeSync(rowsOf(t.streams)[0]?.key as Buffer), { code: 'log.bad_index' }],
  [
    'a run of another stream',
    (t) => t.streams.putSync(Buffer.from('x\0\0\0\0\0\0\0\0\0', 'latin1'), u64(3)),
    {
      code: 'log.bad_index',
      index: 3,
    },
  ],
  ['a blob of other bytes', (t) => flip(t, 'blobs', rowsOf(t.blobs)[0]?.key as Buffer, 0), { code: 'log.bad_blob' }],
  ['a blob missing', (t) => t.blobs.removeSync(rowsOf(t.blobs)[0]?.key as Buffer), { code: 'log.bad_blob' }],
  ['a blob too many', (t) => t.blobs.putSync(Buffer.alloc(32), Buffer.of(1)), { code: 'log.bad_blob' }],
  [
    'a checkpoint of another size',
    (t) => t.checkpoints.putSync(u64(300), t.checkpoints.get(u64(200)) as Buffer),
    {
      code: 'log.bad_checkpoint',
      place: 'checkpoint 300',
    },
  ],
  [
    'a checkpoint past the end',
    (t) => t.checkpoints.putSync(u64(701), t.checkpoints.get(u64(700)) as Buffer),
    {
      place: 'checkpoint 701',
    },
  ],
  [
    'a signature',
    (t) => flip(t, 'checkpoints', u64(500), 120),
    { code: 'log.bad_checkpoint', place: 'checkpoint 500' },
  ],
];

describe('in a log that is not sound', () => {
  let sound: TestDirectory;
  beforeAll(async () => {
    sound = await filled(700);
    return () => sound[Symbol.dispose]();
  });

  test.each(faults)('%s is found, with its place', async (name, edit, expected) => {
    const directory = join(sound.path, name);
    cpSync(sound.directory, directory, { recursive: true });
    await editTables(join(directory, 'epoch-0'), edit);

    const { problems } = await verifyLog(directory, { anchors: sound.anchors });

    expect(problems[0]).toMatchObject(expected);
  });

  test('an older copy is found by the anchor', async () => {
    using at = await filled(300);
    cpSync(at.directory, `${at.directory}.old`, { recursive: true });
    const log = await at.open();
    await fill(log, 300, 320);
    await log[Symbol.asyncDispose]();

    const report = await verifyLog(`${at.directory}.old`, at);

    expect(report).toMatchObject({ size: 300, anchor: 'contradicts', problems: [{ code: 'log.rolled_back' }] });
  });

  test('a log that has signed without an anchor is found', async () => {
    using at = await filled(300);
    rmSync(at.anchors, { recursive: true });

    const report = await verify(at);

    expect(report).toMatchObject({ anchor: 'missing', problems: [{ code: 'anchor.missing' }] });
  });

  test('a verifier key of another log is found', async () => {
    using at = await filled(10);
    using other = await testDirectory('other');
    cpSync(join(other.directory, 'log.vkey'), join(at.directory, 'log.vkey'));

    const { problems } = await verify(at);

    expect(problems[0]).toMatchObject({ code: 'log.bad_key', place: 'log.vkey' });
  });

  test('an epoch that does not follow from the one before is found', async () => {
    using at = await filled(300);
    cpSync(epoch0(at), `${at.path}/copy`, { recursive: true });
    const log = await at.open();
    await log.append([write('late', [event(9_999)])]);
    await log[Symbol.asyncDispose]();
    await at.succeed();
    rmSync(epoch0(at), { recursive: true });
    cpSync(`${at.path}/copy`, epoch0(at), { recursive: true });

    const { problems } = await verify(at);

    expect(problems[0]).toMatchObject({ code: 'log.bad_succession', place: 'record 0', index: 0 });
  });

  test('a file that is no LMDB file is found', async () => {
    using at = await filled(10);
    writeFileSync(join(epoch0(at), 'data.mdb'), Buffer.alloc(65_536, 'no'));

    const { problems } = await verifyInChild(at.directory);

    expect(problems[0]).toMatchObject({ code: 'log.unreadable', place: 'data.mdb' });
  });

  test('a reader that dies of what it reads has found it', async () => {
    using at = await filled(700);
    lengthenLongValues(join(epoch0(at), 'data.mdb'));

    const { problems } = await verifyInChild(at.directory);

    expect(problems).toEqual([
      { code: 'log.unreadable', place: 'data.mdb', message: expect.stringMatching(/ ended by SIG[A-Z]+$/) },
    ]);
  });

  test('a file that was cut short is found, with its length and the one that it should have', async () => {
    using at = await filled(700);
    truncateSync(join(epoch0(at), 'data.mdb'), 40_000);

    const { problems } = await verifyInChild(at.directory);

    const message = expect.stringMatching(/^expected \d+ bytes, found 40000, cut short: /);
    expect(problems).toEqual([{ code: 'log.unreadable', place: 'data.mdb', message }]);
  });

  test('an earlier epoch that was cut short is found, and the others are read', async () => {
    using at = await filled(300);
    await at.succeed();
    truncateSync(join(epoch0(at), 'data.mdb'), 40_000);

    const { problems, size } = await verify(at);

    expect(size).toBe(1);
    expect(problems).toMatchObject([{ code: 'log.unreadable', place: 'epoch-0: data.mdb' }]);
  });
});

function flip(tables: Tables, table: keyof Tables, key: Buffer, at: number): void {
  const value = Buffer.from(tables[table].get(key) ?? []);
  value[at] = (value[at] ?? 0) ^ 1;
  tables[table].putSync(key, value);
}

/** The run that begins at `first`, with other records. */
function editRecords(tables: Tables, first: number, edit: (records: Buffer[]) => Buffer[]): void {
  const records = unwrap(decodeBundle(tables.entries.get(u64(first)) as Buffer), 'a run') as Buffer[];
  tables.entries.putSync(u64(first), encodeBundle(edit(records)) as Buffer);
}

function editRecord(tables: Tables, index: number, edit: (record: Buffer) => Buffer): void {
  const first =
    rowsOf(tables.entries)
      .findLast(({ key }) => key.compare(u64(index)) <= 0)
      ?.key.readUInt32BE(4) ?? 0;
  editRecords(tables, first, (records) => records.with(index - first, edit(records[index - first] as Buffer)));
}

function flipRecord(tables: Tables, index: number, at: number): void {
  editRecord(tables, index, (record) => {
    const changed = Buffer.from(record);
    changed[at] = (changed[at] ?? 0) ^ 1;
    return changed;
  });
}

/** Canonical, in order, and another event. */
function changeActor(tables: Tables, index: number): void {
  editRecord(tables, index, (record) => Buffer.from(record.toString('utf8').replace('did:example:t', 'did:example:b')));
}

function swapped(records: Buffer[]): Buffer[] {
  return records.with(10, records[20] as Buffer).with(20, records[10] as Buffer);
}

function editHead(tables: Tables, over: object): void {
  const head: object = JSON.parse((tables.meta.get(Buffer.from('head')) as Buffer).toString('utf8'));
  tables.meta.putSync(Buffer.from('head'), Buffer.from(JSON.stringify({ ...head, ...over })));
}

/** The key of the id whose event is at `index`. */
function idKeyAt(tables: Tables, index: number): Buffer {
  return rowsOf(tables.ids).find(({ value }) => value.equals(u64(index)))?.key as Buffer;
}
