import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Millis, systemClock, systemRandom } from 'ringmesh/runtime';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type NpmConfig, readNpmConfig } from './npm-config.ts';
import type { PackageName } from './package-name.ts';
import { REGISTRY_LIMITS, Registry, type RegistryLimits } from './registry.ts';
import { RegistryDouble } from './registry-double.fixture.ts';

const a = 'a' as PackageName;
const never = new AbortController().signal;
const quick: RegistryLimits = {
  ...REGISTRY_LIMITS,
  requestMs: 2_000,
  backoffMs: 2,
  perSecond: 10_000,
  burst: 100,
  coolMs: 60_000,
};

let double: RegistryDouble;

beforeEach(async () => {
  double = await RegistryDouble.start();
});

afterEach(async () => {
  await double[Symbol.asyncDispose]();
});

function configOf(registry: URL): NpmConfig {
  return {
    registry,
    scopes: new Map(),
    proxy: undefined,
    httpsProxy: undefined,
    noProxy: undefined,
    cafile: undefined,
  };
}

function open(limits: Partial<RegistryLimits> = {}, config: NpmConfig = configOf(double.url)): Registry {
  const ports = { config, clock: systemClock, random: systemRandom, environment: {} };
  return new Registry(ports, { ...quick, ...limits });
}

function textOf(fetched: Awaited<ReturnType<Registry['fetch']>>): string {
  return fetched.type === 'document' ? new TextDecoder().decode(fetched.bytes) : fetched.type;
}

