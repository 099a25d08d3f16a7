import { expect, test } from 'vitest';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { event, write } from './event.fixture.ts';
import { MemoryWorld } from './memory-log.ts';
import type { Batch } from './store.ts';

/** A log whose store takes each batch only when it is let go. */
async function slowLog(flushMsMax?: number) {
  const clock = new ManualClock();
  const { log, store } = await new MemoryWorld(seededRandom(1)).open(clock, flushMsMax);
  const batches: Batch[] = [];
  const ready: (() => void)[] = [];
  const commit = store.commit.bind(store);
  store.commit = async (take) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    ready.push(resolve);
    await promise;
    const batch = await commit(take);
    batches.push(batch);
    return batch;
  };
  const letGo = async (): Promise<void> => {
    await Promise.resolve(); // the flush begins at the end of the turn
    ready.shift()?.();
  };
  return { log, clock, batches, letGo };
}

test('a flush takes what was appended until its store can write (J1)', async () => {
  const { log, batches, letGo } = await slowLog();

  const first = log.append([write('a', [event(1)])]);
  await Promise.resolve();
  await Promise.resolve();
  const second = log.append([write('b', [event(2)])]);
  await letGo();

  expect((await first)[0]?.index).toBe(0);
  expect((await second)[0]?.index).toBe(1);
  expect(batches.map(({ ids }) => ids.length)).toEqual([2]);
});

test('a store that can write only when the flush is overdue finds nothing to write (J3)', async () => {
  const { log, clock, batches, letGo } = await slowLog(1_000);

  const appended = log.append([write('a', [event(1)])]);
  const refused = expect(appended).rejects.toMatchObject({ code: 'log.stopped' });
  await Promise.resolve();
  clock.advance(1_000);
  await refused;
  await letGo();

  expect(batches).toEqual([]);
  expect(log.size).toBe(0);
});
