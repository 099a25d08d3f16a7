import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CRITERIA, judge, RULES, type Rule, SEVERITIES } from './judge.ts';
import { locked } from './locked.fixture.ts';
import type { PackageFacts, VersionFacts } from './package-document.ts';

const one = `sha512-${'A'.repeat(86)}==`;
const other = `sha512-${'B'.repeat(86)}==`;
const weak = `sha1-${'A'.repeat(27)}=`;
const day = 86_400_000;
const at = 1_800_000_000_000;

const version: VersionFacts = {
  version: '1.2.3',
  integrity: one,
  deprecated: null,
  installScripts: [],
  licence: 'MIT',
  publishedAt: at - 100 * day,
};
const facts: PackageFacts = {
  name: 'a',
  digest: 'd',
  bytes: 1,
  latest: version,
  versions: [version],
  versionsTotal: 3,
  lastPublishAt: at - 100 * day,
  maintainers: 3,
  isUnpublished: false,
};
const entry = locked({ name: 'a', version: '1.2.3' });

type Case = {
  readonly locked?: Partial<ReturnType<typeof locked>>;
  readonly published?: Partial<VersionFacts>;
  readonly latest?: Partial<VersionFacts>;
  readonly facts?: Partial<PackageFacts>;
};

function rulesOf(given: Case): readonly Rule[] {
  const published = { ...version, ...given.published };
  const latest = { ...published, ...given.latest };
  return judge({ ...entry, ...given.locked }, { ...facts, latest, versions: [published], ...given.facts }, at).map(
    ({ rule }) => rule,
  );
}

