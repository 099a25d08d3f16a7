import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PackageFacts, readDocument } from './package-document.ts';

const integrity = `sha512-${'A'.repeat(86)}==`;

function bytesOf(document: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}

const full = {
  name: 'a',
  'dist-tags': { latest: '2.0.0' },
  maintainers: [{ name: 'one' }, { name: 'two' }],
  time: {
    created: '2020-01-01T00:00:00.000Z',
    modified: '2030-01-01T00:00:00.000Z',
    '1.0.0': '2020-01-01T00:00:00.000Z',
    '2.0.0': '2021-06-01T12:00:00.123456+00:00',
    '3.0.0': '2029-01-01T00:00:00.000Z',
  },
  versions: {
    '1.0.0': {
      license: 'MIT',
      deprecated: 'use\u0000 2\n',
      dist: { shasum: 'da39a3ee5e6b4b0d3255bfef95601890afd80709' },
    },
    '2.0.0': { license: { type: 'ISC' }, scripts: { postinstall: 'x', test: 'y' }, dist: { integrity } },
  },
};

function read(document: unknown, versions: readonly string[] = ['1.0.0']) {
  const facts = readDocument(bytesOf(document), { name: 'a', versions });
  if (!facts.ok) throw new Error(facts.error.message);
  return facts.value;
}

describe('readDocument', () => {
  test('what the judge needs is taken out, and no more', () => {
    expect(read(full)).toEqual({
      name: 'a',
      digest: expect.stringMatching(/^[\w-]{43}$/),
      bytes: bytesOf(full).length,
      latest: {
        version: '2.0.0',
        integrity,
        deprecated: null,
        installScripts: ['postinstall'],
        licence: 'ISC',
        publishedAt: 1_622_548_800_123,
      },
      versions: [
        {
          version: '1.0.0',
          integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=',
          deprecated: 'use 2',
          installScripts: [],
          licence: 'MIT',
          publishedAt: 1_577_836_800_000,
        },
      ],
      versionsTotal: 2,
      lastPublishAt: 1_622_548_800_123, // 3.0.0 was taken back
      maintainers: 2,
      isUnpublished: false,
    });
  });

  test('what a registry does not tell is null', () => {
    expect(read({ name: 'a', versions: { '1.0.0': {} } })).toMatchObject({
      latest: null,
      maintainers: null,
      lastPublishAt: null,
      versions: [{ integrity: null, deprecated: null, installScripts: [], licence: null, publishedAt: null }],
    });
  });

  test.each<[string, object, object]>([
    ['a version that is not there', {}, { versions: [] }],
    ['a deprecation taken back', { '1.0.0': { deprecated: '' } }, { versions: [{ deprecated: null }] }],
    [
      'a deprecation without words',
      { '1.0.0': { deprecated: true } },
      { versions: [{ deprecated: 'no reason given' }] },
    ],
    [
      'a bare flag for scripts',
      { '1.0.0': { hasInstallScript: true } },
      { versions: [{ installScripts: ['install'] }] },
    ],
    ['scripts that are no object', { '1.0.0': { scripts: 'x', dist: [] } }, { versions: [{ installScripts: [] }] }],
    ['maintainers per version', { '1.0.0': { maintainers: [{}] } }, { maintainers: 1 }],
  ])('%s is read', (_what, versions, expected) => {
    expect(read({ name: 'a', 'dist-tags': { latest: '1.0.0' }, versions })).toMatchObject(expected);
  });

  test('a package taken back as a whole is told from a document without versions', () => {
    const document = { name: 'a', time: { unpublished: { time: '2020-01-01T00:00:00.000Z' } } };

    expect(read(document)).toMatchObject({ isUnpublished: true, versions: [], versionsTotal: 0 });
  });

  test.each([['constructor'], ['__proto__'], ['toString'], ['hasOwnProperty']])(
    'the inherited member %s is no version',
    (version) => {
      expect(read({ name: 'a', 'dist-tags': { latest: version }, versions: {} }, [version])).toMatchObject({
        latest: null,
        versions: [],
      });
    },
  );

  test('a package named constructor has a document like others', () => {
    const asked = { name: 'constructor', versions: ['1.0.0'] };
    const facts = readDocument(bytesOf({ name: 'constructor', versions: { '1.0.0': {} } }), asked);

    expect(facts).toMatchObject({ ok: true, value: { name: 'constructor', versions: [{ version: '1.0.0' }] } });
  });

  test.each<[string, string]>([
    ['text cut short', '{"name":"a","versions":{"1.0.0"'],
    ['another name', '{"name":"b","versions":{}}'],
    ['no name', '{"versions":{}}'],
    ['no versions', '{"name":"a"}'],
    ['versions as a list', '{"name":"a","versions":[]}'],
    ['a list', '[]'],
    ['an error page', '<html>'],
  ])('%s is refused', (_what, body) => {
    const facts = readDocument(new TextEncoder().encode(body), { name: 'a', versions: [] });

    expect(facts).toMatchObject({ ok: false, error: { code: 'registry.malformed' } });
  });

  test('a document of 10 MiB becomes facts of less than 4 KiB', () => {
    const readme = 'x'.repeat(10 * 1024 * 1024);
    const facts = read({ ...full, readme, versions: { '1.0.0': { deprecated: readme, license: readme } } });

    expect(JSON.stringify(facts).length).toBeLessThan(4_096);
  });

  test('whatever the document says, the facts fit their schema', () => {
    const manifest = fc.record(
      {
        license: fc.jsonValue(),
        deprecated: fc.jsonValue(),
        scripts: fc.jsonValue(),
        dist: fc.oneof(fc.jsonValue(), fc.record({ integrity: fc.jsonValue(), shasum: fc.jsonValue() })),
      },
      { requiredKeys: [] },
    );
    const document = fc.record(
      {
        'dist-tags': fc.oneof(fc.jsonValue(), fc.constant({ latest: '1.0.0' })),
        time: fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom('1.0.0', 'created', 'x'), fc.jsonValue())),
        maintainers: fc.jsonValue(),
        versions: fc.dictionary(fc.constantFrom('1.0.0', '2.0.0', 'x'), fc.oneof(manifest, fc.jsonValue())),
      },
      { requiredKeys: ['versions'] },
    );
    fc.assert(
      fc.property(document, (rest) => {
        const facts = read({ ...rest, name: 'a' }, ['1.0.0', 'x']);
        expect(PackageFacts.parse(facts)).toEqual(facts);
      }),
    );
  });
});
