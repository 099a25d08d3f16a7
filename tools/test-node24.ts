/** `npm run test:node24 [-- ARGS…]`: the unit tests on the oldest Node that users may run. It is kept under .cache/. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const directory = resolve('.cache/node24');
const node = join(directory, 'node_modules/node/bin/node');
if (!existsSync(node)) {
  mkdirSync(directory, { recursive: true });
  // npm's report belongs to stderr: stdout is the tests'.
  spawnSync('npm', ['install', '--no-save', '--no-package-lock', '--prefix', directory, 'node@24'], {
    stdio: ['ignore', 2, 2],
  });
}
if (!existsSync(node)) {
  console.error('expected `npm install node@24` to bring a Node 24, it did not: see its report above');
  process.exit(1);
}
const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', ...process.argv.slice(2)];
process.exitCode = spawnSync(node, args, { stdio: 'inherit' }).status ?? 1;
