/** How far an audit is, folded from the log: what the bar shows, what the summary counts, what a second run finds. */
import type { EventLog, LogRecord } from 'ringmesh/runtime';
import { z } from 'zod';
import { COORDINATOR, Coordinator, type Judgement, type Written } from './contracts.ts';
import type { Severity } from './judge.ts';
import { countFindings } from './report.ts';

export type Verdicts = { readonly allow: number; readonly deny: number; readonly escalate: number };

export type AuditProgress = {
  readonly audit: string;
  /** Names to ask the registry about. */
  readonly total: number;
  readonly skipped: number;
  readonly results: ReadonlyMap<string, Judgement>;
  /** `undefined` while it goes on. */
  readonly end: { readonly isComplete: boolean; readonly written: Written } | undefined;
};

export type Ledger = {
  readonly progress: AuditProgress | undefined;
  /** Actions decided since the audit before this one ended. */
  readonly verdicts: Verdicts;
  readonly hasEnded: boolean;
};

export const EMPTY_LEDGER: Ledger = { progress: undefined, verdicts: none(), hasEnded: false };

const Emitted = z.looseObject({ name: z.string(), data: z.unknown() });
const { Begun, Judged, Written: WrittenFact } = Coordinator.spec.events;

/** The next event of the log. Events of others, and facts that say nothing about progress, change nothing. */
export function follow(ledger: Ledger, record: LogRecord, payload: unknown): Ledger {
  if (record.decision !== undefined) return count(ledger, record.decision.verdict);
  if (record.stream !== `agent/${COORDINATOR}` || record.type !== 'agent.emitted') return ledger;
  const fact = Emitted.safeParse(payload);
  return fact.success ? onFact(ledger, fact.data.name, fact.data.data) : ledger;
}

/** The events from `from` on, folded. */
export function followLog(log: EventLog, ledger: Ledger = EMPTY_LEDGER, from = 0): Ledger {
  let next = ledger;
  for (const record of log.read(from)) next = follow(next, record, payloadOf(log, record));
  return next;
}

/** A record's JSON, wherever the log keeps it. */
export function payloadOf(log: EventLog, { payload }: LogRecord): unknown {
  if (payload.type === 'json') return payload.value;
  const bytes = payload.type === 'blob' ? log.blob(payload.digest) : undefined;
  return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes));
}

export function doneOf({ results }: AuditProgress): { readonly judged: number; readonly failed: number } {
  const judged = [...results.values()].filter(({ type }) => type === 'judged').length;
  return { judged, failed: results.size - judged };
}

export function findingsOf({ results }: AuditProgress): Record<Severity, number> {
  const packages = [...results.values()].flatMap((one) => (one.type === 'judged' ? one.packages : []));
  return countFindings(packages.flatMap(({ findings }) => findings));
}

/** Locked packages, as the report counts them: a name in two versions is two. */
export function packagesOf({ results }: AuditProgress): number {
  return [...results.values()].reduce((sum, one) => sum + (one.type === 'judged' ? one.packages.length : 0), 0);
}

function onFact(ledger: Ledger, name: string, data: unknown): Ledger {
  const { progress } = ledger;
  if (name === 'Begun') {
    const { audit, jobs, lock } = Begun.parse(data);
    const fresh = { audit, total: jobs.length, skipped: lock.skipped.length, results: new Map(), end: undefined };
    return { ...ledger, progress: fresh };
  }
  if (progress === undefined) return ledger;
  if (name === 'Resumed') {
    const results = new Map([...progress.results].filter(([, { type }]) => type === 'judged'));
    return { ...ledger, hasEnded: false, progress: { ...progress, results, end: undefined } };
  }
  if (name === 'Judged') {
    const results = new Map(progress.results);
    for (const one of Judged.parse(data).judgements) {
      if (results.get(one.name)?.type !== 'judged') results.set(one.name, one);
    }
    return { ...ledger, progress: { ...progress, results } };
  }
  if (name === 'Written') return { ...ledger, hasEnded: true, progress: { ...progress, end: WrittenFact.parse(data) } };
  return ledger;
}

function count(ledger: Ledger, verdict: keyof Verdicts): Ledger {
  const before = ledger.hasEnded ? none() : ledger.verdicts;
  return { ...ledger, hasEnded: false, verdicts: { ...before, [verdict]: before[verdict] + 1 } };
}

function none(): Verdicts {
  return { allow: 0, deny: 0, escalate: 0 };
}
