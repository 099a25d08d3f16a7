import fc from 'fast-check';
import { expect, test } from 'vitest';
import { REPLAY_WINDOW_MESSAGES } from './limits.ts';
import { ReplayWindow } from './replay-window.ts';

test('a window does what a set does, but for numbers older than it reaches', () => {
  const near = fc.integer({ min: 0, max: 3 * REPLAY_WINDOW_MESSAGES });
  const sequences = fc.array(fc.oneof(near, near, fc.maxSafeNat()), { maxLength: 400 });
  fc.assert(
    fc.property(sequences, (numbers) => {
      const window = new ReplayWindow();
      const accepted = new Set<number>();
      let highest = -1;
      for (const number of numbers) {
        const isNew = !accepted.has(number) && number > highest - REPLAY_WINDOW_MESSAGES;
        expect(window.hasSeen(number)).toBe(!isNew);
        expect(window.accept(number)).toBe(isNew);
        accepted.add(number);
        highest = Math.max(highest, number);
      }
    }),
    { numRuns: 200 },
  );
});

test('asking changes nothing', () => {
  const window = new ReplayWindow();
  window.hasSeen(2 ** 50);
  expect(window.accept(0)).toBe(true);
});

test('everything within reach may come in any order, once', () => {
  const window = new ReplayWindow();
  const backwards = Array.from({ length: REPLAY_WINDOW_MESSAGES }, (_, n) => REPLAY_WINDOW_MESSAGES - 1 - n);
  expect(backwards.every((number) => window.accept(number))).toBe(true);
  expect(backwards.some((number) => window.accept(number))).toBe(false);
});