describe('judge', () => {
  test.each<[string, Case, readonly Rule[]]>([
    ['nothing to say', {}, []],
    ['other bytes', { published: { integrity: other } }, ['integrity.mismatch']],
    ['other bytes in one of two digests', { locked: { integrity: `${weak} ${other}` } }, ['integrity.mismatch']],
    ['one of several digests agrees', { published: { integrity: `${other} ${one}` } }, []],
    ['SHA-1 on both sides', { locked: { integrity: weak }, published: { integrity: weak } }, ['integrity.weak']],
    ['SHA-1 in the lock only', { locked: { integrity: weak } }, ['integrity.incomparable', 'integrity.weak']],
    ['no digest in the registry', { published: { integrity: null } }, ['integrity.incomparable']],
    ['a digest of nonsense', { published: { integrity: 'md5-x constructor-y' } }, ['integrity.incomparable']],
    ['no digest in the lock', { locked: { integrity: null } }, ['integrity.missing']],
    ['no digest of what is bundled', { locked: { integrity: null, isBundled: true } }, []],
    ['fetched in the clear', { locked: { resolved: 'http://example.org/download/a' } }, ['resolved.plaintext']],
    ['deprecated', { published: { deprecated: 'use b' } }, ['version.deprecated']],
    [
      'a script that the lock knows',
      { locked: { hasInstallScript: true }, published: { installScripts: ['install'] } },
      ['script.install'],
    ],
    ['a script that the lock does not know', { published: { installScripts: ['postinstall'] } }, ['script.undeclared']],
    ['a script that only the lock knows', { locked: { hasInstallScript: true } }, ['script.install']],
    ['two majors behind', { latest: { version: '3.0.0' } }, ['behind.majors']],
    ['one major behind', { latest: { version: '2.9.9' } }, ['behind.major']],
    ['minors behind', { latest: { version: '1.4.0' } }, ['behind.minor']],
    ['a patch behind', { latest: { version: '1.2.9' } }, []],
    ['ahead of the latest', { latest: { version: '0.9.0' } }, []],
    ['a latest that is no version', { latest: { version: 'x' } }, []],
    ['no latest', { facts: { latest: null } }, []],
    ['published six days ago', { published: { publishedAt: at - 7 * day + 1 } }, ['publish.fresh']],
    ['published seven days ago', { published: { publishedAt: at - 7 * day } }, []],
    ['published in the future', { published: { publishedAt: at + day } }, ['publish.fresh']],
    ['silent for two years', { facts: { lastPublishAt: at - 730 * day } }, ['publish.stale']],
    ['silent for nearly two years', { facts: { lastPublishAt: at - 730 * day + 1 } }, []],
    ['one maintainer', { facts: { maintainers: 1 } }, ['maintainer.single']],
    ['maintainers not told', { facts: { maintainers: null } }, []],
    ['no licence', { locked: { licence: null }, published: { licence: null } }, ['licence.missing']],
    ['a licence that only the lock has', { published: { licence: null } }, []],
    ['two licences for one version', { published: { licence: 'ISC' } }, ['licence.differs']],
    [
      'the same expression in brackets',
      { locked: { licence: '(MIT OR ISC)' }, published: { licence: 'MIT  or ISC' } },
      [],
    ],
    ['a licence off the list', { locked: { licence: null }, published: { licence: 'AGPL-3.0' } }, ['licence.unlisted']],
    ['one side of an OR on the list', { locked: { licence: null }, published: { licence: '(GPL-2.0 OR MIT)' } }, []],
    [
      'one side of an AND off the list',
      { locked: { licence: null }, published: { licence: 'MIT AND GPL-2.0' } },
      ['licence.unlisted'],
    ],
    [
      'no expression',
      { locked: { licence: null }, published: { licence: 'SEE LICENSE IN LICENSE' } },
      ['licence.unlisted'],
    ],
    ['another licence later', { latest: { version: '1.2.4', licence: 'ISC' } }, ['licence.changed']],
    ['a version taken back', { facts: { versions: [] } }, ['version.absent']],
    ['a package taken back', { facts: { versions: [], isUnpublished: true } }, ['package.unpublished']],
    [
      'several at once, worst first',
      { published: { integrity: other, deprecated: 'x', publishedAt: at }, facts: { maintainers: 1 } },
      ['integrity.mismatch', 'publish.fresh', 'version.deprecated', 'maintainer.single'],
    ],
  ])('%s', (_what, given, expected) => {
    expect(rulesOf(given)).toEqual(expected);
  });

  test('a name that the registry does not know', () => {
    expect(judge(entry, 'absent', at).map(({ rule }) => rule)).toEqual(['package.absent']);
  });

  test('what counts as fresh, stale and agreed to is the operator’s choice', () => {
    const criteria = { freshDays: 0, staleDays: 1, licences: ['ISC'] };

    expect(judge(entry, facts, at, criteria).map(({ rule }) => rule)).toEqual(['licence.unlisted', 'publish.stale']);
  });

  test('every rule has a severity and a reason, and the table is sorted by severity', () => {
    const rows = Object.values(RULES);
    const ranks = rows.map(([severity]) => SEVERITIES.indexOf(severity));

    expect(rows.every(([, reason]) => reason.length > 10)).toBe(true);
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
  });

  test('the same input gives the same findings, worst first, whatever the texts are', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('MIT', '((', 'constructor', 'MIT WITH', '1.0.0', one));
    const published = fc.record({
      version: fc.constant('1.2.3'),
      integrity: fc.option(text),
      deprecated: fc.option(text),
      installScripts: fc.array(text, { maxLength: 3 }),
      licence: fc.option(text),
      publishedAt: fc.option(fc.integer()),
    });
    fc.assert(
      fc.property(published, text, fc.integer(), (found, latest, now) => {
        const given = { ...facts, versions: [found], latest: { ...found, version: latest } };
        const findings = judge({ ...entry, licence: latest }, given, now, CRITERIA);
        const ranks = findings.map(({ severity }) => SEVERITIES.indexOf(severity));
        expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
        expect(judge({ ...entry, licence: latest }, given, now, CRITERIA)).toEqual(findings);
      }),
    );
  });
});
