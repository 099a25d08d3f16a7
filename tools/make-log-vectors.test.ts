import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { logVectors, VECTORS } from './make-log-vectors.ts';

test('the vectors of the log format are what its script makes', () => {
  expect(readFileSync(VECTORS, 'utf8')).toBe(logVectors());
});
