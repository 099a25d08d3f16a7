/**
 * One run of an audit: opens the log and a node over it, has the coordinator begin or go on, waits for the end, closes and
 * verifies the log. Whatever stops this process, the next run finds everything in the log.
 */
import { dirname } from 'node:path';
import { crossCheckLogs, type Governance, MeshNode, type NodeAuthority, type RealmNode } from 'ringmesh';
import type { Bundle } from 'ringmesh/policies';
import {
  AgentNode,
  CodedError,
  type Did,
  type EventLog,
  type Hosts,
  type LogReport,
  type NodeParts,
  verifyLog,
} from 'ringmesh/runtime';
import { readBounded } from './bounded-read.ts';
import { ConfinedFolder } from './confined-folder.ts';
import { COORDINATOR, Coordinator, contractOf, Reporter, Researcher, ROGUE, Rogue } from './contracts.ts';
import { Fleet, type FleetParts } from './fleet.ts';
import { LOCK_BYTES_MAX, parseLock } from './lock-file.ts';
import { type NpmConfig, readNpmConfig } from './npm-config.ts';
import type { AuditOptions } from './options.ts';
import { governed, type PlacePorts, withLog } from './place.ts';
import { loadPolicy, POLICY_FILE } from './policy.ts';
import { type AuditProgress, EMPTY_LEDGER, follow, followLog, type Ledger, payloadOf } from './progress.ts';
import { authorityOf, empower, empowerRogue, provision } from './realm.ts';
import { REGISTRY_LIMITS, Registry, type RegistryLimits } from './registry.ts';
import { type Summary, summaryOf } from './summary.ts';
import { auditTools } from './tools.ts';

export type AuditPorts = PlacePorts & {
  readonly environment: { readonly [name: string]: string | undefined };
  /** Where the agents' code runs. */
  readonly hosts: Hosts;
  /** Called with every change. */
  readonly onProgress: (progress: AuditProgress) => void;
  /** What other nodes of the audit say; default: nothing is shown. */
  readonly printed?: (text: string) => void;
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
  const verify = (log: string): Promise<LogReport> => verifyLog(log, { anchors: options.anchors, signal });
  const others: LogReport[] = [];
  for (const log of ended.logs) others.push(await verify(log));
  const verified = [await verify(options.log), ...others] as const;
  const areSound = verified.every(({ problemCount }) => problemCount === 0);
  const logs = [options.log, ...ended.logs];
  const agreement = areSound && logs.length > 1 ? await crossCheckLogs(logs, ports.clock) : undefined;
  return summaryOf({ ...ended, ...(agreement && { agreement }) }, verified, options);
}

type Ended = { readonly ledger: Ledger; readonly isNew: boolean; readonly logs: readonly string[] };

async function auditInto(
  log: EventLog,
  { config, bundle }: { readonly config: NpmConfig; readonly bundle: Bundle },
  options: AuditOptions,
  { ports, signal }: { readonly ports: AuditPorts; readonly signal: AbortSignal },
): Promise<Ended> {
  const realm = provision(options, ports);
  const authority = await authorityOf(realm, log, ports);
  await empower(authority, options, ports);
  const ended = await governed(log, bundle, { ...ports, authority }, (governance) =>
    auditUnder(governance, { log, realm, authority, config, options, ports, signal }),
  );
  return { ledger: followLog(log), ...ended };
}

type Run = {
  readonly log: EventLog;
  readonly realm: RealmNode;
  readonly authority: NodeAuthority;
  readonly config: NpmConfig;
  readonly options: AuditOptions;
  readonly ports: AuditPorts;
  readonly signal: AbortSignal;
};

