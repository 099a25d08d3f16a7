/** Spans of time as authors write them: `'500ms'`, `'2s'`, `'10m'`, `'48h'`, `'7d'`, or whole milliseconds. */
import { assert } from '../core/assert.ts';

export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A year: longer waits are a sign of a unit mistaken for another. */
export const DURATION_MS_MAX = 366 * 86_400_000;

/** Whole milliseconds, 0 to a year.
 *  @throws {AssertionError} `assert.failed`: a duration is written by the author, so a wrong one is a bug. */
export function toMillis(duration: Duration): number {
  assert(isDuration(duration), `expected a duration such as '2s' or 1500, found ${JSON.stringify(duration)}`);
  return millisOf(duration);
}

export function isDuration(duration: string | number): duration is Duration {
  const millis = millisOf(duration);
  return Number.isInteger(millis) && millis >= 0 && millis <= DURATION_MS_MAX;
}

function millisOf(duration: string | number): number {
  if (typeof duration === 'number') return duration;
  const [, count, unit = ''] = /^(\d+)(ms|s|m|h|d)$/.exec(duration) ?? [];
  return Number(count) * (UNITS[unit] ?? Number.NaN);
}
