import { spawnSync } from 'node:child_process';
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const [main = '', swarm = ''] = ['../../swarm/cli/main.ts', './swarm.yaml'].map((path) =>
  join(import.meta.dirname, path),
);

test('a greeter greets and, run again over its log, knows how often', () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-hello-'));
  const { path: cwd } = folder;
  const args = ['--conditions=source', main, 'up', swarm, '--log', 'log', '--anchor', 'anchors'];
  const said = [1, 2].map(() => spawnSync(process.execPath, args, { cwd, encoding: 'utf8' }));
  expect(said.map(({ status }) => status)).toEqual([0, 0]);
  expect(said[0]?.stdout).toContain('{"text":"Hello, world. You are number 1."}');
  expect(said[1]?.stdout).toContain('{"text":"Hello, world. You are number 2."}');
  expect(said[1]?.stdout).toMatch(/^verified {2}yes: /m);
});
