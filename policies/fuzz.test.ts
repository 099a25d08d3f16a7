import { expect, test } from 'vitest';
import { seededRandom } from '../runtime/core/simulation.ts';
import { fuzzOnce, type Tally } from './fuzz.fixture.ts';

test('random documents and requests: no throw, no verdict without a reason', () => {
  const tally: Tally = { accepted: 0, refused: 0, allow: 0, escalate: 0, deny: 0 };

  for (let seed = 0; seed < 1_500; seed++) fuzzOnce(seededRandom(seed), tally);

  expect(Math.min(...Object.values(tally)), JSON.stringify(tally)).toBeGreaterThan(20);
});
