import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = dirname(dirname(import.meta.dirname));

test('docs/agents.md: every block compiles, and together they run', () => {
  const page = readFileSync(join(root, 'docs/agents.md'), 'utf8');
  const program = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code).join('\n');
  const folder = join(root, '.cache/agents-page');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'page.ts');
  writeFileSync(file, `${program}\nconsole.log('done');\n`);
  const options = { extends: '../../tsconfig.json', include: ['page.ts'], exclude: [] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
  try {
    const run = (command: string, args: readonly string[]) =>
      execFileSync(command, args, { cwd: folder, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } });

    expect(run(join(root, 'node_modules/.bin/tsc'), ['-p', '.'])).toBe('');
    expect(run(process.execPath, ['--conditions=source', file])).toBe('done\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
