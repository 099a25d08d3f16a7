import { expect, test } from 'vitest';
import { type Duration, toMillis } from './duration.ts';

test.each<[Duration, number]>([
  ['500ms', 500],
  ['2s', 2_000],
  ['10m', 600_000],
  ['48h', 172_800_000],
  ['7d', 604_800_000],
  [0, 0],
])('%j is %i ms', (duration, millis) => {
  expect(toMillis(duration)).toBe(millis);
});

test.each(['', '2', '2 s', '-1s', '1.5s', '400d', Number.NaN, -1, 0.5])('%j is no duration', (duration) => {
  expect(() => toMillis(duration as Duration)).toThrow('expected a duration');
});
