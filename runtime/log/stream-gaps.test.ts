import { expect, test } from 'vitest';
import type { StreamId } from '../codec/record.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { event, streamId, write } from './event.fixture.ts';
import { MemoryWorld } from './memory-log.ts';
import type { StreamRun } from './store.ts';

/** A log of events 0 to 9 of stream `a` and one of `b`, opened again over a store that gives other runs of `a`. */
async function logOver(edit: (runs: readonly StreamRun[]) => Iterable<StreamRun>) {
  const [clock, world] = [new ManualClock(), new MemoryWorld(seededRandom(1))];
  const { log: before } = await world.open(clock);
  for (let n = 0; n < 10; n++) await before.append([write('a', [event(n)])]);
  await before.append([write('b', [event(10)])]);
  await before[Symbol.asyncDispose]();
  const { log, store } = await world.open(clock);
  const runs = store.runs.bind(store);
  store.runs = function* (stream: StreamId, from: number) {
    yield* edit([...runs(stream, from)]);
  };
  return log;
}

const a = streamId('a');

test('a stream that is whole is given whole', async () => {
  const log = await logOver((runs) => runs);

  expect([...log.readStream(a)].map(({ version }) => version)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect([...log.readStream(a, 7)].map(({ version }) => version)).toEqual([7, 8, 9]);
  expect([...log.readStream(a, 10)]).toEqual([]);
});

test.each<readonly [string, number, (runs: readonly StreamRun[]) => Iterable<StreamRun>]>([
  ['has a gap', 4, (runs) => runs.toSpliced(4, 1)],
  ['begins late', 0, (runs) => runs.slice(1)],
  ['ends early', 9, (runs) => runs.slice(0, -1)],
  ['ends at once', 0, () => []],
  ['names an event of another stream', 3, (runs) => runs.with(3, { stream: a, version: 3, indexes: [10] })],
  ['names an event of another version', 3, (runs) => runs.with(3, { stream: a, version: 3, indexes: [5] })],
  ['names an event that is not there', 3, (runs) => runs.with(3, { stream: a, version: 3, indexes: [11] })],
])('a stream whose index %s is not given as if it were whole', async (_, given, edit) => {
  const log = await logOver(edit);
  const reading = log.readStream(a)[Symbol.iterator]();
  for (let n = 0; n < given; n++) expect(reading.next().value).toMatchObject({ version: n });

  expect(() => reading.next()).toThrow(expect.objectContaining({ code: 'log.damaged', place: 'stream a' }));
});
