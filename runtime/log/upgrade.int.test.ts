/** A log of format 1: it can be verified as it is, and is one of format 2 once somebody has opened it for writing. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seededRandom } from '../core/simulation.ts';
import { editTables, fill, rowsOf, type TestDirectory, testDirectory } from './directory.fixture.ts';
import { event, write } from './event.fixture.ts';
import { verifyLog } from './fsck.ts';
import { formatValue, idKey, parseRun, runKey, runValue, u64 } from './layout.ts';
import { openReader, writerOf } from './log-directory.ts';
import { soundEventsOf } from './sound-events.fixture.ts';
import type { StreamRun } from './store.ts';

/** The log of `size` events as format 1 had it: entries for all of them, in runs that were cut where a batch ended. */
async function formatOne(at: TestDirectory, size: number): Promise<void> {
  const log = await at.open();
  await fill(log, 0, size);
  const events = [...log.read()];
  await log[Symbol.asyncDispose]();
  const random = seededRandom(`cut ${size}`);
  const runs: { stream: string; version: number; indexes: number[] }[] = [];
  for (const { stream, version, index } of events) {
    const last = runs.findLast((run) => run.stream === stream);
    if (last === undefined || random.below(5) === 0) runs.push({ stream, version, indexes: [index] });
    else last.indexes.push(index);
  }
  await editTables(join(at.directory, 'epoch-0'), (tables) => {
    for (const { key } of rowsOf(tables.streams)) tables.streams.removeSync(key);
    for (const { id, index } of events) tables.ids.putSync(idKey(id), u64(index));
    for (const run of runs) tables.streams.putSync(runKey(run.stream, run.version), runValue(run.indexes));
    tables.meta.putSync(Buffer.from('format'), formatValue(at.origin, 1));
  });
}

async function entriesOf({ directory }: TestDirectory): Promise<{ readonly ids: number; readonly runs: StreamRun[] }> {
  const found: StreamRun[] = [];
  let ids = 0;
  await editTables(join(directory, 'epoch-0'), (tables) => {
    ids = rowsOf(tables.ids).length;
    for (const { key, value } of rowsOf(tables.streams)) found.push(...[parseRun(key, value)].filter((run) => !!run));
  });
  return { ids, runs: found };
}

test.each([0, 1, 200, 256, 300, 700])('a log of %i events is brought up to date by its writer', async (size) => {
  using at = await testDirectory(`old ${size}`);
  await formatOne(at, size);
  const whole = Math.floor(size / 256) * 256;

  const before = await verifyLog(at.directory, { anchors: at.anchors });
  await expect(openReader(at.directory, at.ports.clock)).rejects.toMatchObject({ code: 'log.old_format' });
  expect(await writerOf(at.directory)).toBeUndefined();
  {
    await using log = await at.open();
    expect(soundEventsOf(log)).toHaveLength(size);
    await log.append([write('stream/new', [event(9_000)])]);
    expect([...log.streams()].map((stream) => [...log.readStream(stream)].length).reduce((a, b) => a + b, 0)).toBe(
      size + 1,
    );
    await log.checkpoint();
  }

  const { ids, runs } = await entriesOf(at);
  expect([
    ids,
    runs
      .flatMap(({ indexes }) => indexes)
      .sort((a, b) => a - b)
      .at(-1) ?? -1,
  ]).toEqual([whole, whole - 1]);
  const after = await verifyLog(at.directory, { anchors: at.anchors });
  expect([before.problems, after.problems]).toEqual([[], []]);
  await using reader = await openReader(at.directory, at.ports.clock);
  expect(reader.size).toBe(size + 1);
});

test('a log of format 1 whose last records are damaged stays as it is, and is found so again', async () => {
  using at = await testDirectory('old and cut');
  await formatOne(at, 300);
  const folder = join(at.directory, 'epoch-0');
  await editTables(folder, ({ entries }) => {
    const last = rowsOf(entries).at(-1);
    if (last !== undefined) entries.putSync(last.key, Buffer.from([0, 4, 1, 2, 3, 4]));
  });
  const before = await entriesOf(at);

  for (let attempt = 0; attempt < 2; attempt++) await expect(at.open()).rejects.toMatchObject({ code: 'log.damaged' });

  expect(await entriesOf(at)).toEqual(before);
  await expect(openReader(at.directory, at.ports.clock)).rejects.toMatchObject({ code: 'log.old_format' });
});

test('a log of format 1 whose last events have no entries is not sound', async () => {
  using at = await testDirectory('old and damaged');
  await formatOne(at, 300);
  await editTables(join(at.directory, 'epoch-0'), (tables) => {
    const last = rowsOf(tables.ids).find(({ value }) => value.equals(u64(299)));
    if (last !== undefined) tables.ids.removeSync(last.key);
  });

  const { problems } = await verifyLog(at.directory, { anchors: at.anchors });

  expect(problems).toMatchObject([{ code: 'log.bad_index', index: 299 }]);
});
