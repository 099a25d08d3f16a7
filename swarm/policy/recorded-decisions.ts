/**
 * What was decided, read back from a log as the requests that it was decided about.
 *
 * `action.decided` says all of it: the action, the moment, the ring, the trust; so do `message.sent`, `message.accepted` and
 * `message.retried` in their newest versions. A record that does not is told with what the log last said of the agent before it, and marked:
 * `isExact` is false.
 */

import type { Bundle } from '../../policies/bundle/bundle.ts';
import type { PolicyRequest } from '../../policies/decision/request.ts';
import { FactMonitors } from '../../policies/gate/fact-monitors.ts';
import { type AgentPayload, payloadOf as agentPayloadOf } from '../../runtime/actor/vocabulary.ts';
import type { DigestText, LogRecord, RecordedDecision } from '../../runtime/codec/record.ts';
import { digestText, parseStreamId } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { hasCode } from '../../runtime/core/errors.ts';
import { type Action, actionDigest, type Risk } from '../../runtime/kernel/action.ts';
import { ACTION_EVENTS, type ActionDecided } from '../../runtime/kernel/action-events.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import { type GateName, type GateRequest, NO_EPOCHS } from '../../runtime/kernel/gate.ts';
import type { Obligation } from '../../runtime/kernel/obligation.ts';
import type { Ring } from '../../runtime/kernel/ring.ts';
import { RING_EVENTS, type RingMoved } from '../../runtime/kernel/ring-events.ts';
import { NEWCOMER_SCORE } from '../../runtime/kernel/rings.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { type Facts, hostGate, type Standing } from './host-gate.ts';
import { NO_FACTS, RecordedFacts } from './recorded-facts.ts';

/** One decision, as recorded. */
export type Decided = {
  readonly record: LogRecord;
  readonly decision: RecordedDecision;
  readonly asked: GateRequest;
  readonly request: PolicyRequest;
  readonly standing: Standing;
  /** What was counted before it, under a bundle. */
  readonly facts: (bundle: Bundle) => Facts;
  /** The log's size that the trust is of. */
  readonly asOf: number | undefined;
  /** Whether the record itself says the moment, the ring and the trust. */
  readonly isExact: boolean;
  /** Whether the record's input is the one that was decided about: it is not where it was redacted. */
  readonly isWhole: boolean;
  /** Which gate refused, and what the author was told; `undefined` where all agreed. */
  readonly refused: { readonly gate: GateName; readonly outcome: ActionDecided['refused'] } | undefined;
};

/** A record with a decision that cannot be read back: its payload is gone, or of a shape from elsewhere. */
export type Unreadable = { readonly record: LogRecord; readonly code: string };

export function isReadable(decided: Decided | Unreadable): decided is Decided {
  return 'request' in decided;
}

/** The decision of one record that has one. Reads no more of the log than the agent's ring. */
export function recordedDecision(log: EventLog, record: LogRecord, decision: RecordedDecision): Decided | Unreadable {
  const standingOf = (agent: string): Standing => {
    const stream = parseStreamId(`ring/${agent}`);
    const told = stream.ok ? [...log.readStream(stream.value)].filter(({ index }) => index < record.index) : [];
    const moved = told.findLast(isMove);
    return moved === undefined ? NEWCOMER : standingAfter(moved, log);
  };
  const facts = (bundle: Bundle): Facts => factsBefore(log, record.index, bundle);
  return decidedOf(record, decision, { log, standingOf, facts });
}

/** Every decision in a log, in order. */
export function* recordedDecisions(log: EventLog): Generator<Decided | Unreadable> {
  const standings = new Map<string, Standing>();
  const standingOf = (agent: string): Standing => standings.get(agent) ?? NEWCOMER;
  const allowed = new RecordedFacts();
  for (const record of log.read()) {
    if (isMove(record)) standings.set(agentOf(record), standingAfter(record, log));
    if (record.decision === undefined) continue;
    const { size } = allowed;
    const facts = (bundle: Bundle): Facts => allowed.after(size, bundle, () => factsBefore(log, record.index, bundle));
    const decided = decidedOf(record, record.decision, { log, standingOf, facts });
    yield decided;
    if (isReadable(decided) && isCounted(decided)) allowed.add(decided.request);
  }
}

