import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LOCK_BYTES_MAX, type LockedPackage, parseLock } from './lock-file.ts';

const integrity = `sha512-${'A'.repeat(86)}==`;

function lockOf(packages: unknown, lockfileVersion: unknown = 3): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ name: 'x', lockfileVersion, packages }));
}

function read(packages: unknown) {
  const lock = parseLock(lockOf(packages));
  if (!lock.ok) throw new Error(lock.error.message);
  return lock.value;
}

describe('parseLock', () => {
  test('an entry becomes a package with everything that the lock says', () => {
    const entry = {
      version: '1.2.3',
      integrity,
      resolved: ['https://example.org/a', '-', 'a-1.2.3.tgz'].join('/'),
      dev: true,
      optional: true,
      hasInstallScript: true,
      license: 'MIT',
    };

    expect(read({ '': { name: 'x' }, 'node_modules/a': entry }).packages).toEqual([
      {
        name: 'a',
        version: '1.2.3',
        path: 'node_modules/a',
        alias: null,
        integrity,
        resolved: expect.stringContaining('example.org'),
        licence: 'MIT',
        isDev: true,
        isOptional: true,
        isBundled: false,
        hasInstallScript: true,
      },
    ]);
  });

  test.each<[string, string, object, Partial<LockedPackage>]>([
    ['a scope', 'node_modules/@s/a', { version: '1.0.0' }, { name: '@s/a', alias: null }],
    ['a nested one', 'node_modules/b/node_modules/@s/a', { version: '1.0.0' }, { name: '@s/a' }],
    ['one in a workspace', 'packages/w/node_modules/a', { version: '1.0.0' }, { name: 'a' }],
    ['an alias', 'node_modules/n', { name: '@s/t', version: '1.0.0' }, { name: '@s/t', alias: 'n' }],
    ['a bundled one', 'node_modules/b/node_modules/a', { version: '1.0.0', inBundle: true }, { isBundled: true }],
    ['one without resolved', 'node_modules/a', { version: '1.0.0' }, { resolved: null, integrity: null }],
    ['an old licence', 'node_modules/a', { version: '1.0.0', license: { type: 'ISC' } }, { licence: 'ISC' }],
    ['several licences', 'node_modules/a', { version: '1.0.0', license: ['MIT', 'ISC'] }, { licence: '(MIT OR ISC)' }],
    ['the name constructor', 'node_modules/constructor', { version: '1.0.0' }, { name: 'constructor' }],
    ['devOptional', 'node_modules/a', { version: '1.0.0', devOptional: true }, { isDev: true, isOptional: true }],
  ])('%s is read', (_what, path, entry, expected) => {
    const { packages, skipped } = read({ [path]: entry });

    expect(packages).toEqual([expect.objectContaining({ path, ...expected })]);
    expect(skipped).toEqual([]);
  });

  test.each<[string, string, unknown]>([
    ['root', '', { name: 'x', version: '1.0.0' }],
    ['workspace', 'packages/w', { version: '1.0.0' }],
    ['link', 'node_modules/w', { link: true, resolved: 'packages/w' }],
    ['git', 'node_modules/a', { version: '1.0.0', resolved: 'git+ssh://git@example.org/a.git#abc' }],
    ['file', 'node_modules/a', { version: '1.0.0', resolved: 'file:../a.tgz' }],
    ['address', 'node_modules/a', { version: '1.0.0', resolved: 'https://example.org/a.tgz' }],
    ['bad_name', 'node_modules/..', { version: '1.0.0' }],
    ['bad_name', 'node_modules/__proto__', { version: '1.0.0' }],
    ['bad_name', 'node_modules/a', { name: '../../etc/passwd', version: '1.0.0' }],
    ['bad_name', 'node_modules/a', { name: 'a?write=true', version: '1.0.0' }],
    ['bad_name', 'node_modules/a', { name: '@s/a/b', version: '1.0.0' }],
    ['bad_version', 'node_modules/a', {}],
    ['bad_version', 'node_modules/a', { version: 'constructor' }],
    ['bad_version', 'node_modules/a', { version: 1 }],
    ['malformed', 'node_modules/a', null],
    ['malformed', 'node_modules/a', ['1.0.0']],
  ])('%s: an entry at %j is skipped and named', (reason, path, entry) => {
    const { packages, skipped } = read({ [path]: entry });

    expect(packages).toEqual([]);
    expect(skipped).toEqual([{ path, reason, message: expect.any(String) }]);
  });

  test('a key __proto__ among the entries is an entry like others', () => {
    const bytes = new TextEncoder().encode('{"lockfileVersion":3,"packages":{"__proto__":{"version":"1.0.0"}}}');

    expect(parseLock(bytes)).toMatchObject({ ok: true, value: { packages: [], skipped: [{ path: '__proto__' }] } });
  });

  test.each<[string, Uint8Array | string, string]>([
    ['version 1', '{"lockfileVersion":1,"dependencies":{}}', 'lock.unsupported_version'],
    ['a version of the future', '{"lockfileVersion":4,"packages":{}}', 'lock.malformed'],
    ['no version', '{"packages":{}}', 'lock.malformed'],
    ['a version as text', '{"lockfileVersion":"3","packages":{}}', 'lock.malformed'],
    ['no packages', '{"lockfileVersion":3}', 'lock.malformed'],
    ['packages as a list', '{"lockfileVersion":3,"packages":[]}', 'lock.malformed'],
    ['a list', '[]', 'lock.malformed'],
    ['null', 'null', 'lock.malformed'],
    ['nothing', '', 'lock.malformed'],
    ['text cut short', '{"lockfileVersion":3,"pack', 'lock.malformed'],
    ['bytes that are no UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), 'lock.malformed'],
    ['more than the limit', new Uint8Array(LOCK_BYTES_MAX + 1), 'lock.too_large'],
  ])('%s is refused', (_what, input, code) => {
    const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input;

    expect(parseLock(bytes)).toMatchObject({
      ok: false,
      error: { code, message: expect.stringContaining('expected') },
    });
  });

  test.each([
    ['{"ä": 1 x}', 9],
    ['{"ä": ', 7],
  ])('the refusal of %j says where, in bytes', (text, offset) => {
    expect(parseLock(new TextEncoder().encode(text))).toMatchObject({ ok: false, error: { offset } });
  });

  test('the order does not depend on the order of the file', () => {
    const names = ['b', 'a', '@z/a', 'B', 'a/node_modules/b'];

    fc.assert(
      fc.property(fc.shuffledSubarray(names, { minLength: names.length }), (order) => {
        const entries = order.map((name) => [`node_modules/${name}`, { version: '1.0.0' }]);
        const { packages } = read(Object.fromEntries(entries));
        expect(packages.map(({ path }) => path)).toEqual(
          ['@z/a', 'B', 'a', 'a/node_modules/b', 'b'].map((name) => `node_modules/${name}`),
        );
      }),
    );
  });

  test('L1: whatever the entries are, each is in one of the two lists', () => {
    const path = fc.oneof(
      fc.string(),
      fc.constantFrom('', 'node_modules/a', 'node_modules/@s/b', 'w', '__proto__', 'toString'),
    );
    const entry = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          version: fc.oneof(fc.constantFrom('1.0.0', '2.0.0-rc.1', 'x'), fc.jsonValue()),
          name: fc.oneof(fc.constant('a'), fc.string(), fc.jsonValue()),
          integrity: fc.jsonValue(),
          resolved: fc.oneof(fc.webUrl(), fc.jsonValue()),
          license: fc.jsonValue(),
          link: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(fc.dictionary(path, entry, { noNullPrototype: true }), (entries) => {
        const bytes = lockOf(entries);
        const lock = parseLock(bytes);
        const count = Object.keys(JSON.parse(new TextDecoder().decode(bytes)).packages).length;
        expect(lock.ok && lock.value.packages.length + lock.value.skipped.length).toBe(count);
      }),
    );
  });

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.string().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          expect(parseLock(bytes).ok).toBe(false);
        },
      ),
    );
  });
});