/** Whether the audit that has ended was begun by this run, and where else it is recorded. */
async function auditUnder(
  governance: Governance,
  { log, realm, authority, config, options, ports, signal }: Run,
): Promise<Pick<Ended, 'isNew' | 'logs'>> {
  const before = followLog(log);
  const { clock, random, environment, hosts } = ports;
  const limits = { ...REGISTRY_LIMITS, ...ports.limits };
  using registry = new Registry({ config, clock, random, environment }, limits);
  const out = await ConfinedFolder.open(options.out);
  const parts = {
    ...{ log, clock, random, hosts, governance, authority },
    contracts: [Coordinator, Researcher, Reporter, Rogue],
    tools: auditTools({ lock: options.lock, out, registry }),
  };
  await using fleet = options.nodes === 1 ? undefined : await Fleet.open(fleetParts(realm, options, ports), signal);
  await using place = await openPlace(parts, fleet, signal);
  const { agents: node } = place;
  fleet?.start();
  const { progress } = before;
  const seen = progress === undefined || progress.end?.isComplete === true ? null : progress.audit;
  const coordinator = await node.spawn(Coordinator, COORDINATOR);
  const elsewhere = [...(fleet?.elsewhere ?? [])];
  const researchers = fleet === undefined ? options.researchers : 0;
  const begun = await node.ask(coordinator).begin({ researchers, elsewhere, seen });
  if (begun.type !== 'ok') throw new CodedError('code' in begun ? begun.code : 'audit.not_begun', textOf(begun));
  try {
    const rogue = options.withRogue ? misbehave(node, authority, options, ports) : undefined;
    await untilEnd(log, begun.value.audit, { node, ports, signal });
    await rogue;
    return { isNew: begun.value.isNew, logs: fleet?.logs ?? [] };
  } finally {
    await place.drain(); // an interrupted run lets its turns come to an end, too
  }
}

type Place = AsyncDisposable & { readonly agents: AgentNode; readonly drain: () => Promise<void> };

/** A node by itself, or the first of several. */
async function openPlace(
  {
    governance,
    authority,
    ...parts
  }: Omit<NodeParts, 'gates' | 'epochs'> & { readonly governance: Governance; readonly authority: NodeAuthority },
  fleet: Fleet | undefined,
  signal: AbortSignal,
): Promise<Place> {
  if (fleet !== undefined) {
    const { first: realm, servers } = fleet;
    return MeshNode.open({ ...parts, governance, authority, realm, servers, contractOf }, signal);
  }
  const { gates, epochs, onMoved, rings } = governance;
  const standingOf = (agent: string) => ({ ring: rings.ringOf(agent), sponsor: 'operator' });
  const didOf = (agent: string): Did => authority.didOf(agent) ?? parts.log.did;
  const tools = [...(parts.tools ?? []), authority.tool];
  const endow = authority.endow.bind(authority);
  const agents = AgentNode.open({ ...parts, gates, epochs, didOf, standingOf, tools, endow });
  onMoved(agents.moved.bind(agents));
  return { agents, drain: () => agents.drain(), [Symbol.asyncDispose]: () => agents[Symbol.asyncDispose]() };
}

function fleetParts(first: RealmNode, options: AuditOptions, ports: AuditPorts): FleetParts {
  const { clock, environment, printed = () => undefined } = ports;
  const { perSecond } = { ...REGISTRY_LIMITS, ...ports.limits };
  return { options, first, policy: ports.policy ?? POLICY_FILE, perSecond, clock, environment, printed };
}

/** Whatever it is told: the log says it. In the middle of it the operator takes back a part of what it was given. */
async function misbehave(
  node: AgentNode,
  authority: NodeAuthority,
  options: AuditOptions,
  ports: AuditPorts,
): Promise<void> {
  const given = await empowerRogue(authority, options, ports);
  const rogue = await node.spawn(Rogue, ROGUE);
  await node.ask(rogue).misbehave({ stage: 'given' });
  given.revoke();
  await node.ask(rogue).misbehave({ stage: 'revoked' });
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

function textOf(outcome: { readonly type: string; readonly message?: string }): string {
  return outcome.message ?? `the coordinator answered "${outcome.type}"`;
}
