import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { evaluate, termOf } from '../policy.fixture.ts';
import { someCondition, someRequest } from '../random-policy.fixture.ts';
import { isImpossible } from './vacuity.ts';

test('a condition that is called impossible holds for no request', () => {
  let impossible = 0;
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const random = seededRandom(seed);
      const text = Array.from({ length: 3 }, () => someCondition(random)).join(' and ');
      const term = termOf(text);
      if (typeof term === 'string' || !isImpossible(term)) return;
      impossible++;
      for (let n = 0; n < 40; n++) expect(evaluate(text, someRequest(random))).not.toBe(true);
    }),
    { numRuns: 3_000 },
  );
  expect(impossible).toBeGreaterThan(50);
});
