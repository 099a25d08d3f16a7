import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyOfTree, plant, type Scratch } from './scratch.ts';

const systemPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((entry) => !entry.endsWith('node_modules/.bin'))
  .join(delimiter);
const PINNED = /^v26\.\d+\.\d+\n$/;

describe('bootstrap on a fresh clone', () => {
  let clone: Scratch;
  beforeAll(() => {
    clone = copyOfTree();
    rmSync(join(clone.path, 'node_modules'));
  });
  afterAll(() => clone[Symbol.dispose]());

  test('installs, twice at once, and gives stdout to the command', async () => {
    const outcomes = await Promise.all([run(clone, 'node', '--version'), run(clone, 'node', '--version')]);

    const expected = {
      code: 0,
      stdout: expect.stringMatching(PINNED),
      stderr: expect.stringContaining('bootstrap: installing'),
    };
    expect(outcomes).toEqual([expected, expected]);
    expect(readdirSync(join(clone.path, '.cache'))).toEqual([]);
  });

  test('installs no second time', async () => {
    expect(await run(clone, 'node', '--version')).toEqual({
      code: 0,
      stdout: expect.stringMatching(PINNED),
      stderr: '',
    });
  });

  test('installs again when the lock changes', async () => {
    appendFileSync(join(clone.path, 'package-lock.json'), '\n');

    const { code, stderr } = await run(clone, 'true');

    expect(stderr).toContain('bootstrap: installing');
    expect(code).toBe(0);
  });

  test('runs nothing on a Node with one byte changed (B2)', async () => {
    const binary = join(clone.path, 'node_modules/node/bin/node');
    const bytes = readFileSync(binary);
    bytes.writeUInt8(bytes.readUInt8(4096) ^ 1, 4096);
    rmSync(binary); // npm may have linked it elsewhere
    writeFileSync(binary, bytes, { mode: 0o755 });

    const { code, stdout, stderr } = await run(clone, 'echo', 'ran');

    expect(stderr).toMatch(/^bootstrap: expected \S+ to have SHA-256 \w{64}, found \w{64}: run `rm -r node_modules`, /);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});

describe('bootstrap', () => {
  test.each([
    [['node', '-e', 'process.exit(7)'], 7],
    [['node', '-e', 'process.kill(process.pid, "SIGKILL")'], 137],
    [['no-such-command'], 127],
  ])('after %j ends with %i', async (command, code) => {
    using clone = copyOfTree();

    expect((await run(clone, ...command)).code).toBe(code);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('hands %s on, and ends as the command does', async (signal) => {
    using clone = copyOfTree();
    const child = start(clone, [
      'node',
      '-e',
      `process.on('${signal}', () => process.exit(3)); console.log(); setInterval(() => {}, 1e9)`,
    ]);
    await once(child.stdout, 'data');

    child.kill(signal);

    expect(await once(child, 'exit')).toEqual([3, null]);
  });

  test('without npm says what brings it', async () => {
    using clone = copyOfTree();
    rmSync(join(clone.path, 'node_modules'));
    mkdirSync(join(clone.path, 'bin'));
    const node = execFileSync('sh', ['-c', 'command -v node'], { env: { PATH: systemPath }, encoding: 'utf8' }).trim();
    symlinkSync(node, join(clone.path, 'bin/node'));

    const child = start(clone, ['true'], { PATH: join(clone.path, 'bin') });

    expect(await text(child.stderr)).toMatch(/expected npm on the PATH, found none: run `apt-get install npm`/);
  });

  test('without a network says how to find out', async () => {
    using clone = copyOfTree();
    rmSync(join(clone.path, 'node_modules'));
    const closed = {
      npm_config_registry: 'http://127.0.0.1:9/',
      npm_config_fetch_retries: '0',
      npm_config_cache: join(clone.path, 'cache'),
    };

    const child = start(clone, ['true'], closed);

    expect(await text(child.stderr)).toMatch(/bootstrap: `npm ci` failed .* `npm ping` tells/);
    expect(readdirSync(join(clone.path, '.cache'))).toEqual([]);
  });

  test('on an old Node says what brings a newer one', async () => {
    using clone = copyOfTree();
    plant(clone, { 'old.mjs': "Object.defineProperty(process, 'versions', { value: { node: '18.20.0' } });" });

    const child = start(clone, ['true'], { NODE_OPTIONS: `--import=${join(clone.path, 'old.mjs')}` });

    expect(await text(child.stderr)).toMatch(
      /expected Node 20 or newer to begin with, found 18.20.0: run `npm install --global node@26/,
    );
  });

  test('on a platform without a recorded Node says where to work instead', async () => {
    using clone = copyOfTree();
    plant(clone, { 'tools/node-binary.json': '{ "version": "26.10.0", "sha256": {} }' });

    expect((await run(clone, 'true')).stderr).toMatch(/found \w+-\w+: work in a container, `docker run /);
  });
});

type Outcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

async function run(clone: Scratch, ...command: readonly string[]): Promise<Outcome> {
  const child = start(clone, command);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code, stdout, stderr };
}

/** Starts the bootstrap as a fresh clone would: on the Node of the machine, which need not be the pinned one. */
function start(clone: Scratch, command: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return spawn('node', ['tools/bootstrap.mjs', ...command], {
    cwd: clone.path,
    env: { ...process.env, PATH: systemPath, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
