import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatInstant, parseInstant } from './instant.ts';
import { compareIntegrity, integrityOfShasum } from './integrity.ts';
import { isAllowed } from './licence.ts';
import { parseNpmConfig, registryOf } from './npm-config.ts';
import { isPackageName, type PackageName, scopeOf } from './package-name.ts';
import { behind, parseVersion } from './version.ts';

describe('names', () => {
  test.each(['a', 'left-pad', '@s/a', 'JSONStream', 'constructor', '@types/node', 'a.b', "it's", '-'])(
    '%s is a name',
    (text) => {
      expect(isPackageName(text)).toBe(true);
    },
  );

  test.each([
    '',
    '.',
    '..',
    '../a',
    'a/../b',
    '@s/..',
    '@s/',
    '@/a',
    '__proto__',
    '_a',
    '.bin',
    'a/b',
    '@s/a/b',
    'a b',
    'a%2fb',
    'a?b',
    'a#b',
    'ä',
    'a\n',
    `a${'b'.repeat(214)}`,
  ])('%j is no name', (text) => {
    expect(isPackageName(text)).toBe(false);
  });

  test('a name stays one segment below the registry, whatever it is made of', () => {
    const base = new URL('https://example.org/npm/');
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^@?[a-z./%_-]{1,12}$/)), (text) => {
        fc.pre(isPackageName(text));
        const url = new URL(text.replace('/', '%2f'), base);
        expect(url.href.startsWith(base.href)).toBe(true);
        expect(url.pathname.split('/')).toHaveLength(3);
        expect(url.search + url.hash).toBe('');
      }),
    );
  });
});

describe('versions', () => {
  test.each([['1.2.3'], ['0.0.0'], ['1.0.0-rc.1'], ['1.0.0+build'], ['10.20.30-a.b+c']])('%s is a version', (text) => {
    expect(parseVersion(text)).toBeDefined();
  });

  test.each([['1.2'], ['v1.2.3'], ['1.2.3.4'], ['01.2.3'], ['latest'], [''], ['1.2.3 '], ['9'.repeat(300)]])(
    '%j is none',
    (text) => {
      expect(parseVersion(text)).toBeUndefined();
    },
  );

  test('a version that is parsed says what was written', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (major, minor, patch) => {
        expect(parseVersion(`${major}.${minor}.${patch}`)).toEqual({ major, minor, patch, prerelease: '' });
      }),
    );
  });

  test('nothing is behind itself, and of two versions at most one is behind', () => {
    const version = fc.record({ major: fc.nat(5), minor: fc.nat(5), patch: fc.nat(5), prerelease: fc.constant('') });
    const steps = (a: Parameters<typeof behind>[0], b: typeof a) =>
      Object.values(behind(a, b)).reduce((x, y) => x + y, 0);
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(steps(a, a)).toBe(0);
        expect(Math.min(steps(a, b), steps(b, a))).toBe(0);
      }),
    );
  });
});

describe('moments', () => {
  test.each<[unknown, number | undefined]>([
    ['1970-01-01T00:00:00Z', 0],
    ['1970-01-01T00:00:01.5Z', 1_500],
    ['1970-01-01T01:00:00.000+01:00', 0],
    ['2026-06-08T14:31:15.247000+00:00', 1_780_929_075_247],
    ['1970-01-01', undefined],
    ['yesterday', undefined],
    ['2026-13-01T00:00:00Z', undefined],
    [0, undefined],
    [null, undefined],
  ])('%j', (text, expected) => {
    expect(parseInstant(text)).toBe(expected);
  });

  test('what is written can be read', () => {
    fc.assert(
      fc.property(fc.nat(4_000_000_000), (seconds) => {
        expect(parseInstant(formatInstant(seconds * 1_000))).toBe(seconds * 1_000);
      }),
    );
  });
});

describe('integrity', () => {
  const [a, b] = [`sha512-${'A'.repeat(86)}==`, `sha512-${'B'.repeat(86)}==`];
  const weak = integrityOfShasum('da39a3ee5e6b4b0d3255bfef95601890afd80709') ?? '';

  test.each([
    [a, a, { type: 'same', by: 'sha512' }],
    [a, b, { type: 'different', by: 'sha512' }],
    [`${weak} ${a}`, `${weak} ${b}`, { type: 'different', by: 'sha512' }],
    [`${weak} ${a}`, weak, { type: 'same', by: 'sha1' }],
    [a, weak, { type: 'incomparable' }],
    [a, '', { type: 'incomparable' }],
    [a, 'sha512-short', { type: 'incomparable' }],
    [`${a}?opt`, a, { type: 'same', by: 'sha512' }],
  ])('%s against %s', (ours, theirs, expected) => {
    expect(compareIntegrity(ours, theirs)).toEqual(expected);
  });

  test('no side has a say over the other', () => {
    const integrity = fc.array(fc.constantFrom(a, b, weak, 'x')).map((parts) => parts.join(' '));
    fc.assert(
      fc.property(integrity, integrity, (one, other) => {
        expect(compareIntegrity(one, other)).toEqual(compareIntegrity(other, one));
      }),
    );
  });
});

describe('licences', () => {
  const list = new Set(['MIT', 'ISC', 'Apache-2.0']);

  test.each<[string, boolean | undefined]>([
    ['MIT', true],
    ['GPL-3.0', false],
    ['(MIT OR GPL-3.0)', true],
    ['MIT AND GPL-3.0', false],
    ['GPL-3.0 OR MIT AND ISC', true],
    ['(GPL-3.0 OR MIT) AND GPL-2.0', false],
    ['Apache-2.0 WITH LLVM-exception', true],
    ['MIT+', true],
    ['', undefined],
    ['(', undefined],
    ['MIT OR', undefined],
    ['MIT ISC', undefined],
    ['OR', undefined],
    ['MIT*', undefined],
    ['SEE LICENSE IN x', undefined],
    ['('.repeat(100), undefined],
  ])('%j', (expression, expected) => {
    expect(isAllowed(expression, list)).toBe(expected);
  });

  test('no text makes it throw', () => {
    const word = fc.constantFrom('(', ')', 'AND', 'OR', 'WITH', 'MIT', 'x', ' ', '/');
    fc.assert(
      fc.property(
        fc.array(word).map((words) => words.join(' ')),
        (text) => {
          expect([true, false, undefined]).toContain(isAllowed(text, list));
        },
      ),
    );
  });
});

describe('npm’s configuration', () => {
  const bytes = (config: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(config));
  const [base, scoped] = ['https://example.org/npm', 'http://127.0.0.1:4873/'];

  test('a scope may have a registry of its own', () => {
    const config = parseNpmConfig(bytes({ registry: base, '@s:registry': scoped, proxy: null, cafile: '/ca.pem' }));
    if (!config.ok) throw new Error(config.error.message);
    const hrefs = ['a', '@s/a', '@t/a'].map((name) => registryOf(config.value, name as PackageName).href);

    expect(hrefs).toEqual([`${base}/`, scoped, `${base}/`]);
    expect(config.value).toMatchObject({ proxy: undefined, cafile: '/ca.pem' });
    expect(scopeOf('@s/a' as PackageName)).toBe('@s');
  });

  test.each([
    [{}],
    [{ registry: 'ftp://example.org/' }],
    [{ registry: 'https://user:secret@example.org/' }],
    [{ registry: 'https://example.org/?a=b' }],
    [{ registry: base, '@s:registry': 'x' }],
    [[]],
    [null],
  ])('%j is refused', (config) => {
    expect(parseNpmConfig(bytes(config))).toMatchObject({ ok: false, error: { code: 'npm.config_unreadable' } });
  });
});