/** What stands under a bundle before an index: one pass over the log. */
function factsBefore(log: EventLog, index: number, bundle: Bundle): FactMonitors {
  const monitors = new FactMonitors(bundle.facts, 0);
  if (bundle.facts.size === 0) return monitors;
  for (const each of recordedDecisions(log)) {
    if (each.record.index >= index) break;
    if (isReadable(each) && isCounted(each)) monitors.count(each.request);
  }
  return monitors;
}

/** What an act that was allowed took of rates when it was: whose it was, upon what, when, and what it owed. */
export type Taken = Pick<Action, 'agent' | 'target'> & Pick<ActionDecided, 'owed'> & { readonly at: Millis };

/** The same of a record; `undefined` where that has none, or cannot be read back. */
export function takenBy(record: LogRecord, log: EventLog): Taken | undefined {
  if (record.decision?.verdict !== 'allow') return undefined;
  const read = readAction(record, log);
  if (typeof read === 'string') return undefined;
  const { action, owed, at = record.wallMs } = read;
  return { agent: action.agent, target: action.target, owed, at };
}

function isMove({ type }: LogRecord): boolean {
  return type === RING_EVENTS.promoted || type === RING_EVENTS.demoted;
}

function standingAfter(move: LogRecord, log: EventLog): Standing {
  const { to, score } = jsonOf(move, log) as unknown as RingMoved;
  return { ring: to, trust: score };
}

/** Where an agent stands before the log says otherwise. */
const NEWCOMER: Standing = { ring: 3, trust: NEWCOMER_SCORE };

/** Whether facts count it: an act that was allowed, a message among them. */
function isCounted({ decision }: Decided): boolean {
  return decision.verdict === 'allow';
}

function decidedOf(
  record: LogRecord,
  decision: RecordedDecision,
  {
    log,
    standingOf,
    facts,
  }: { readonly log: EventLog; readonly standingOf: (agent: string) => Standing } & Pick<Decided, 'facts'>,
): Decided | Unreadable {
  const read = readAction(record, log);
  if (typeof read === 'string') return { record, code: read };
  const { action, at, ring, digest, refused } = read;
  const isExact = at !== undefined && ring !== undefined && decision.trust !== undefined;
  const last = standingOf(action.agent);
  const standing: Standing = { ring: ring ?? last.ring, trust: decision.trust?.score ?? last.trust };
  const { epochs = NO_EPOCHS } = decision;
  const asked: GateRequest = { action, at: at ?? record.wallMs, digest: actionDigest(action), epochs };
  const request = hostGate(
    () => undefined,
    () => standing,
    () => NO_FACTS,
  ).requestOf(asked);
  const isWhole = digest === undefined || digestText(asked.digest) === digest;
  return { record, decision, asked, request, standing, facts, asOf: decision.trust?.asOf, isExact, isWhole, refused };
}

type ReadAction = {
  readonly action: Action;
  readonly at: Millis | undefined;
  readonly ring: Ring | undefined;
  readonly digest: DigestText | undefined;
  readonly owed: readonly Obligation[];
  readonly refused: Decided['refused'];
};

/** The action of a record, or the code of why there is none. */
function readAction(record: LogRecord, log: EventLog): ReadAction | string {
  const payload = payloadOf(record, log);
  if (typeof payload === 'string') return payload;
  if (record.type === ACTION_EVENTS.decided) return fromDecided(record, payload as Partial<ActionDecided>);
  if (record.type === 'message.sent') return fromSent(record, payload as Partial<AgentPayload<'message.sent'>>);
  if (record.type === 'message.accepted') return fromAccepted(record, payload as Partial<Accepted>);
  if (record.type === 'message.retried') {
    return fromRetried(record, payload as Partial<AgentPayload<'message.retried'>>, log);
  }
  return 'event.unknown_type';
}

function payloadOf(record: LogRecord, log: EventLog): object | string {
  try {
    const payload = agentPayloadOf(record, log);
    if (payload === undefined) return 'event.unknown_type';
    return typeof payload === 'object' && payload !== null ? payload : 'event.not_json';
  } catch (error) {
    for (const code of UNREADABLE) if (hasCode(error, code)) return code;
    throw error;
  }
}

