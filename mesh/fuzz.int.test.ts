import { expect, test } from 'vitest';
import { fuzzClaims, fuzzFrames } from './fuzz.fixture.ts';

test('1,000,000 damaged frames: no throw, no admission', () => {
  expect(fuzzFrames('fuzz/frames/2', 1_000_000).admitted).toBe(0);
}, 600_000);

test('1,000,000 damaged claims: no throw, none read with another structure', () => {
  expect(fuzzClaims('fuzz/claims/2', 1_000_000).admitted).toBe(0);
}, 600_000);
