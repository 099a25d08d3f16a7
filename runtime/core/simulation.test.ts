import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from './bytes.ts';
import { withDeadline } from './deadline.ts';
import { ManualClock, seededRandom } from './simulation.ts';
import { uuidv7 } from './uuid.ts';

describe('the manual clock', () => {
  test('stands still until it is told to move, and then moves both readings', () => {
    const clock = new ManualClock(1_000);
    expect([clock.now(), clock.monotonicMs()]).toEqual([1_000, 0]);
    clock.advance(250);
    expect([clock.now(), clock.monotonicMs()]).toEqual([1_250, 250]);
  });

  test('fires timers in the order of their times, then of their arming, each at its own time', () => {
    const clock = new ManualClock(0);
    const fired: [string, number][] = [];
    const arm = (name: string, delayMs: number) => clock.after(delayMs, () => fired.push([name, clock.monotonicMs()]));
    arm('late', 30);
    arm('first', 10);
    arm('second', 10);
    clock.after(5, () => arm('armed meanwhile', 10));
    clock.advance(20);
    expect(fired).toEqual([
      ['first', 10],
      ['second', 10],
      ['armed meanwhile', 15],
    ]);
  });

  test('does not fire what was disposed', () => {
    const clock = new ManualClock();
    const fired: number[] = [];
    clock.after(10, () => fired.push(1))[Symbol.dispose]();
    clock.advance(20);
    expect(fired).toEqual([]);
  });

  test('lets the wall clock go back without touching the monotonic one', () => {
    const clock = new ManualClock(5_000);
    clock.advance(100);
    clock.setWall(1_000);
    expect([clock.now(), clock.monotonicMs()]).toEqual([1_000, 100]);
  });
});

describe('the seeded generator', () => {
  test('draws the same for the same seed, for ever: these bytes are part of every recorded seed', () => {
    expect(toHex(seededRandom(1).bytes(16))).toBe('1781e37c6f81bfaa21caf073f31da6e9');
    expect(toHex(seededRandom('a name').bytes(8))).toBe(toHex(seededRandom('a name').bytes(8)));
  });

  test('gives every name a stream of its own, whatever was drawn before', () => {
    const [early, late] = [seededRandom(7), seededRandom(7)];
    late.bytes(100);
    expect(toHex(late.stream('clock').bytes(8))).toBe(toHex(early.stream('clock').bytes(8)));
    expect(toHex(early.stream('clock').bytes(8))).not.toBe(toHex(early.stream('disk').bytes(8)));
  });

  test('stays below its bound and favours nobody', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
        const drawn = seededRandom(seed).below(bound);
        expect(Number.isInteger(drawn) && drawn >= 0 && drawn < bound).toBe(true);
      }),
    );
    const random = seededRandom(42);
    const counts = [0, 0, 0, 0, 0];
    for (let n = 0; n < 50_000; n++) counts[random.below(5)] = (counts[random.below(5)] ?? 0) + 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(600);
  });
});

describe('a deadline', () => {
  const bound = (clock: ManualClock, signal?: AbortSignal) => ({
    clock,
    limitMs: 50,
    what: 'an answer',
    ...(signal && { signal }),
  });

  test('hands the result through when it comes in time', async () => {
    expect(await withDeadline(Promise.resolve(7), bound(new ManualClock()))).toBe(7);
  });

  test('ends the wait by a code when it does not', async () => {
    const clock = new ManualClock();
    const waiting = withDeadline(new Promise(() => undefined), bound(clock));
    clock.advance(50);
    await expect(waiting).rejects.toMatchObject({ code: 'deadline.exceeded', waitedMs: 50 });
  });

  test('ends the wait with the reason of its signal', async () => {
    const aborting = new AbortController();
    const waiting = withDeadline(new Promise(() => undefined), bound(new ManualClock(), aborting.signal));
    aborting.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(withDeadline(Promise.resolve(1), bound(new ManualClock(), aborting.signal))).rejects.toThrow('enough');
  });

  test('leaves no listener and no timer behind', async () => {
    const clock = new ManualClock();
    const aborting = new AbortController();
    let listeners = 0;
    const { signal } = aborting;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    let armed = 0;
    const counting = {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs: number, wake: () => void) => {
        armed += 1;
        const timer = clock.after(delayMs, wake);
        return {
          [Symbol.dispose]: () => {
            armed -= 1;
            timer[Symbol.dispose]();
          },
        };
      },
    };
    await withDeadline(Promise.resolve(1), { clock: counting, limitMs: 5, what: 'x', signal });
    await withDeadline(Promise.reject(new Error('no')), { clock: counting, limitMs: 5, what: 'x', signal }).catch(
      () => undefined,
    );
    expect([listeners, armed]).toEqual([0, 0]);
  });
});

describe('a version 7 UUID', () => {
  test('has its time, version and variant where RFC 9562 section 5.7 puts them', () => {
    const clock = new ManualClock(0x0123_4567_89ab);
    expect(uuidv7(clock, seededRandom(1))).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('sorts by time', () => {
    const clock = new ManualClock();
    const random = seededRandom(2);
    const ids = Array.from({ length: 50 }, () => {
      clock.advance(1);
      return uuidv7(clock, random);
    });
    expect(ids.toSorted()).toEqual(ids);
  });
});
