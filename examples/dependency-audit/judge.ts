/**
 * What is to be said about a locked package, given what the registry says. Pure: the moment is a parameter, so the same
 * lock, documents and moment give the same findings for ever.
 */
import { formatInstant } from './instant.ts';
import { compareIntegrity, isWeak } from './integrity.ts';
import { isAllowed, PERMISSIVE } from './licence.ts';
import type { LockedPackage } from './lock-file.ts';
import type { PackageFacts, VersionFacts } from './package-document.ts';
import { behind, parseVersion } from './version.ts';

export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** How bad each finding is, and why. The whole judgement is in this table and in the conditions below. */
export const RULES = {
  'integrity.mismatch': ['critical', 'the registry offers other bytes under this version than the lock was made from'],
  'package.absent': ['high', 'a name that the registry does not know can be registered by anybody'],
  'package.unpublished': ['high', 'the package was taken back: a fresh install fails, and the name may pass to others'],
  'version.absent': ['high', 'the version was taken back or never published: a fresh install fails'],
  'script.undeclared': ['high', 'a script runs at install that the lock does not know of'],
  'version.deprecated': ['medium', 'who published it says that it should not be used'],
  'script.install': ['medium', 'its code runs on the machine of whoever installs it'],
  'integrity.missing': ['medium', 'without integrity in the lock nobody notices other bytes'],
  'resolved.plaintext': ['medium', 'the lock fetches it over a connection that anybody on the way can change'],
  'publish.fresh': ['medium', 'most malicious versions are found and taken back within days'],
  'licence.missing': ['medium', 'without a licence nobody has the right to use it'],
  'licence.differs': ['medium', 'lock and registry name different licences for the same version'],
  'behind.majors': ['medium', 'two or more major versions behind are rarely mended any more'],
  'behind.major': ['low', 'the next major version is out'],
  'integrity.weak': ['low', 'collisions of SHA-1 can be made'],
  'integrity.incomparable': ['low', 'lock and registry have no digest algorithm in common'],
  'licence.unlisted': ['low', 'its licence is not among those that were agreed to'],
  'licence.changed': ['low', 'the newest version has another licence: look before you update'],
  'maintainer.single': ['low', 'one account decides what the next version contains'],
  'publish.stale': ['low', 'nothing was published for a long time'],
  'behind.minor': ['info', 'newer minor versions are out'],
} as const satisfies Readonly<Record<string, readonly [Severity, string]>>;

export type Rule = keyof typeof RULES;

export type Finding = { readonly rule: Rule; readonly severity: Severity; readonly message: string };

/** What the operator decides. */
export type Criteria = {
  readonly freshDays: number;
  readonly staleDays: number;
  readonly licences: readonly string[];
};

export const CRITERIA: Criteria = { freshDays: 7, staleDays: 730, licences: PERMISSIVE };

const DAY_MS = 86_400_000;

