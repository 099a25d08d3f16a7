/** `docs/audit.md` and `docs/operations.md`, done as they say. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, desk } from './command.fixture.ts';
import { blocksOf, runBlock } from './page.fixture.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** As much of a clone as the pages name. */
function clone(): Desk {
  const at = desk();
  mkdirSync(join(at.path, 'node_modules'));
  symlinkSync(ROOT, join(at.path, 'node_modules/ringmesh'));
  symlinkSync(join(ROOT, 'node_modules/zod'), join(at.path, 'node_modules/zod'));
  symlinkSync(join(ROOT, 'docs'), join(at.path, 'docs'));
  writeFileSync(join(at.path, 'package.json'), '{ "type": "module" }');
  for (const example of ['hello', 'records-cleanup']) {
    const isSource = (path: string): boolean => !path.includes('.ringmesh');
    cpSync(join(ROOT, 'examples', example), join(at.path, 'examples', example), { recursive: true, filter: isSource });
  }
  return at;
}

test.each(['docs/audit.md', 'docs/operations.md'])('the commands of %s do what it says', (path) => {
  using at = clone();
  const blocks = blocksOf(path);
  expect(blocks.length).toBeGreaterThan(4);
  for (const block of blocks) runBlock(at, block);
});
