/** What a run says at its end, for people and as data. */
import { join } from 'node:path';
import type { CrossReport } from 'ringmesh';
import type { LogReport } from 'ringmesh/runtime';
import { SEVERITIES, type Severity } from './judge.ts';
import type { AuditOptions } from './options.ts';
import {
  doneOf,
  findingsOf,
  type Ledger,
  packagesOf,
  type Refused,
  type RingMove,
  type TrustFall,
  type Verdicts,
} from './progress.ts';

export type Summary = {
  readonly audit: string;
  readonly isNew: boolean;
  readonly isComplete: boolean;
  /** Names are asked about; packages are names in a version. */
  readonly names: { readonly total: number; readonly judged: number; readonly failed: number };
  readonly packages: number;
  readonly skipped: number;
  readonly findings: Readonly<Record<Severity, number>>;
  readonly actions: Verdicts;
  /** Actions by the rule that decided. */
  readonly rules: Readonly<Record<string, number>>;
  readonly refused: readonly Refused[];
  /** Changes of ring, in their order. */
  readonly rings: readonly RingMove[];
  /** Falls of trust from one tier to another. */
  readonly trust: readonly TrustFall[];
  readonly failures: readonly { readonly name: string; readonly code: string }[];
  /** Empty where no report could be written, with the reason. */
  readonly reports: readonly string[];
  readonly unwritten: { readonly code: string; readonly message: string } | null;
  readonly log: {
    readonly directory: string;
    readonly origin: string;
    readonly size: number;
    readonly root: string | null;
  };
  /** The logs of other nodes. */
  readonly others: readonly { readonly origin: string; readonly size: number; readonly root: string | null }[];
  /** Whether the logs of several nodes agree; `null` for one, and where not every log is sound. */
  readonly agreement: Pick<CrossReport, 'logs' | 'agreed' | 'inFlight' | 'faultCount'> | null;
  readonly isVerified: boolean;
  readonly problems: readonly string[];
};

export function summaryOf(
  { ledger, isNew, agreement }: { readonly ledger: Ledger; readonly isNew: boolean; readonly agreement?: CrossReport },
  [verified, ...others]: readonly [LogReport, ...LogReport[]],
  options: Pick<AuditOptions, 'out' | 'log'>,
): Summary {
  const { progress } = ledger;
  if (progress?.end === undefined) throw new Error('expected an audit that has ended');
  const { written, isComplete } = progress.end;
  const isGood = ({ problemCount, anchor }: LogReport): boolean => problemCount === 0 && anchor === 'agrees';
  return {
    audit: progress.audit,
    isNew,
    isComplete,
    names: { total: progress.total, ...doneOf(progress) },
    packages: packagesOf(progress),
    skipped: progress.skipped,
    findings: findingsOf(progress),
    actions: ledger.governed.verdicts,
    rules: ledger.governed.rules,
    refused: ledger.governed.refused,
    rings: ledger.governed.moves,
    trust: ledger.governed.falls,
    failures: [...progress.results.values()].flatMap((one) =>
      one.type === 'failed' ? [{ name: one.name, code: one.failure.code }] : [],
    ),
    reports: written.type === 'written' ? written.files.map((file) => join(options.out, file)) : [],
    unwritten: written.type === 'unwritten' ? written.failure : null,
    log: { directory: options.log, origin: verified.origin, size: verified.size, root: verified.root ?? null },
    others: others.map(({ origin, size, root }) => ({ origin, size, root: root ?? null })),
    agreement: agreement === undefined ? null : countsOf(agreement),
    isVerified: [verified, ...others].every(isGood) && (agreement?.faultCount ?? 0) === 0,
    problems: [...[verified, ...others].flatMap(({ problems }) => problems), ...(agreement?.faults ?? [])].map(
      ({ code, message }) => `${code}: ${message}`,
    ),
  };
}

function countsOf({ logs, agreed, inFlight, faultCount }: CrossReport): Summary['agreement'] {
  return { logs, agreed, inFlight, faultCount };
}

export function exitCodeOf(summary: Summary, failOn: Severity | undefined): 0 | 1 | 3 | 4 | 5 {
  if (!summary.isVerified) return 5;
  if (summary.unwritten !== null) return 1;
  if (!summary.isComplete) return 3;
  const severe = failOn === undefined ? [] : SEVERITIES.slice(0, SEVERITIES.indexOf(failOn) + 1);
  return severe.some((severity) => summary.findings[severity] > 0) ? 4 : 0;
}

const FAILURES_SHOWN = 10;

export function formatSummary(summary: Summary, isJson: boolean): string {
  if (isJson) return `${JSON.stringify(summary)}\n`;
  const { names, findings, actions, log, failures } = summary;
  const rows: readonly (readonly [string, string])[] = [
    ['audit', `${summary.audit}, ${summary.isNew ? 'new' : 'gone on with'}${summary.isComplete ? '' : ', incomplete'}`],
    [
      'packages',
      `${summary.packages} audited under ${names.judged} of ${names.total} names, ${entries(summary.skipped)} skipped`,
    ],
    ['findings', SEVERITIES.map((severity) => `${findings[severity]} ${severity}`).join(', ')],
    ['actions', `${actions.allow} allowed, ${actions.deny} denied, ${actions.escalate} escalated`],
    ...Object.entries(summary.rules)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([rule, count]) => ['by rule', `${rule}: ${count}`] as const),
    ...summary.refused.map(({ agent, code, count }) => ['refused', `${agent}: ${code}, ${times(count)}`] as const),
    ...summary.rings
      .filter(({ from, to }) => to > from)
      .map(({ agent, from, to }) => ['demoted', `${agent}: from ring ${from} to ring ${to}`] as const),
    ...summary.trust.map(({ agent, from, to, tier }) => ['trust', `${agent}: from ${from} to ${to}, ${tier}`] as const),
    [
      'promoted',
      `${agents(summary.rings.filter(({ from, to }) => to < from).length)} to the ring they are endorsed for`,
    ],
    ...failures.slice(0, FAILURES_SHOWN).map(({ name, code }) => ['missing', `${name}: ${code}`] as const),
    ...(failures.length > FAILURES_SHOWN ? [['missing', `and ${failures.length - FAILURES_SHOWN} more`] as const] : []),
    ...summary.reports.map((path) => ['report', path] as const),
    ...(summary.unwritten === null
      ? []
      : [['no report', `${summary.unwritten.code}: ${summary.unwritten.message}`] as const]),
    ['log', `${log.directory}, ${log.size} events of ${log.origin}`],
    ['root', log.root ?? 'none'],
    ...summary.others.map(({ origin, size }) => ['log', `${size} events of ${origin}`] as const),
    ['verified', summary.isVerified ? 'yes: every record, tile and checkpoint, and the anchor' : 'NO'],
    ...(summary.agreement === null ? [] : [['agreed', agreementText(summary.agreement)] as const]),
    ...summary.problems.map((problem) => ['problem', problem] as const),
    ...(summary.isComplete ? [] : [['next', 'run it again: only what is missing is fetched'] as const]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join('');
}

function agreementText({ logs, faultCount }: NonNullable<Summary['agreement']>): string {
  return faultCount === 0 ? `yes: sent and accepted, causes and heads, over ${logs} logs` : 'NO';
}

function agents(count: number): string {
  return count === 1 ? '1 agent' : `${count} agents`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function entries(count: number): string {
  return count === 1 ? '1 entry' : `${count} entries`;
}
