import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { swarmSchema } from './make.ts';

test('swarm.schema.json is current: node tools/swarm-schema.ts writes it', () => {
  const text = readFileSync(join(import.meta.dirname, 'swarm.schema.json'), 'utf8');
  expect(JSON.parse(text)).toEqual(JSON.parse(swarmSchema()));
});
