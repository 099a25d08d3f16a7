import { expect, test } from 'vitest';
import { fuzzClaims, fuzzFrames } from './fuzz.fixture.ts';

test('100,000 damaged frames: no throw, no admission, nothing past the signature', () => {
  const { admitted, codes } = fuzzFrames('fuzz/frames/1', 100_000);
  expect(admitted).toBe(0);
  expect(codes.get('envelope.bad_signature')).toBeGreaterThan(5_000);
  expect([...codes.keys()].filter((code) => !code.startsWith('envelope.') && !code.startsWith('body.'))).toEqual([]);
});

test('100,000 damaged claims: no throw, and none read but with other values in the same places', () => {
  expect(fuzzClaims('fuzz/claims/1', 100_000).admitted).toBe(0);
});
