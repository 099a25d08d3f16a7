import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BATCH_EVENTS_MAX } from '../core/limits.ts';
import { seededRandom } from '../core/simulation.ts';
import { editTables, rowsOf, type TestDirectory, testDirectory } from './directory.fixture.ts';
import { event, eventId, events, streamId, write } from './event.fixture.ts';
import { EventIndex } from './event-index.ts';
import type { EventLog } from './event-log.ts';
import { parseRun, runKey, runValue } from './layout.ts';
import { openEnvironment, openTables } from './lmdb-tables.ts';
import { openReader, openStoreForReading } from './log-directory.ts';
import type { StreamRun } from './store.ts';

/** The indexes that the tables of a closed log speak of. */
async function indexed({ directory }: TestDirectory): Promise<{ ids: number[]; streams: number[] }> {
  let found: { ids: number[]; streams: number[] } | undefined;
  await editTables(join(directory, 'epoch-0'), (tables) => {
    const ids = rowsOf(tables.ids).map(({ value }) => value.readUInt32BE(4));
    const streams = rowsOf(tables.streams).flatMap(({ key, value }) => parseRun(key, value)?.indexes ?? []);
    found = { ids: ids.sort(byNumber), streams: streams.sort(byNumber) };
  });
  return found ?? { ids: [], streams: [] };
}

const byNumber = (a: number, b: number): number => a - b;
const numbersTo = (end: number): number[] => Array.from({ length: end }, (_, n) => n);
const versionsOf = (log: EventLog, stream: string, from = 0): number[] =>
  [...log.readStream(streamId(stream), from)].map(({ version }) => version);

describe('the tables of a log', () => {
  test.each([
    [0, 0],
    [255, 0],
    [256, 256],
    [300, 256],
    [511, 256],
    [513, 512],
  ])('of %i events, appended in any pieces, have entries for the first %i', async (size, expected) => {
    using at = await testDirectory();
    const random = seededRandom(`pieces of ${size}`);
    let log = await at.open();
    for (let next = 0; next < size; ) {
      const end = Math.min(size, next + 1 + random.below(random.below(3) === 0 ? BATCH_EVENTS_MAX : 9));
      await log.append([write(`stream/${random.below(5)}`, events(next, end))]);
      next = end;
      if (random.below(6) === 0) {
        await log[Symbol.asyncDispose]();
        log = await at.open();
      }
    }
    await log[Symbol.asyncDispose]();

    expect(await indexed(at)).toEqual({ ids: numbersTo(expected), streams: numbersTo(expected) });
  });
});

describe('a log on disk', () => {
  test('finds every event by its id and in its stream, whatever is full', async () => {
    using at = await testDirectory();
    const random = seededRandom('find');
    const streams = new Map<string, number[]>();
    let log = await at.open();
    for (let next = 0; next < 600; ) {
      const [stream, count] = [`stream/${random.below(7)}`, 1 + random.below(40)];
      await log.append([write(stream, events(next, next + count))]);
      streams.set(stream, [...(streams.get(stream) ?? []), ...numbersTo(count).map((n) => next + n)]);
      next += count;
      if (random.below(10) === 0) {
        await log[Symbol.asyncDispose]();
        log = await at.open();
      }

      expect(numbersTo(next).map((n) => log.find(eventId(n)))).toEqual(numbersTo(next));
      expect(log.find(eventId(next))).toBeUndefined();
      expect([...log.streams()]).toEqual([...streams.keys()].sort());
      for (const [name, indexes] of streams) {
        const from = random.below(indexes.length + 1);
        expect(log.versionOf(streamId(name))).toBe(indexes.length - 1);
        expect([...log.readStream(streamId(name), from)].map(({ index }) => index)).toEqual(indexes.slice(from));
      }
    }
    await log[Symbol.asyncDispose]();
  });

  test('refuses an id of the last events and of those before, when it is opened again', async () => {
    using at = await testDirectory();
    const before = await at.open();
    await before.append([write('a', events(0, 250))]);
    await before.append([write('a', events(250, 260))]);
    await before[Symbol.asyncDispose]();
    await using log = await at.open();

    for (const n of [3, 258]) {
      const other = event(n, { payload: { type: 'json', value: { n: -1 } } });
      await expect(log.append([write('b', [other])])).rejects.toMatchObject({ code: 'log.id_reused' });
      expect(await log.append([write('a', [event(n)])])).toMatchObject([{ index: n, version: n }]);
    }
    expect(log.size).toBe(260);
  });

  test('is read to the end of its view while its last events come into the tables', async () => {
    using at = await testDirectory();
    await using log = await at.open();
    await log.append([write('a', events(0, 200)), write('b', events(200, 250))]);
    await using reader = await openReader(at.directory, at.ports.clock);
    const [reading, streams] = [reader.readStream(streamId('a'), 10)[Symbol.iterator](), [...reader.streams()]];
    const first = reading.next().value?.version;

    await log.append([write('a', events(250, 300)), write('c', events(300, 310))]);

    const rest: number[] = [];
    for (let next = reading.next(); next.done !== true; next = reading.next()) rest.push(next.value.version);
    expect([first, ...rest]).toEqual(numbersTo(200).slice(10));
    expect([...reader.streams()]).toEqual(streams);
    expect(versionsOf(reader, 'a', 190)).toEqual(numbersTo(200).slice(190));
    expect(['a', 'b', 'c'].map((name) => reader.versionOf(streamId(name)))).toEqual([199, 49, -1]);
    expect([240, 260].map((n) => reader.find(eventId(n)))).toEqual([240, undefined]);
  });
});

