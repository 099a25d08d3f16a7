import { describe, expect, test } from 'vitest';
import { CodedError } from '../core/errors.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { event, eventId, events, streamId, write } from './event.fixture.ts';
import { describeEventLog, settle } from './event-log.contract.ts';
import { MemoryWorld } from './memory-log.ts';
import type { CommitFault } from './memory-store.ts';
import { soundEventsOf } from './sound-events.fixture.ts';

const FLUSH_MS_MAX = 1_000;

describeEventLog('in memory', async () => {
  const clock = new ManualClock();
  const world = new MemoryWorld(seededRandom('contract'));
  return {
    clock,
    open: async () => (await world.open(clock)).log,
    anchored: () => world.anchor.read(),
    breakAnchor() {
      const { advance } = world.anchor;
      world.anchor.advance = () => Promise.reject(new CodedError('anchor.unreachable', 'the anchor is out of reach'));
      return () => {
        world.anchor.advance = advance;
      };
    },
    editSnapshots(edit) {
      for (const [name, bytes] of world.disk.snapshots) world.disk.snapshots.set(name, edit(bytes));
    },
    async [Symbol.asyncDispose]() {},
  };
});

describe('a commit that', () => {
  const faults: readonly (readonly [string, CommitFault, boolean])[] = [
    ['is lost before anything was written', 'lost', false],
    ['is written while its answer is lost', 'reply_lost', true],
    ['never ends', 'hang', false],
  ];

  async function stoppedBy(fault: CommitFault) {
    const [world, clock] = [new MemoryWorld(seededRandom('faults')), new ManualClock()];
    const { log, store } = await world.open(clock, FLUSH_MS_MAX);
    await log.append([write('a', events(0, 3))]);
    const following = log.subscribe(3, new AbortController().signal)[Symbol.asyncIterator]().next();
    const { promise: committing, resolve } = Promise.withResolvers<void>();
    store.faultOf = () => {
      resolve();
      return fault;
    };
    const failing = settle(log.append([write('b', [event(3)])]));
    const duplicate = settle(log.append([write('b', [event(3)])]));
    await committing;
    const queued = settle(log.append([write('c', [event(4)])]));
    await Promise.resolve();
    if (fault === 'hang') clock.advance(FLUSH_MS_MAX);
    return { world, clock, log, following, outcomes: await Promise.all([failing, duplicate, queued]) };
  }

  test.each(faults)('%s stops the log for everyone who waits and whoever comes', async (_, fault) => {
    const { log, following, outcomes } = await stoppedBy(fault);

    const cause = fault === 'hang' ? { code: 'deadline.exceeded' } : { code: 'disk.fault' };
    expect(outcomes[0]).toMatchObject({ code: 'log.stopped', cause });
    expect(outcomes).toEqual([log.stopped, log.stopped, log.stopped]);
    expect(await settle(log.append([write('a', [event(9)])]))).toBe(log.stopped);
    expect(await settle(log.append([write('a', events(0, 3))]))).toBe(log.stopped); // recorded before, and yet
    expect(await settle(log.checkpoint())).toBe(log.stopped);
    expect((await following).done).toBe(true);
    await log[Symbol.asyncDispose]();
  });

  test.each(faults)('%s is told to whoever awaits what was enqueued, and nothing more is', async (_, fault) => {
    const clock = new ManualClock();
    const { log, store } = await new MemoryWorld(seededRandom('enqueued')).open(clock, FLUSH_MS_MAX);
    const { promise: committing, resolve } = Promise.withResolvers<void>();
    store.faultOf = () => {
      resolve();
      return fault;
    };
    log.enqueue([write('a', [event(0)])]); // nobody awaits this one: its rejection would end the process if there were any
    const waiting = settle(log.flushed());
    await committing;
    if (fault === 'hang') clock.advance(FLUSH_MS_MAX);

    expect(await waiting).toMatchObject({ code: 'log.stopped' });
    expect(await settle(log.flushed())).toBe(log.stopped);
    expect(() => log.enqueue([write('a', [event(1)])])).toThrow(log.stopped);
    expect(() => log.leaf(0)).toThrow(expect.objectContaining({ code: 'log.out_of_range' }));
  });

  test.each(faults)('%s shows nothing of itself until the log is opened again', async (_, fault) => {
    const { log } = await stoppedBy(fault);

    expect([log.size, [...log.read()].length, [...log.readStream(streamId('b'))].length]).toEqual([3, 3, 0]);
    expect([log.find(eventId(3)), [...log.streams()]]).toEqual([undefined, ['a']]);
    expect(() => log.root(4)).toThrow(expect.objectContaining({ code: 'log.out_of_range' }));
  });

  test.each(faults)(
    '%s is settled by opening the log again: the same append may be made',
    async (_, fault, isThere) => {
      const { world, clock, log } = await stoppedBy(fault);
      await log[Symbol.asyncDispose]();
      const { log: again } = await world.open(clock);

      expect(again.find(eventId(3))).toBe(isThere ? 3 : undefined);
      expect(await again.append([write('b', [event(3)])])).toMatchObject([{ index: 3, version: 0 }]);
      expect(await again.append([write('c', [event(4)])])).toMatchObject([{ index: 4 }]);
      expect(soundEventsOf(again)).toHaveLength(5);
    },
  );

  test('is under way holds back a duplicate of any of its events, in whatever order they are asked for', async () => {
    const { log, store } = await new MemoryWorld(seededRandom('faults')).open(new ManualClock());
    await log.append([write('a', [event(0)])]);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const commit = store.commit.bind(store);
    store.commit = (batch) => gate.then(() => commit(batch));
    const first = log.append([write('b', [event(1)])]);
    let isAnswered = false;
    const duplicate = log.append([write('b', [event(1)]), write('a', [event(0)])]).then((places) => {
      isAnswered = true;
      return places;
    });
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();

    expect(isAnswered).toBe(false);
    open();
    expect((await duplicate).map(({ index }) => index)).toEqual([1, 0]);
    expect(await first).toMatchObject([{ index: 1 }]);
  });

  test.each(['fails', 'hangs'])('holds a checkpoint and %s stops the log too', async (how) => {
    const clock = new ManualClock();
    const { log, store } = await new MemoryWorld(seededRandom('faults')).open(clock, FLUSH_MS_MAX);
    await log.append([write('a', [event(0)])]);
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    store.putCheckpoint = async () => {
      resolve();
      if (how === 'hangs') await new Promise(() => undefined);
      throw new Error('the disk is gone');
    };

    const signed = settle(log.checkpoint());
    await begun;
    await Promise.resolve();
    if (how === 'hangs') clock.advance(FLUSH_MS_MAX);

    expect(await signed).toMatchObject({ code: 'log.stopped' });
    expect(await settle(log.append([write('a', [event(1)])]))).toBe(log.stopped);
  });
});
