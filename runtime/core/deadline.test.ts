import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Clock } from './clock.ts';
import { withDeadline } from './deadline.ts';
import { ManualClock } from './simulation.ts';

/** A manual clock that knows how many of its timers wait. */
function countingClock(): { readonly clock: ManualClock; readonly waiting: () => number } {
  const clock = new ManualClock();
  let armed = 0;
  const after: Clock['after'] = clock.after.bind(clock);
  clock.after = (delayMs, wake) => {
    armed += 1;
    let isOver = false;
    const end = (): void => {
      if (!isOver) armed -= 1;
      isOver = true;
    };
    const timer = after(delayMs, () => {
      end();
      wake();
    });
    return {
      [Symbol.dispose]() {
        end();
        timer[Symbol.dispose]();
      },
    };
  };
  return { clock, waiting: () => armed };
}

const outcomeOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe('a wait with a deadline', () => {
  type World = ReturnType<typeof countingClock> & { readonly abort: AbortController };
  const ends: readonly (readonly [string, (world: World) => Promise<unknown>, unknown])[] = [
    ['the work succeeds', async () => 'done', 'done'],
    ['the work fails', async () => Promise.reject(new Error('broken')), expect.objectContaining({ message: 'broken' })],
    [
      'its time is up',
      ({ clock }) => {
        queueMicrotask(() => clock.advance(100));
        return new Promise(() => undefined);
      },
      expect.objectContaining({
        code: 'deadline.exceeded',
        waitedMs: 100,
        message: expect.stringContaining('the work'),
      }),
    ],
    [
      'its signal aborts',
      ({ abort }) => {
        queueMicrotask(() => abort.abort(new Error('enough')));
        return new Promise(() => undefined);
      },
      expect.objectContaining({ message: 'enough' }),
    ],
  ];

  test.each(ends)('that ends because %s leaves neither timer nor listener', async (_, work, expected) => {
    const world = { ...countingClock(), abort: new AbortController() };
    const { clock, waiting, abort } = world;

    const outcome = await outcomeOf(
      withDeadline(work(world), { clock, limitMs: 100, what: 'the work', signal: abort.signal }),
    );

    expect(outcome).toEqual(expected);
    expect([waiting(), getEventListeners(abort.signal, 'abort').length]).toEqual([0, 0]);
  });

  test('does not begin when its signal has aborted', async () => {
    const { clock, waiting } = countingClock();
    const signal = AbortSignal.abort(new Error('before'));

    const outcome = await outcomeOf(withDeadline(Promise.resolve(1), { clock, limitMs: 5, what: 'it', signal }));

    expect(outcome).toMatchObject({ message: 'before' });
    expect([waiting(), getEventListeners(signal, 'abort').length]).toEqual([0, 0]);
  });

  test('hears a failure that comes too late, so that it ends no process', async () => {
    const clock = new ManualClock();
    const { promise: work, reject } = Promise.withResolvers<never>();
    const outcome = outcomeOf(withDeadline(work, { clock, limitMs: 5, what: 'it' }));
    clock.advance(5);
    expect(await outcome).toMatchObject({ code: 'deadline.exceeded' });

    reject(new Error('late')); // vitest fails the run on a rejection that nobody observed
    expect(await outcomeOf(work)).toMatchObject({ message: 'late' });
  });

  test('is not over a moment early', async () => {
    const clock = new ManualClock();
    const { promise: work, resolve } = Promise.withResolvers<string>();
    const outcome = outcomeOf(withDeadline(work, { clock, limitMs: 100, what: 'it' }));
    clock.advance(99);
    resolve('in time');

    expect(await outcome).toBe('in time');
  });
});
