import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaFiles } from './make.ts';

test.each([...schemaFiles()])('%s is current: node tools/policy-schemas.ts writes it', (name, text) => {
  expect(JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8'))).toEqual(JSON.parse(text));
});
