/**
 * One run of an audit: opens its swarm, has the coordinator begin or go on, waits for the end, closes and verifies the logs.
 * Whatever stops this process, the next run finds everything in the log.
 */
import { crossCheckLogs, openSwarm, planOf, provisionRealm, type Swarm, type SwarmPorts } from 'ringmesh';
import { CodedError, type LogReport, openReader, refTo, verifyLog } from 'ringmesh/runtime';
import { type AuditSwarm, auditSwarm, type Patience, realmOf } from './audit-swarm.ts';
import { COORDINATOR, Coordinator } from './contracts.ts';
import { Fleet } from './fleet.ts';
import { misbehave } from './misbehaviour.ts';
import type { AuditOptions } from './options.ts';
import { type AuditProgress, EMPTY_LEDGER, follow, followLog, payloadOf } from './progress.ts';
import { type Summary, summaryOf } from './summary.ts';
import { readLockAt } from './tools.ts';

export type AuditPorts = Omit<SwarmPorts, 'onStep'> & {
  /** Called with every change. */
  readonly onProgress: (progress: AuditProgress) => void;
  /** Who may do what; default: `policy.yaml` beside this module. */
  readonly policy?: string;
  readonly patience?: Patience;
};

/** How long turns may take to come to an end: an interrupted run lets them, too. */
const DRAIN_MS = 10_000;

/** @throws {CodedError} what the lock file, the swarm or the log say · the signal's reason */
export async function runAudit(options: AuditOptions, ports: AuditPorts, signal: AbortSignal): Promise<Summary> {
  await readLockAt(options.lock); // before anything is made
  const swarm = await auditSwarm(options, ports);
  const ended = await audit(swarm, options, ports, signal);
  const verify = (log: string): Promise<LogReport> => verifyLog(log, { anchors: options.anchors, signal });
  const others: LogReport[] = [];
  for (const log of ended.logs) others.push(await verify(log));
  const verified = [await verify(options.log), ...others] as const;
  const areSound = verified.every(({ problemCount }) => problemCount === 0);
  const logs = [options.log, ...ended.logs];
  const agreement = areSound && logs.length > 1 ? await crossCheckLogs(logs, ports.clock) : undefined;
  await using reader = await openReader(options.log, ports.clock);
  const ledger = followLog(reader);
  return summaryOf({ ledger, isNew: ended.isNew, ...(agreement && { agreement }) }, verified, options);
}

type Ended = { readonly isNew: boolean; readonly logs: readonly string[] };

async function audit(
  { file, configuration }: AuditSwarm,
  options: AuditOptions,
  ports: AuditPorts,
  signal: AbortSignal,
): Promise<Ended> {
  if (options.nodes > 1) provisionRealm(realmOf(options), planOf(file), ports); // before anybody asks for his keys
  const swarm = await openSwarm(file, configuration, { ...ports, onStep: () => undefined }, signal);
  const fleet = options.nodes === 1 ? undefined : new Fleet(swarm, options, ports);
  try {
    fleet?.start();
    const { audit: id, isNew } = await begin(swarm, options);
    const rogue = options.withRogue ? misbehave(swarm, realmOf(options), ports) : undefined;
    await untilEnd(swarm, id, ports, signal);
    await rogue;
    return { isNew, logs: fleet?.logs ?? [] };
  } finally {
    await fleet?.stop();
    await swarm.stop(DRAIN_MS);
  }
}

/** Begins an audit, or goes on with the one that this process finds unfinished. */
async function begin({ agents, log, begunAt }: Swarm, { researchers }: AuditOptions) {
  const { progress } = followLog(log, begunAt);
  const seen = progress === undefined || progress.end?.isComplete === true ? {} : { seen: progress.audit };
  const begun = await agents.ask(refTo(Coordinator, COORDINATOR)).begin({ researchers, ...seen });
  if (begun.type === 'ok') return begun.value;
  const text = 'message' in begun ? begun.message : undefined;
  const message = text ?? `the coordinator answered "${begun.type}"`;
  throw new CodedError('code' in begun ? begun.code : 'audit.not_begun', message);
}

/** Follows the log until the audit has ended, the node has, or nobody waits any more. */
async function untilEnd(
  { log, ended }: Swarm,
  audit: string,
  { onProgress }: AuditPorts,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  ended.catch((cause: unknown) => over.abort(cause));
  const either = AbortSignal.any([signal, over.signal]);
  const begunAt = log.size;
  let ledger = EMPTY_LEDGER;
  for await (const record of log.subscribe(0, either)) {
    const { progress } = ledger;
    ledger = follow(ledger, record, payloadOf(log, record));
    if (ledger.progress === undefined || record.index < begunAt - 1) continue;
    if (ledger.progress !== progress || record.index === begunAt - 1) onProgress(ledger.progress);
    if (ledger.progress.audit === audit && ledger.progress.end !== undefined) return;
  }
  either.throwIfAborted();
  throw new CodedError('audit.stopped', 'expected the log to go on, found its end');
}
