import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RegistryDouble } from './registry-double.fixture.ts';
import type { Summary } from './summary.ts';

const integrity = `sha512-${'A'.repeat(86)}==`;

let double: RegistryDouble;
let folder: string;

beforeEach(async () => {
  double = await RegistryDouble.start();
  folder = await mkdtemp(join(tmpdir(), 'audit-main-'));
  const locked = { version: '1.0.0', integrity, license: 'MIT' };
  const packages = { 'node_modules/a': locked, 'node_modules/@s/b': locked };
  await writeFile(join(folder, 'package.json'), '{}');
  await writeFile(join(folder, '.npmrc'), `${'registry'}=${double.url.href}\n`);
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
  for (const name of ['a', '@s/b']) publish(name, {});
});

afterEach(async () => {
  await double[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function publish(name: string, manifest: object): void {
  const versions = { '1.0.0': { license: 'MIT', dist: { integrity }, ...manifest } };
  double.publish(name, { 'dist-tags': { latest: '1.0.0' }, versions });
}

type Ended = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
};

function start(...args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const file = new URL('./main.ts', import.meta.url).pathname;
  const options = { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] };
  const child = spawn(
    process.execPath,
    ['--conditions=source', file, '--anchor', join(folder, 'anchors'), ...args],
    options,
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const { promise, resolve } = Promise.withResolvers<Ended>();
  child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  return { child, ended: promise };
}

describe('npm run up', () => {
  test('says on stdout what was found, on stderr how far it is, and exits with 0', async () => {
    const { code, stdout, stderr } = await start().ended;

    expect(code).toBe(0);
    expect(stdout).toContain('packages   2 audited under 2 of 2 names');
    expect(stdout).toContain('verified   yes');
    expect(stderr).toContain('audit: 2 of 2 packages\n');
    expect(await readFile(join(folder, '.ringmesh/audit/report.md'), 'utf8')).toContain('# Dependency audit');
  });

  test('--json is one object; --fail-on makes findings an exit code', async () => {
    publish('a', { dist: { integrity: integrity.replaceAll('A', 'B') } });
    const { code, stdout } = await start('--json', '--fail-on', 'high').ended;

    expect(code).toBe(4);
    expect(JSON.parse(stdout) as Summary).toMatchObject({ isComplete: true, findings: { critical: 1 } });
  });

  test('what is missing is an exit code of its own', async () => {
    double.reply('a', { status: 401 });
    const { code, stdout } = await start().ended;

    expect(code).toBe(3);
    expect(stdout).toContain('missing    a: registry.refused');
    expect(stdout).toContain('next       run it again');
  });

  test.each([
    ['--lock none.json', 'file.missing'],
    ['--lock package.json', 'lock.malformed'],
    ['--what', 'usage.invalid'],
  ])('%j is usage, and leaves nothing behind', async (args, code) => {
    const ended = await start(...args.split(' ')).ended;

    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(`${code}: `);
    await expect(readFile(join(folder, '.ringmesh'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('SIGTERM ends it in order, and the next run goes on', async () => {
    double.reply('a', 'hang');
    const { child, ended } = start();
    child.stderr?.on('data', (chunk) => {
      if (String(chunk).includes('0 of 2')) child.kill('SIGTERM');
    });
    const { signal, stderr } = await ended;
    publish('a', {});
    const { code, stdout } = await start().ended;

    expect(signal).toBe('SIGTERM');
    expect(stderr).toContain('run it again to go on');
    expect([code, stdout]).toEqual([0, expect.stringContaining('gone on with')]);
  });
});
