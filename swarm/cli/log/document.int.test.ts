import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { desk } from '../command.fixture.ts';

const main = resolve(import.meta.dirname, '../main.ts');
const page = readFileSync(resolve(import.meta.dirname, '../../../docs/cli.md'), 'utf8');

test('the block of docs/cli.md about several logs runs as it stands, and finds the split view', () => {
  using at = desk();
  mkdirSync(join(at.path, 'bin'));
  writeFileSync(join(at.path, 'bin/ringmesh'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, {
    mode: 0o755,
  });
  const section = page.split(/^## /m).find((part) => part.startsWith('`log verify`')) ?? '';
  const [, block = ''] = /^```sh\n(.*?)^```$/ms.exec(section) ?? [];
  expect(block).toContain('ringmesh log verify till copy');

  const env = { PATH: `${join(at.path, 'bin')}:/usr/bin:/bin`, XDG_STATE_HOME: join(at.path, 'state') };
  const ran = spawnSync('bash', ['-euo', 'pipefail', '-c', block], { cwd: at.path, env, encoding: 'utf8' });

  expect(ran.status).toBe(0);
  expect(ran.stdout).toMatch(/^agree +yes$/m);
  expect(ran.stdout).toMatch(/^agree +no$/m);
  expect(ran.stderr).toMatch(/^ringmesh: log\.forked: copy: /m);
  expect(ran.stdout).toMatch(/logs\.split_view +expected two copies of one history, .* part at event 3: /);
});
