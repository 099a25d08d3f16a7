import { expect, test } from 'vitest';
import { parseStreamId } from '../../runtime/codec/record.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { eventType } from '../../runtime/log/vocabulary.ts';
import { OwnHead } from './log-heads.ts';

/** A log whose store says only when it is told to that a batch, which it has, is on disk. */
async function slowLog() {
  const [clock, random] = [new ManualClock(), seededRandom('own head')];
  const world = new MemoryWorld(random);
  const { log, store } = await world.open(clock);
  const written: (() => void)[] = [];
  const commit = store.commit.bind(store);
  store.commit = async (take) => {
    const batch = await commit(take);
    await new Promise<void>((resolve) => void written.push(resolve));
    return batch;
  };
  const append = () =>
    log.append([
      {
        stream: unwrap(parseStreamId('agent/a'), 'a stream'),
        expected: 'any',
        events: [
          {
            id: newEventId(clock, random),
            type: eventType('agent.started'),
            actor: log.did,
            payload: { type: 'json', value: null },
          },
        ],
      },
    ]);
  /** Until the store has the batch. */
  const taken = async (count: number): Promise<void> => {
    for (let turn = 0; written.length < count && turn < 100; turn++) await Promise.resolve();
    expect(written).toHaveLength(count);
  };
  return { log, append, taken, letGo: (n: number) => written[n]?.() };
}

test('the head that is stated is that of what is on disk, while batches are taken and written', async () => {
  const { log, append, taken, letGo } = await slowLog();
  const own = new OwnHead(log);
  const empty = own.now();
  expect(empty.size).toBe(0);

  const first = append();
  await taken(1);
  expect(own.now()).toEqual(empty);
  const second = append();
  letGo(0);
  await first;
  const one = own.now();
  expect(one.size).toBe(1);

  await taken(2); // the tree is ahead now
  expect(own.now()).toEqual(one);
  expect(new OwnHead(log).now()).toEqual(one);
  letGo(1);
  await second;
  expect(own.now()).toMatchObject({ origin: one.origin, size: 2 });
  expect(own.now().root).not.toBe(one.root);
});
