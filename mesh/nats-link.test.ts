import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../runtime/core/simulation.ts';
import { PACE, retryMs } from './nats-link.ts';

test('pauses before connecting again grow, stay between half of their bound and all of it, and never pass the longest', () => {
  fc.assert(
    fc.property(fc.nat(10_000), fc.integer(), (attempt, seed) => {
      const bound = Math.min(PACE.retryMsMax, PACE.retryMsMin * 2 ** attempt);
      const pause = retryMs(attempt, PACE, seededRandom(seed));
      expect(pause).toBeGreaterThanOrEqual(bound / 2);
      expect(pause).toBeLessThanOrEqual(bound + 1);
    }),
  );
});

test('two nodes that lost the same server do not come back in step', () => {
  const pauses = (seed: string): readonly number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 10 }, (_, attempt) => retryMs(attempt, PACE, random));
  };
  expect(pauses('a')).not.toEqual(pauses('b'));
});
