/** How far an audit is, folded from the log: what the bar shows, what the summary counts, what a second run finds. */
import type { EventLog, LogRecord } from 'ringmesh/runtime';
import { z } from 'zod';
import { COORDINATOR, Coordinator, type Judgement, type Written } from './contracts.ts';
import type { Severity } from './judge.ts';
import { countFindings } from './report.ts';

export type Verdicts = { readonly allow: number; readonly deny: number; readonly escalate: number };

/** How often an agent was refused, and with which code. */
export type Refused = { readonly agent: string; readonly code: string; readonly count: number };
/** A fall of an agent's score to another tier. */
export type TrustFall = { readonly agent: string; readonly from: number; readonly to: number; readonly tier: string };
export type RingMove = { readonly agent: string; readonly from: number; readonly to: number };

/** What the kernel decided while an audit went on. */
export type Governed = {
  readonly verdicts: Verdicts;
  /** How often each rule had the word, by name; acts that no rule decided are not here. */
  readonly rules: Readonly<Record<string, number>>;
  readonly refused: readonly Refused[];
  readonly moves: readonly RingMove[];
  readonly falls: readonly TrustFall[];
};

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
  /** Since the audit that is not ended was begun or gone on with. */
  readonly governed: Governed;
  readonly hasEnded: boolean;
};

const NOTHING: Governed = {
  verdicts: { allow: 0, deny: 0, escalate: 0 },
  rules: {},
  refused: [],
  moves: [],
  falls: [],
};

export const EMPTY_LEDGER: Ledger = { progress: undefined, governed: NOTHING, hasEnded: false };

const Accepted = z.looseObject({ name: z.literal('begin') });
const Moved = z.looseObject({ agent: z.string(), from: z.int(), to: z.int() });
const Trusted = z.looseObject({ subject: z.string(), from: z.int(), score: z.int(), tier: z.string() });
const NotGiven = z.looseObject({ outcome: z.looseObject({ code: z.string().startsWith('delegation.') }) });
const RefusedMany = z.looseObject({ agent: z.string(), counts: z.record(z.string(), z.int()) });
const Emitted = z.looseObject({ name: z.string(), data: z.unknown() });
const { Begun, Judged, Written: WrittenFact } = Coordinator.spec.events;

/** The next event of the log. Events of others, and facts that say nothing about progress, change nothing. */
export function follow(ledger: Ledger, record: LogRecord, payload: unknown): Ledger {
  if (record.decision !== undefined && record.type !== 'message.accepted')
    return { ...ledger, governed: decided(ledger.governed, record, record.decision) };
  if (record.type === 'action.refused_many') return { ...ledger, governed: counted(ledger.governed, payload) };
  if (record.type === 'ring.promoted' || record.type === 'ring.demoted') {
    const { agent, from, to } = Moved.parse(payload);
    return { ...ledger, governed: { ...ledger.governed, moves: [...ledger.governed.moves, { agent, from, to }] } };
  }
  if (record.type === 'action.settled') return { ...ledger, governed: settled(ledger.governed, record, payload) };
  if (record.type === 'trust.changed') return { ...ledger, governed: trusted(ledger.governed, payload) };
  if (record.stream !== `agent/${COORDINATOR}`) return ledger;
  if (record.type === 'message.accepted' && ledger.hasEnded && Accepted.safeParse(payload).success) {
    return { ...ledger, hasEnded: false, governed: NOTHING };
  }
  if (record.type !== 'agent.emitted') return ledger;
  const fact = Emitted.safeParse(payload);
  return fact.success ? onFact(ledger, fact.data.name, fact.data.data) : ledger;
}

/** The events before `to`, folded. */
export function followLog(log: EventLog, to = log.size): Ledger {
  let next = EMPTY_LEDGER;
  for (const record of log.read(0, to)) next = follow(next, record, payloadOf(log, record));
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
    return { ...ledger, progress: { ...progress, results, end: undefined } };
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

function decided(governed: Governed, record: LogRecord, decision: NonNullable<LogRecord['decision']>): Governed {
  const { verdicts, rules } = governed;
  const { verdict, rule, code } = decision;
  const agent = record.stream.slice(record.stream.indexOf('/') + 1);
  return {
    ...governed,
    verdicts: { ...verdicts, [verdict]: verdicts[verdict] + 1 },
    rules: rule === undefined ? rules : { ...rules, [rule]: (rules[rule] ?? 0) + 1 },
    refused: verdict === 'allow' ? governed.refused : refusedAlso(governed.refused, { agent, code, count: 1 }),
  };
}

/** Who wants to give more than he has was let try, and got nothing. */
function settled(governed: Governed, { stream }: LogRecord, payload: unknown): Governed {
  const refused = NotGiven.safeParse(payload);
  if (!refused.success) return governed;
  const agent = stream.slice(stream.indexOf('/') + 1);
  return {
    ...governed,
    refused: refusedAlso(governed.refused, { agent, code: refused.data.outcome.code, count: 1 }),
  };
}

/** A subject is the sponsor's DID, a slash, and the agent's name. */
function trusted(governed: Governed, payload: unknown): Governed {
  const { subject, from, score: to, tier } = Trusted.parse(payload);
  if (to >= from) return governed;
  const agent = subject.slice(subject.indexOf('/') + 1);
  return { ...governed, falls: [...governed.falls, { agent, from, to, tier }] };
}

/** A flood is recorded in sums, and only the first of it one by one. */
function counted(governed: Governed, payload: unknown): Governed {
  const { agent, counts } = RefusedMany.parse(payload);
  const { verdicts } = governed;
  const sums = Object.entries(counts);
  return {
    ...governed,
    verdicts: { ...verdicts, deny: verdicts.deny + sums.reduce((sum, [, count]) => sum + count, 0) },
    refused: sums.reduce((all, [code, count]) => refusedAlso(all, { agent, code, count }), governed.refused),
  };
}

function refusedAlso(all: readonly Refused[], more: Refused): readonly Refused[] {
  const at = all.findIndex(({ agent, code }) => agent === more.agent && code === more.code);
  if (at < 0) return [...all, more];
  return all.map((one, n) => (n === at ? { ...one, count: one.count + more.count } : one));
}
