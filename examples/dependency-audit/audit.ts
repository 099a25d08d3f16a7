/**
 * One run of an audit: opens the log and a node over it, has the coordinator begin or go on, waits for the end, closes and
 * verifies the log. Whatever stops this process, the next run finds everything in the log.
 */
import { dirname } from 'node:path';
import { type Governance, govern } from 'ringmesh';
import type { Bundle } from 'ringmesh/policies';
import {
  AgentNode,
  type Clock,
  CodedError,
  createLog,
  type EventLog,
  type Hosts,
  hasCode,
  openLog,
  type Random,
  type thisProcess,
  verifyLog,
} from 'ringmesh/runtime';
import { readBounded } from './bounded-read.ts';
import { ConfinedFolder } from './confined-folder.ts';
import { COORDINATOR, Coordinator, Reporter, Researcher, ROGUE, Rogue } from './contracts.ts';
import { LOCK_BYTES_MAX, parseLock } from './lock-file.ts';
import { type NpmConfig, readNpmConfig } from './npm-config.ts';
import type { AuditOptions } from './options.ts';
import { endorsementsAt, loadPolicy, POLICY_FILE } from './policy.ts';
import { type AuditProgress, EMPTY_LEDGER, follow, followLog, type Ledger, payloadOf } from './progress.ts';
import { REGISTRY_LIMITS, Registry, type RegistryLimits } from './registry.ts';
import { type Summary, summaryOf } from './summary.ts';
import { auditTools } from './tools.ts';

export type AuditPorts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: ReturnType<typeof thisProcess>;
  readonly environment: { readonly [name: string]: string | undefined };
  /** Where the agents' code runs. */
  readonly hosts: Hosts;
  /** Called with every change. */
  readonly onProgress: (progress: AuditProgress) => void;
  /** Who may do what; default: `policy.yaml` beside this module. */
  readonly policy?: string;
  readonly limits?: Partial<RegistryLimits>;
};

/** @throws {CodedError} what npm, the log or the lock file say · the signal's reason */
export async function runAudit(options: AuditOptions, ports: AuditPorts, signal: AbortSignal): Promise<Summary> {
  const readable = parseLock(await readBounded(options.lock, LOCK_BYTES_MAX)); // before anything is made
  if (!readable.ok) throw new CodedError(readable.error.code, `${options.lock}: ${readable.error.message}`);
  const bundle = await loadPolicy(ports.policy ?? POLICY_FILE); // without one nothing runs
  const config = await readNpmConfig(dirname(options.lock), signal);
  const ended = await withLog(options, ports, (log) => auditInto(log, { config, bundle }, options, { ports, signal }));
  const verified = await verifyLog(options.log, { anchors: options.anchors, signal });
  return summaryOf(ended, verified, options);
}

type Ended = { readonly ledger: Ledger; readonly isNew: boolean };

async function auditInto(
  log: EventLog,
  { config, bundle }: { readonly config: NpmConfig; readonly bundle: Bundle },
  options: AuditOptions,
  { ports, signal }: { readonly ports: AuditPorts; readonly signal: AbortSignal },
): Promise<Ended> {
  const { clock, random } = ports;
  const endorsements = endorsementsAt(clock.now());
  const governance = govern({ log, clock, random, bundle: () => bundle, endorsements });
  let isNew: boolean;
  try {
    isNew = await auditUnder(governance, { log, config, options, ports, signal });
  } finally {
    await governance.recorded();
  }
  return { ledger: followLog(log), isNew };
}

type Run = {
  readonly log: EventLog;
  readonly config: NpmConfig;
  readonly options: AuditOptions;
  readonly ports: AuditPorts;
  readonly signal: AbortSignal;
};

/** Whether the audit that has ended was begun by this run. */
async function auditUnder(
  { gates, epochs }: Governance,
  { log, config, options, ports, signal }: Run,
): Promise<boolean> {
  const before = followLog(log);
  const { clock, random, environment, hosts } = ports;
  using registry = new Registry({ config, clock, random, environment }, { ...REGISTRY_LIMITS, ...ports.limits });
  const out = await ConfinedFolder.open(options.out);
  await using node = AgentNode.open({
    log,
    clock,
    random,
    contracts: [Coordinator, Researcher, Reporter, Rogue],
    hosts,
    tools: auditTools({ lock: options.lock, out, registry }),
    gates,
    epochs,
  });
  const { progress } = before;
  const seen = progress === undefined || progress.end?.isComplete === true ? null : progress.audit;
  const coordinator = await node.spawn(Coordinator, COORDINATOR);
  const begun = await node.ask(coordinator).begin({ researchers: options.researchers, seen });
  if (begun.type !== 'ok') throw new CodedError('code' in begun ? begun.code : 'audit.not_begun', textOf(begun));
  try {
    const rogue = options.withRogue ? misbehave(node) : undefined;
    await untilEnd(log, begun.value.audit, { node, ports, signal });
    await rogue;
    return begun.value.isNew;
  } finally {
    await node.drain(); // an interrupted run lets its turns come to an end, too
  }
}

/** Whatever it is told: the log says it. */
async function misbehave(node: AgentNode): Promise<void> {
  const rogue = await node.spawn(Rogue, ROGUE);
  await node.ask(rogue).misbehave({});
}

/** Follows the log until the audit has ended, the node has, or nobody waits any more. */
async function untilEnd(
  log: EventLog,
  audit: string,
  { node, ports, signal }: { readonly node: AgentNode; readonly ports: AuditPorts; readonly signal: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  void node.ended.then((cause) => over.abort(cause ?? new CodedError('audit.stopped', 'the node has ended')));
  const either = AbortSignal.any([signal, over.signal]);
  const begunAt = log.size;
  let ledger = EMPTY_LEDGER;
  for await (const record of log.subscribe(0, either)) {
    const { progress } = ledger;
    ledger = follow(ledger, record, payloadOf(log, record));
    if (ledger.progress === undefined || record.index < begunAt - 1) continue;
    if (ledger.progress !== progress || record.index === begunAt - 1) ports.onProgress(ledger.progress);
    if (ledger.progress.audit === audit && ledger.progress.end !== undefined) return;
  }
  either.throwIfAborted();
  throw new CodedError('audit.stopped', 'expected the log to go on, found its end');
}

/** The log, made where there is none, signed and closed whatever happens. */
async function withLog<T>(
  { log: directory, anchors }: AuditOptions,
  { clock, random, identity }: AuditPorts,
  work: (log: EventLog) => Promise<T>,
): Promise<T> {
  const ports = { clock, random, identity };
  const open = (): Promise<EventLog> => openLog(directory, { anchors }, ports);
  const log = await open().catch(async (error: unknown) => {
    if (!hasCode(error, 'log.not_found')) throw error;
    await createLog(directory, { anchors }, random);
    return open();
  });
  await using _ = log;
  try {
    return await work(log);
  } finally {
    if (log.stopped === undefined) await log.checkpoint();
  }
}

function textOf(outcome: { readonly type: string; readonly message?: string }): string {
  return outcome.message ?? `the coordinator answered "${outcome.type}"`;
}
