import { describe, expect, test } from 'vitest';
import { ManualClock } from './simulation.ts';
import { systemClock } from './system.ts';

describe('the manual clock', () => {
  test('stands still until it is advanced, and moves both readings together', () => {
    const clock = new ManualClock(1_000);
    expect([clock.now(), clock.monotonicMs()]).toEqual([1_000, 0]);

    clock.advance(250);

    expect([clock.now(), clock.monotonicMs()]).toEqual([1_250, 250]);
  });

  test('wakes timers in the order of their times, then of their arming, each at its own time', () => {
    const clock = new ManualClock(0);
    const woken: string[] = [];
    for (const [name, delay] of [
      ['late', 30],
      ['first', 10],
      ['second', 10],
      ['at once', 0],
      ['in the past', -5],
    ] as const) {
      clock.after(delay, () => woken.push(`${name} ${clock.monotonicMs()}`));
    }

    clock.advance(29);
    expect(woken).toEqual(['at once 0', 'in the past 0', 'first 10', 'second 10']);
    clock.advance(1);
    expect(woken.at(-1)).toBe('late 30');
  });

  test('wakes what timers arm on the way, and each only once', () => {
    const clock = new ManualClock(0);
    const woken: number[] = [];
    const again = (): void => {
      woken.push(clock.monotonicMs());
      if (woken.length < 4) clock.after(10, again);
    };
    clock.after(10, again);

    clock.advance(25);
    expect(woken).toEqual([10, 20]);
    clock.advance(1_000);
    expect(woken).toEqual([10, 20, 30, 40]);
  });

  test('never wakes a timer that was disposed, by itself or by another on the way', () => {
    const clock = new ManualClock(0);
    const woken: string[] = [];
    const second = clock.after(20, () => woken.push('second'));
    clock.after(10, () => second[Symbol.dispose]());
    clock.after(5, () => woken.push('gone'))[Symbol.dispose]();

    clock.advance(100);

    expect(woken).toEqual([]);
  });

  test('takes its wall back without moving a timer', () => {
    const clock = new ManualClock(5_000);
    const woken: number[] = [];
    clock.after(10, () => woken.push(clock.now()));
    clock.setWall(100);

    clock.advance(10);

    expect([woken, clock.now(), clock.monotonicMs()]).toEqual([[110], 110, 10]);
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])('asserts on an advance by %s', (by) => {
    expect(() => new ManualClock().advance(by)).toThrow(expect.objectContaining({ code: 'assert.failed' }));
  });
});

describe('the system clock', () => {
  test('gives whole milliseconds of wall time, and a monotonic time that never decreases', () => {
    const readings = Array.from({ length: 1_000 }, () => systemClock.monotonicMs());

    expect(Number.isInteger(systemClock.now())).toBe(true);
    expect(readings).toEqual(readings.toSorted((a, b) => a - b));
  });

  test('wakes a timer not before its time, and never one that was disposed', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    let isWoken = false;
    const disposed = systemClock.after(1, () => {
      isWoken = true;
    });
    disposed[Symbol.dispose]();
    const began = systemClock.monotonicMs();
    systemClock.after(5, () => resolve(systemClock.monotonicMs() - began));

    expect(await promise).toBeGreaterThanOrEqual(4);
    expect(isWoken).toBe(false);
  });
});
