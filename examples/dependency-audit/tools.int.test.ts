import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ProvidedTool, systemClock, systemRandom } from 'ringmesh/runtime';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfinedFolder } from './confined-folder.ts';
import { REGISTRY_LIMITS, Registry } from './registry.ts';
import { RegistryDouble } from './registry-double.fixture.ts';
import { factsFinder, lockReader, reportWriter } from './tools.ts';

let folder: string;
let double: RegistryDouble;
let client: Registry;
let tools: ReadonlyMap<string, ProvidedTool>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-tools-'));
  double = await RegistryDouble.start();
  const none = { proxy: undefined, httpsProxy: undefined, noProxy: undefined, cafile: undefined };
  const config = { registry: double.url, scopes: new Map(), ...none };
  client = new Registry(
    { config, clock: systemClock, random: systemRandom, environment: {} },
    { ...REGISTRY_LIMITS, backoffMs: 1 },
  );
  const out = await ConfinedFolder.open(join(folder, 'out'));
  const provided = [lockReader(join(folder, 'package-lock.json')), factsFinder(client), reportWriter(out)];
  tools = new Map(provided.map((one) => [one.tool.name, one]));
});

afterEach(async () => {
  client[Symbol.dispose]();
  await double[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function run(name: string, input: unknown): Promise<unknown> {
  const attempt = { key: 'k', action: { agent: 'a' }, signal: new AbortController().signal };
  type Run = ProvidedTool['executor']['run'];
  return tools.get(name)?.executor.run(input as Parameters<Run>[0], attempt as Parameters<Run>[1]);
}

describe('lock.read', () => {
  test('the one file is read, whatever the input says', async () => {
    await writeFile(
      join(folder, 'package-lock.json'),
      '{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1.0.0"}}}',
    );

    expect(await run('lock.read', {})).toMatchObject({ type: 'ok', value: { packages: [{ name: 'a' }] } });
    expect(await run('lock.read', { path: '/etc/passwd' })).toMatchObject({ type: 'invalid' });
  });

  test('what is no lock file is a failure with its code', async () => {
    await expect(run('lock.read', {})).rejects.toMatchObject({ code: 'file.missing' });
    await writeFile(join(folder, 'package-lock.json'), '{"lockfileVersion":1}');
    await expect(run('lock.read', {})).rejects.toMatchObject({ code: 'lock.unsupported_version' });
  });
});

describe('registry.facts', () => {
  test('facts, or that there is no such package', async () => {
    double.publish('a', { versions: { '1.0.0': {} } });

    expect(await run('registry.facts', { name: 'a', versions: ['1.0.0'] })).toMatchObject({
      type: 'ok',
      value: { type: 'facts', facts: { name: 'a', versions: [{ version: '1.0.0' }] } },
    });
    expect(await run('registry.facts', { name: 'b', versions: [] })).toEqual({ type: 'ok', value: { type: 'absent' } });
  });

  test.each(['../a', '..', '__proto__', 'a?b', 'a#b', 'a%2f..%2fb', ''])('nobody is asked about %j', async (name) => {
    await expect(run('registry.facts', { name, versions: [] })).rejects.toMatchObject({ code: 'registry.bad_name' });
    expect(double.asked).toEqual([]);
  });

  test('a package named constructor is one like others', async () => {
    double.publish('constructor', { versions: {} });

    expect(await run('registry.facts', { name: 'constructor', versions: ['__proto__'] })).toMatchObject({
      value: { facts: { name: 'constructor', versions: [] } },
    });
  });

  test('a document that is another package’s is refused', async () => {
    double.reply('a', { body: '{"name":"b","versions":{}}' });

    await expect(run('registry.facts', { name: 'a', versions: [] })).rejects.toMatchObject({
      code: 'registry.malformed',
    });
  });
});

describe('report.write', () => {
  test('a file below the folder is written, once', async () => {
    const first = await run('report.write', { path: 'report.md', text: 'x' });
    const second = await run('report.write', { path: 'report.md', text: 'x' });

    expect([first, second]).toMatchObject([{ value: { isChanged: true } }, { value: { isChanged: false } }]);
    expect(await readFile(join(folder, 'out/report.md'), 'utf8')).toBe('x');
  });

  test('nothing is written elsewhere', async () => {
    await expect(run('report.write', { path: '../report.md', text: 'x' })).rejects.toMatchObject({
      code: 'file.outside',
    });
  });
});
