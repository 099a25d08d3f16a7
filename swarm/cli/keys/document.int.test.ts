import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { desk } from '../command.fixture.ts';

const main = resolve(import.meta.dirname, '../main.ts');
const document = readFileSync(resolve(import.meta.dirname, '../../../docs/cli.md'), 'utf8');

test('the blocks of docs/cli.md about keys and nats run as they stand, one after another', () => {
  using at = desk();
  mkdirSync(join(at.path, 'bin'));
  const launcher = `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`;
  writeFileSync(join(at.path, 'bin/ringmesh'), launcher, { mode: 0o755 });
  const sections = document.split(/^## /m).filter((section) => /^`(keys|nats config)`/.test(section));
  const blocks = sections.flatMap((section) => [...section.matchAll(/^```sh\n(.*?)^```/gms)]);
  expect(blocks).toHaveLength(2);
  const script = blocks.map(([, block = '']) => block).join('');
  const path = `${join(at.path, 'bin')}:${process.env['PATH'] ?? ''}:/usr/sbin`;

  const ran = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: at.path,
    env: { ...process.env, PATH: path },
    encoding: 'utf8',
  });

  expect(ran).toMatchObject({ status: 0, stderr: expect.stringMatching(/valid|^$/) });
  expect(ran.stdout).toMatch(/^revoked +the till was sold$/m);
});
