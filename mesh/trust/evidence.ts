/**
 * From the events of a node's log to evidence. Only what this node itself saw, and only with a receipt.
 *
 * E1. Good work, and work that came to nothing, needs an `action.settled` whose `action.decided` stands before it in the same
 *     stream and allowed it. Of a question the receipt is the signed reply; without one there is no evidence: a deadline that
 *     nobody could meet frames nobody.
 * E2. A violation is the recorded denial, by policy, ring or delegation, of an act of an agent that the node hosts, or of a
 *     message whose envelope and certificate held: whose act it was is beyond doubt. What anybody else sends in an agent's
 *     name is never evidence against it.
 * E3. An identity counts from where its inception stands in the log, countersigned; the fold verifies that itself.
 */
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { LogRecord } from '../../runtime/codec/record.ts';
import { ACTION_EVENTS } from '../../runtime/kernel/action-events.ts';
import { RING_EVENTS } from '../../runtime/kernel/ring-events.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { isDidMesh } from '../did-mesh.ts';
import { incept } from '../identity.ts';
import { inceptionIn, TRUST_EVENTS } from './events.ts';
import { OPEN_ACTS_MAX } from './rules.ts';
import { EMPTY_SHELF, put, type Shelf, take } from './shelf.ts';
import { type Evidence, type Risk, type Subject, sponsorOf, subjectOf, unsponsored } from './standing.ts';

/** An act that was allowed and has not settled. */
export type OpenAct = {
  readonly key: string;
  readonly verb: string;
  readonly target: string;
  readonly risk: Risk;
  readonly isPure: boolean;
};

/** An agent that the node hosts, by the name that its stream has. */
export type Hosted = { readonly subject: Subject; readonly open: readonly OpenAct[] };

/** What reading on needs to know of what was read. */
export type Roster = {
  /** The subjects of did:mesh identities. */
  readonly identities: Shelf<Subject>;
  readonly hosted: Shelf<Hosted>;
};

export const EMPTY_ROSTER: Roster = { identities: EMPTY_SHELF, hosted: EMPTY_SHELF };

export type Reading = { readonly roster: Roster; readonly evidence?: Evidence };

/** Whom a DID is: by its countersigned inception (E3), else somebody without a sponsor. */
export function subjectOfDid(roster: Roster, did: string): Subject {
  return take(roster.identities, did) ?? unsponsored(did);
}

/** One event. Whatever it says, this gives a reading; payloads that are not what their type promises are no evidence.
 *  @throws as `jsonOf` */
export function readEvidence(roster: Roster, record: LogRecord, log: Pick<EventLog, 'blob'>): Reading {
  switch (record.type) {
    case TRUST_EVENTS.learned:
      return learn(roster, jsonOf(record, log));
    case RING_EVENTS.endorsed:
      return endorsed(roster, record, membersOf(jsonOf(record, log)));
    case AGENT_STARTED:
      return { roster: host(roster, record).roster };
    case ACTION_EVENTS.decided:
      return decided(roster, record, membersOf(jsonOf(record, log)));
    case ACTION_EVENTS.settled:
      return settled(roster, record, membersOf(jsonOf(record, log)));
    case ACTION_EVENTS.abandoned:
      return { roster: close(roster, record, membersOf(jsonOf(record, log))).roster };
    case MESSAGE_REFUSED:
      return refused(roster, record, membersOf(jsonOf(record, log)));
    default:
      return { roster };
  }
}

const AGENT_STARTED = 'agent.started';
const AGENT_STREAM = 'agent/';
/** As mesh/link/link-events.ts has them. */
const MESSAGE_REFUSED = 'message.refused';
const PEER_STREAM = 'peer/';

type Members = { readonly [name: string]: JsonValue | undefined };

function membersOf(payload: JsonValue | undefined): Members {
  return typeof payload === 'object' && payload !== null && !Array.isArray(payload) ? (payload as Members) : {};
}

