import { expect, test } from 'vitest';
import { seededRandom } from '../runtime/core/simulation.ts';
import { fuzzOnce, type Tally } from './fuzz.fixture.ts';

test('100,000 random documents and requests: no throw, no hang, no verdict without a reason', () => {
  const tally: Tally = { accepted: 0, refused: 0, allow: 0, escalate: 0, deny: 0 };

  for (let round = 0; round < 100_000; round++) {
    const seed = `fuzz ${round}`;
    try {
      fuzzOnce(seededRandom(seed), tally);
    } catch (error) {
      throw new Error(`with seededRandom(${JSON.stringify(seed)})`, { cause: error });
    }
  }

  expect(Math.min(...Object.values(tally)), JSON.stringify(tally)).toBeGreaterThan(1_000);
});
