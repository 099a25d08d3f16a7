import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { copyOfTree } from './scratch.ts';

test('the README’s twenty lines run as they stand, on a clone', () => {
  using clone = copyOfTree();
  const readme = readFileSync(join(clone.path, 'README.md'), 'utf8');
  const [, example = ''] = /## Twenty lines\n\n```sh\n(.*?)```/s.exec(readme) ?? [];
  const env = { ...process.env, XDG_STATE_HOME: join(clone.path, 'state') };

  const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', example], {
    cwd: clone.path,
    env,
    encoding: 'utf8',
  });

  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(stdout).toMatch(/^\{"index": ?0\b.*\n\{"index": ?1\b/m);
  expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(24);
  expect(existsSync(join(clone.path, 'public/checkpoint'))).toBe(true);
});