function learn(roster: Roster, payload: JsonValue): Reading {
  const statement = inceptionIn(payload);
  const identity = statement === undefined ? undefined : incept(statement);
  if (identity?.ok !== true) return { roster };
  const { did, name, sponsor } = identity.value;
  const subject = sponsor === undefined ? unsponsored(did) : subjectOf(name, sponsor);
  return { roster: { ...roster, identities: put(roster.identities, did, subject) } };
}

/** The agent in whose stream the record stands, under the DID with which it acts. */
function host(roster: Roster, { stream, actor }: LogRecord): { readonly roster: Roster; readonly hosted?: Hosted } {
  if (!stream.startsWith(AGENT_STREAM)) return { roster };
  const name = stream.slice(AGENT_STREAM.length);
  const subject = isDidMesh(actor) ? subjectOfDid(roster, actor) : subjectOf(name, actor);
  const known = take(roster.hosted, name);
  if (known?.subject === subject) return { roster, hosted: known };
  const hosted: Hosted = { subject, open: known?.open ?? [] };
  return { roster: { ...roster, hosted: put(roster.hosted, name, hosted) }, hosted };
}

function decided(before: Roster, record: LogRecord, said: Members): Reading {
  const { roster, hosted } = host(before, record);
  const act = actIn(said);
  if (hosted === undefined || act === undefined) return { roster };
  const { decision, wallMs: at, stream } = record;
  if (decision?.verdict === 'allow') {
    const open = [...hosted.open.filter(({ key }) => key !== act.key), act].slice(-OPEN_ACTS_MAX);
    return { roster: withHosted(roster, stream, { ...hosted, open }) };
  }
  const type =
    decision?.verdict === 'deny' ? violationBy(membersOf(said['refused'])['gate'], decision.code) : undefined;
  if (type === undefined) return { roster };
  const { subject } = hosted;
  return { roster, evidence: { type, subject, capability: capabilityOf(act), risk: act.risk, at } };
}

/** E2. Acting on a delegation that has ended is no violation, nor acting under a kill that one cannot see; a policy that is
 *  missing or broken is the operators' fault. */
function violationBy(gate: JsonValue | undefined, code: string): 'policy' | 'scope' | undefined {
  if (gate === 'delegation') return OUTSIDE.has(code) || code === NOTHING_GIVEN ? 'scope' : undefined;
  return (gate === 'policy' || gate === 'ring') && !UNRULED.has(code) ? 'policy' : undefined;
}

const UNRULED: ReadonlySet<string> = new Set(['policy.missing', 'gate.failed']);

/** Whoever is refused so wanted more than anybody had given him, or brought what was given to others. */
const OUTSIDE: ReadonlySet<string> = new Set(
  [
    ...['args_denied', 'broken_chain', 'cyclic', 'missing_field', 'no_root', 'other_command', 'other_context'],
    ...['too_deep', 'unbounded', 'wrong_audience'],
  ].map((what) => `delegation.${what}`),
);

/** At home everybody is given what he is to have; a node elsewhere may know of no delegations at all. */
const NOTHING_GIVEN = 'delegation.none';

/** What another node's `agent` sent, under a certificate that held, and was refused for; without one, the node itself. `peer/…` is written by the link alone, after its checks. */
function refused(roster: Roster, { stream, envelope, wallMs: at }: LogRecord, said: Members): Reading {
  const { from: node, agent: from = node, code } = said;
  const isSigned = stream.startsWith(PEER_STREAM) && envelope !== undefined;
  if (!isSigned || typeof from !== 'string' || typeof code !== 'string') return { roster };
  const type = violationBy(
    code.startsWith('delegation.') && code !== NOTHING_GIVEN
      ? 'delegation'
      : code.startsWith('policy.')
        ? 'policy'
        : null,
    code,
  );
  if (type === undefined) return { roster };
  return { roster, evidence: { type, subject: subjectOfDid(roster, from), capability: 'message', risk: 1, at } };
}