/** The findings about one locked package, worst first. `facts` is `'absent'` where the registry knows no such name. */
export function judge(
  locked: LockedPackage,
  facts: PackageFacts | 'absent',
  at: number,
  criteria: Criteria = CRITERIA,
): readonly Finding[] {
  return [...findingsOf(locked, facts, at, criteria)].sort(
    (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || (a.rule < b.rule ? -1 : 1),
  );
}

function* findingsOf(
  locked: LockedPackage,
  facts: PackageFacts | 'absent',
  at: number,
  criteria: Criteria,
): Generator<Finding> {
  if (locked.resolved?.startsWith('http:') === true) yield finding('resolved.plaintext', 'the lock says http:');
  if (!locked.isBundled && locked.integrity === null) yield finding('integrity.missing', 'the lock has none');
  if (facts === 'absent') return yield finding('package.absent', 'the registry knows no package of this name');
  if (facts.isUnpublished) return yield finding('package.unpublished', 'every version was taken back');
  const published = facts.versions.find(({ version }) => version === locked.version);
  if (published === undefined) {
    yield finding('version.absent', `the registry has ${facts.versionsTotal} versions, and not this one`);
  } else {
    yield* onVersion(locked, published, at, criteria);
    if (facts.latest !== null) yield* onLatest(published, facts.latest);
  }
  if (facts.maintainers === 1) yield finding('maintainer.single', 'it has one maintainer');
  if (facts.lastPublishAt !== null && at - facts.lastPublishAt >= criteria.staleDays * DAY_MS) {
    yield finding('publish.stale', `the last version is of ${formatInstant(facts.lastPublishAt).slice(0, 10)}`);
  }
}

function* onVersion(
  locked: LockedPackage,
  published: VersionFacts,
  at: number,
  criteria: Criteria,
): Generator<Finding> {
  if (locked.integrity !== null) yield* onIntegrity(locked.integrity, published.integrity);
  if (published.deprecated !== null) yield finding('version.deprecated', published.deprecated);
  if (published.installScripts.length > 0) {
    const rule = locked.hasInstallScript ? 'script.install' : 'script.undeclared';
    yield finding(rule, `runs ${published.installScripts.join(', ')}`);
  } else if (locked.hasInstallScript) {
    yield finding('script.install', 'the lock says so; the registry names no script');
  }
  if (published.publishedAt !== null && at - published.publishedAt < criteria.freshDays * DAY_MS) {
    yield finding('publish.fresh', `published ${formatInstant(published.publishedAt)}`);
  }
  yield* onLicence(locked.licence, published.licence, criteria);
}

function* onIntegrity(ours: string, theirs: string | null): Generator<Finding> {
  if (isWeak(ours)) yield finding('integrity.weak', 'the lock has SHA-1 only');
  if (theirs === null) return yield finding('integrity.incomparable', 'the registry names no digest');
  const compared = compareIntegrity(ours, theirs);
  if (compared.type === 'different') yield finding('integrity.mismatch', `the ${compared.by} digests differ`);
  if (compared.type === 'incomparable') yield finding('integrity.incomparable', 'no algorithm in common');
}

function* onLicence(inLock: string | null, published: string | null, criteria: Criteria): Generator<Finding> {
  const licence = published ?? inLock;
  if (licence === null) return yield finding('licence.missing', 'neither the lock nor the registry names one');
  if (inLock !== null && published !== null && !isSameLicence(inLock, published)) {
    yield finding('licence.differs', `${inLock} in the lock, ${published} in the registry`);
  }
  const allowed = isAllowed(licence, new Set(criteria.licences));
  if (allowed !== true)
    yield finding('licence.unlisted', allowed === false ? licence : `${licence} is no SPDX expression`);
}

function* onLatest(published: VersionFacts, latest: VersionFacts): Generator<Finding> {
  const [here, there] = [parseVersion(published.version), parseVersion(latest.version)];
  if (here === undefined || there === undefined) return;
  const { majors, minors } = behind(here, there);
  const days =
    published.publishedAt === null || latest.publishedAt === null
      ? ''
      : `, ${Math.max(0, Math.floor((latest.publishedAt - published.publishedAt) / DAY_MS))} days younger`;
  const newer = `the latest is ${latest.version}${days}`;
  if (majors >= 2) yield finding('behind.majors', `${majors} majors: ${newer}`);
  else if (majors === 1) yield finding('behind.major', newer);
  else if (minors > 0) yield finding('behind.minor', `${minors} minors: ${newer}`);
  if (published.licence !== null && latest.licence !== null && !isSameLicence(published.licence, latest.licence)) {
    yield finding('licence.changed', `${published.licence} here, ${latest.licence} in ${latest.version}`);
  }
}

/** `(MIT OR ISC)` and `MIT OR ISC` are one licence. */
function isSameLicence(one: string, other: string): boolean {
  const bare = (licence: string): string =>
    licence
      .replace(/^\((.*)\)$/, '$1')
      .replaceAll(/\s+/g, ' ')
      .toLowerCase();
  return bare(one) === bare(other);
}

function finding(rule: Rule, message: string): Finding {
  const [severity] = RULES[rule];
  return { rule, severity, message };
}
