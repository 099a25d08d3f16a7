/** `docs/audit.md`, `docs/operations.md` and a part of `docs/cli.md`, done as they say. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, desk, ended } from './command.fixture.ts';
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

test('ps and ask print what docs/cli.md shows, under the rule that it gives', async () => {
  using at = clone();
  cpSync(join(at.path, 'examples/hello'), at.path, { recursive: true });
  const blocks = blocksOf('docs/cli.md', '## `ps` and `ask`');
  expect(blocks.map(({ kind }) => kind)).toEqual(['console', 'yaml', 'console']);
  const rule = blocks[1]?.text.replace('rules:\n', '') ?? '';
  writeFileSync(join(at.path, 'policy.yaml'), readFileSync(join(at.path, 'policy.yaml'), 'utf8') + rule);
  const swarm = join(at.path, 'swarm.yaml');
  writeFileSync(swarm, readFileSync(swarm, 'utf8').replace('until: answered', 'until: stopped'));
  const node = at.start(['up', 'swarm.yaml'], { nodeArgs: ['--conditions=source'] });
  let said = '';
  for await (const chunk of node.stderr.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    if (/^answer /m.test(said)) break;
  }
  const [first, , last] = blocks;
  for (const block of [first, last]) if (block !== undefined) runBlock(at, block);
  node.kill('SIGTERM');
  expect(await ended(node)).toMatchObject({ signal: 'SIGTERM' });
});

test.each(['docs/audit.md', 'docs/operations.md'])('the commands of %s do what it says', (path) => {
  using at = clone();
  const blocks = blocksOf(path);
  expect(blocks.length).toBeGreaterThan(4);
  for (const block of blocks) runBlock(at, block);
});