describe('a store that is open for reading', () => {
  test('finds what another has appended since, before and after it is in the tables', async () => {
    using at = await testDirectory();
    await using log = await at.open();
    const { store } = await openStoreForReading(at.directory);
    await using _ = store;
    for (const [from, to] of [
      [0, 1],
      [1, 250],
      [250, 260],
      [260, 512],
    ] as const) {
      expect([store.find(eventId(from)), store.lastRun(streamId(`s/${from}`))]).toEqual([undefined, undefined]);

      await log.append([write(`s/${from}`, events(from, to))]);

      expect(numbersTo(to).map((n) => store.find(eventId(n)))).toEqual(numbersTo(to));
      expect(store.lastRun(streamId(`s/${from}`))?.indexes.at(-1)).toBe(to - 1);
      expect([...store.streams('')]).toContain(`s/${from}`);
      expect([...store.runs(streamId(`s/${from}`), 0)].flatMap(({ indexes }) => indexes)).toEqual(
        numbersTo(to).slice(from),
      );
    }
  });
});

describe('an iterator over a stream', () => {
  test.each([1, 2])('misses nothing when the last bundle becomes full while it waits (%i a run)', async (width) => {
    using at = await testDirectory();
    const stream = streamId('a');
    const env = openEnvironment(join(at.path, 'alone'), false, true);
    const tables = openTables(env);
    const putAll = (runs: Iterable<StreamRun>): void => {
      for (const run of runs) tables.streams.putSync(runKey(run.stream, run.version), runValue(run.indexes));
    };
    const firsts = numbersTo(256).filter((n) => n % width === 0);
    const full = firsts.map((first) => ({ stream, version: first, indexes: numbersTo(first + width).slice(first) }));
    env.transactionSync(() => putAll(full));
    const index = new EventIndex(tables, { size: () => 256, records: () => [] }, false);
    const grow = (from: number, to: number): void => {
      const numbers = numbersTo(to).slice(from);
      const batch = { first: from, ids: numbers.map(eventId), runs: [{ stream, version: from, indexes: numbers }] };
      const { runs, settle } = index.index(batch);
      env.transactionSync(() => putAll(runs));
      settle();
    };
    grow(256, 456);
    const reading = index.runs(stream, 0)[Symbol.iterator]();
    const indexes = [...(reading.next().value?.indexes ?? [])];

    grow(456, 600);

    for (let next = reading.next(); next.done !== true; next = reading.next()) indexes.push(...next.value.indexes);
    expect(indexes).toEqual(numbersTo(Math.max(456, indexes.length)));
    await env.close();
  });
});