const UNREADABLE = ['event.payload_missing', 'event.not_json', 'event.newer_version'] as const;

function fromDecided(record: LogRecord, payload: Partial<ActionDecided>): ReadAction | string {
  const { key, verb, target, effect, risk, input, scope, at, ring, owed = [], refused, digest } = payload;
  if (key === undefined || verb === undefined || target === undefined) return 'event.unknown_type';
  if (effect === undefined || risk === undefined || input === undefined) return 'event.unknown_type';
  const scoped = typeof scope === 'string' ? { scope } : {};
  return {
    action: { ...actorOf(record), key, verb, target, effect, risk, input, ...scoped, withinMs: 1 },
    at: at as Millis | undefined,
    ring: (ring ?? undefined) as Ring | undefined,
    digest: digest as DigestText | undefined,
    owed,
    refused: refused ? { gate: refused.gate as GateName, outcome: refused } : undefined,
  };
}

function fromSent(record: LogRecord, payload: Partial<AgentPayload<'message.sent'>>): ReadAction | string {
  const { turn, message, to, contract, name, body, judged } = payload;
  if (message === undefined || to === undefined || body === undefined || judged === undefined) {
    return 'event.unknown_type';
  }
  const said = { key: `${turn}/${message}`, verb: 'tell', target: `${contract}.${name}@${to}`, input: body } as const;
  return fromJudged({ ...actorOf(record), ...said }, judged);
}

type Accepted = AgentPayload<'message.accepted'>;

/** What came from another node: its sender's act, which was decided here. */
function fromAccepted(record: LogRecord, payload: Partial<Accepted>, key = `${payload.message}/arrival`) {
  const { message, kind, from, name, body, judged } = payload;
  if (message === undefined || typeof from !== 'string' || body === undefined || !judged) return 'event.unknown_type';
  if (record.principal === undefined || (kind !== 'ask' && kind !== 'tell')) return 'event.unknown_type';
  const target = `${judged.contract}.${name}@${agentOf(record)}`;
  const said = { key, verb: kind, target, input: body } as const;
  return fromJudged({ agent: from, actor: record.principal, stream: record.stream, ...said }, judged);
}

/** A dead letter that was put back, for whoever had sent it: what it says stands in its acceptance, in the same append. */
function fromRetried(
  record: LogRecord,
  { message, retry, judged }: Partial<AgentPayload<'message.retried'>>,
  log: EventLog,
): ReadAction | string {
  if (retry === undefined || !judged) return 'event.unknown_type';
  const index = log.find(eventIdOf('accepted', agentOf(record), retry));
  const [accepted] = index === undefined ? [] : [...log.read(index, index + 1)];
  const said = accepted === undefined ? 'event.payload_missing' : payloadOf(accepted, log);
  return typeof said === 'string' ? said : fromAccepted(record, { ...said, judged }, `${message}/retry`);
}

function fromJudged(
  said: Omit<Action, 'effect' | 'risk' | 'withinMs'>,
  { at, owed, ring, risk }: AgentPayload<'message.sent'>['judged'],
): ReadAction {
  return {
    action: { ...said, effect: 'idempotent', risk: risk as Risk, withinMs: 1 },
    at: (at ?? undefined) as Millis | undefined,
    ring: (ring ?? undefined) as Ring | undefined,
    digest: undefined,
    owed,
    refused: undefined,
  };
}

function actorOf(record: LogRecord): Pick<Action, 'agent' | 'actor' | 'stream'> {
  return { agent: agentOf(record), actor: record.actor, stream: record.stream };
}

function agentOf({ stream }: LogRecord): string {
  return stream.slice(stream.indexOf('/') + 1);
}

/** What stands under a bundle now, for a node that goes on: the log folded once, when the first question is asked under it. */
export function factsNow(log: EventLog): (bundle: Bundle | undefined) => Facts {
  let current: { readonly bundle: Bundle; readonly facts: Facts } | undefined;
  return (bundle) => {
    if (bundle === undefined || bundle.facts.size === 0) return NO_FACTS;
    if (current?.bundle !== bundle) {
      current = { bundle, facts: factsBefore(log, log.size, bundle) };
    }
    return current.facts;
  };
}