describe('Registry', () => {
  test('a document comes as it is, and a scope is part of one segment', async () => {
    double.publish('@s/a', { versions: {} });
    using registry = open();

    expect(textOf(await registry.fetch('@s/a' as PackageName, never))).toBe('{"name":"@s/a","versions":{}}');
    expect(double.paths).toEqual(['/@s%2fa']);
  });

  test('a packed document is unpacked', async () => {
    double.reply('a', { headers: { 'content-encoding': 'gzip' }, body: '{"name":"a"}' });
    using registry = open();

    expect(textOf(await registry.fetch(a, never))).toBe('{"name":"a"}');
  });

  test('a name that the registry does not know is an answer', async () => {
    using registry = open();

    expect(await registry.fetch(a, never)).toEqual({ type: 'absent' });
    expect(double.count('a')).toBe(1);
  });

  test.each<[string, Parameters<RegistryDouble['reply']>[1][], string, number]>([
    ['a refusal', [{ status: 403 }], 'registry.refused', 1],
    ['a page for people', [{ headers: { 'content-type': 'text/html' }, body: '<html>' }], 'registry.not_json', 1],
    [
      'an encoding that was not asked for',
      [{ headers: { 'content-encoding': 'br' }, body: 'x' }],
      'registry.not_json',
      1,
    ],
    ['a length over the limit', [{ body: 'x'.repeat(2_001) }], 'registry.too_large', 1],
    [
      'a body over the limit, of unknown length',
      [{ headers: { 'transfer-encoding': 'chunked' }, body: 'x'.repeat(2_001) }],
      'registry.too_large',
      1,
    ],
    [
      'a small body that unpacks to a large one',
      [{ headers: { 'content-encoding': 'gzip' }, body: ' '.repeat(1_000_000) }],
      'registry.too_large',
      1,
    ],
    [
      'packed bytes cut short',
      [{ headers: { 'content-encoding': 'x-gzip' }, body: 'no gzip' }],
      'registry.unreachable',
      3,
    ],
    [
      'a redirect to another host',
      [{ status: 302, headers: { location: 'http://127.0.0.2/a' } }],
      'registry.redirected',
      1,
    ],
    ['a redirect to a file', [{ status: 302, headers: { location: 'file:///etc/passwd' } }], 'registry.redirected', 1],
    ['a redirect to itself', [{ status: 302, headers: { location: '/a' } }], 'registry.redirected', 4],
    ['a redirect to nowhere', [{ status: 302 }], 'registry.refused', 1],
    ['a failing server', [{ status: 500 }], 'registry.busy', 3],
    ['a connection that is cut', ['cut'], 'registry.unreachable', 3],
    ['no answer', ['hang'], 'registry.unreachable', 3],
  ])('%s', async (_what, replies, code, count) => {
    double.reply('a', ...replies);
    using registry = open({ documentBytesMax: 2_000, requestMs: 100 });

    await expect(registry.fetch(a, never)).rejects.toMatchObject({ code });
    expect(double.count('a')).toBe(count);
  });

  test('a redirect within the origin is followed', async () => {
    double.reply('a', { status: 301, headers: { location: '/b' } });
    double.publish('b', {});
    using registry = open();

    expect(textOf(await registry.fetch(a, never))).toBe('{"name":"b"}');
  });

  test('what may pass is tried again, and a wait that the registry asks for is kept', async () => {
    const waits: number[] = [];
    const clock = {
      ...systemClock,
      after: (delayMs: number, wake: () => void): Disposable => {
        waits.push(delayMs);
        return systemClock.after(delayMs >= 7_000 ? 0 : delayMs, wake);
      },
    };
    double.reply('a', 'cut', { status: 429, headers: { 'retry-after': '7' } }, { body: '{}' });
    using registry = new Registry(
      { config: configOf(double.url), clock, random: systemRandom, environment: {} },
      quick,
    );

    expect(textOf(await registry.fetch(a, never))).toBe('{}');
    expect(waits).toContain(7_000);
    expect(double.count('a')).toBe(3);
  });

  test('G4: after five in a row nobody is asked for a while, and then again', async () => {
    let skipped = 0;
    const clock = { ...systemClock, now: () => 0 as Millis, monotonicMs: () => systemClock.monotonicMs() + skipped };
    double.reply('a', 'cut');
    using registry = new Registry(
      { config: configOf(double.url), clock, random: systemRandom, environment: {} },
      { ...quick, attemptsMax: 1 },
    );
    const tries = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i += 1) await registry.fetch(a, never).catch((error: unknown) => error);
    };
    await tries(8);
    const before = double.count('a');
    skipped = 60_000;
    await tries(1);

    expect([before, double.count('a')]).toEqual([5, 6]);
  });

  test('whoever gives up is not kept waiting', async () => {
    double.reply('a', 'hang');
    using registry = open({ requestMs: 60_000 });
    const caller = new AbortController();
    const fetching = registry.fetch(a, caller.signal);
    caller.abort(new Error('enough'));

    await expect(fetching).rejects.toThrow('enough');
  });

  test('a proxy of npm’s configuration is used', async () => {
    double.reply('a', { body: '{}' });
    double.reply('ttp://packages.invalid/a', { body: '{"name":"by proxy"}' });
    using registry = open({}, { ...configOf(new URL('http://packages.invalid/')), proxy: double.url.href });

    expect(textOf(await registry.fetch(a, never))).toBe('{"name":"by proxy"}');
  });

  test('no more are asked in a second than agreed', async () => {
    double.reply('a', { body: '{}' });
    using registry = open({ perSecond: 50, burst: 2 });
    const started = systemClock.monotonicMs();
    await Promise.all(Array.from({ length: 7 }, async () => registry.fetch(a, never)));

    expect(systemClock.monotonicMs() - started).toBeGreaterThanOrEqual(95); // five of them wait 20 ms each
  });
});

describe('npm', () => {
  test('what the project’s own file says is what npm would do', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'audit-npm-'));
    try {
      const line = (key: string, port: number): string => `${key}=http://127.0.0.1:${port}/\n`;
      await writeFile(join(folder, 'package.json'), '{}');
      await writeFile(join(folder, '.npmrc'), line('registry', 4873) + line('@s:registry', 4874));
      const config = await readNpmConfig(folder, never);

      expect(config.registry.port).toBe('4873');
      expect(config.scopes.get('@s')?.port).toBe('4874');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