function settled(before: Roster, record: LogRecord, said: Members): Reading {
  const { roster, hosted, act } = close(before, record, said);
  if (hosted === undefined || act === undefined) return { roster }; // E1
  const seen =
    act.verb === 'use' ? used(hosted, act, said) : act.verb === 'ask' ? replied(roster, hosted, act, said) : undefined;
  if (seen === undefined) return { roster };
  return { roster, evidence: { ...seen, risk: act.risk, capability: capabilityOf(act), at: record.wallMs } };
}

type Seen = {
  readonly type: 'good' | 'failed' | 'wrong';
  readonly subject: Subject;
  readonly party: string;
  readonly isVerified: boolean;
};

/** The tool is the witness: operators made it known, agents cannot. */
function used({ subject }: Hosted, { target, isPure }: OpenAct, { status, outcome }: Members): Seen | undefined {
  const seen = { subject, party: `tool:${target}`, isVerified: !isPure };
  const { type, message } = membersOf(outcome);
  if (status === 'ok') return { ...seen, type: 'good' };
  if (type === 'failed' || type === 'timeout' || type === 'unknown') return { ...seen, type: 'failed' };
  const isOwnInput = type === 'invalid' && typeof message === 'string' && message.startsWith('in: ');
  return isOwnInput ? { ...seen, type: 'wrong' } : undefined;
}

/** The sponsor of the agent that asked is the witness (E1). Whoever has none is no witness. */
function replied(roster: Roster, { subject: asker }: Hosted, { target }: OpenAct, said: Members): Seen | undefined {
  const name = target.slice(target.indexOf('@') + 1);
  const subject = name.startsWith('did:') ? subjectOfDid(roster, name) : take(roster.hosted, name)?.subject;
  const party = sponsorOf(asker);
  if (subject === undefined || party === null || subject === asker) return undefined;
  const { type } = membersOf(said['outcome']);
  if (type === 'ok') return { type: 'good', subject, party, isVerified: true };
  return type === 'failed' ? { type: 'failed', subject, party, isVerified: true } : undefined;
}

/** The allowed act that a record ends, taken from those that are open. */
function close(
  before: Roster,
  record: LogRecord,
  said: Members,
): { readonly roster: Roster; readonly hosted?: Hosted; readonly act?: OpenAct } {
  const { roster, hosted } = host(before, record);
  const act = hosted?.open.find(({ key }) => key === said['key']);
  if (hosted === undefined || act === undefined) return { roster };
  const open = hosted.open.filter((one) => one !== act);
  return { roster: withHosted(roster, record.stream, { ...hosted, open }), hosted, act };
}

function withHosted(roster: Roster, stream: string, hosted: Hosted): Roster {
  return { ...roster, hosted: put(roster.hosted, stream.slice(AGENT_STREAM.length), hosted) };
}

function endorsed(roster: Roster, { actor, wallMs: at }: LogRecord, said: Members): Reading {
  const { agent, did = agent, trust_floor: floor, expires_at: expiresAt } = said;
  if (typeof agent !== 'string' || typeof did !== 'string' || !isScore(floor) || !Number.isSafeInteger(expiresAt)) {
    return { roster };
  }
  const subject = did.startsWith('did:')
    ? subjectOfDid(roster, did)
    : (take(roster.hosted, agent)?.subject ?? subjectOf(agent, actor));
  return { roster, evidence: { type: 'endorsed', subject, floor, expiresAt: expiresAt as number, at } };
}

function isScore(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= 1000;
}

function actIn({ key, verb, target, risk, effect }: Members): OpenAct | undefined {
  if (typeof key !== 'string' || typeof verb !== 'string' || typeof target !== 'string' || !isRisk(risk))
    return undefined;
  return { key, verb, target, risk, isPure: effect === 'pure' };
}

function isRisk(value: unknown): value is Risk {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= 4;
}

/** The family of a tool, `file` of `file.write`; the contract of a question, `quote` of `quote.price@seller`. */
function capabilityOf({ target }: OpenAct): string {
  const end = target.search(/[.@]/);
  return end === -1 ? target : target.slice(0, end);
}
