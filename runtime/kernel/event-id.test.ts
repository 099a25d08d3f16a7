import { expect, test } from 'vitest';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { eventIdOf, newEventId } from './event-id.ts';

test('a fresh id begins with the time and is of version 7', () => {
  const id = newEventId(new ManualClock(0x0123_4567_89ab), seededRandom(1));

  expect(id).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('an id that follows from words is the same every time, and another for other words', () => {
  expect(eventIdOf('turn', 1)).toMatch(/-8[0-9a-f]{3}-[89ab]/);
  expect(eventIdOf('turn', 1)).toBe(eventIdOf('turn', 1));
  expect(eventIdOf('turn', 1)).not.toBe(eventIdOf('turn', 11));
  expect(eventIdOf('a', 'b')).not.toBe(eventIdOf('ab'));
});
