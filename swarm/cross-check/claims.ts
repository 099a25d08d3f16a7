/** What one log says that another can confirm or contradict: a fold over its records. */
import { agentOf } from '../../runtime/actor/agent-stream.ts';
import { arrivalIdOf } from '../../runtime/actor/remote.ts';
import { type AgentPayload, payloadOf } from '../../runtime/actor/vocabulary.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { type Cause, type DigestText, digestText, type EventId, type LogRecord } from '../../runtime/codec/record.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { ACTION_EVENTS, type ActionDecided, type ActionSettled } from '../../runtime/kernel/action-events.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';

/** As much of a log as is read here. */
export type History = Pick<EventLog, 'origin' | 'size' | 'read' | 'leaf' | 'root' | 'blob' | 'find'>;

/** A message that an agent of this log sent, or asked. */
export type Sent = {
  readonly index: number;
  readonly kind: 'ask' | 'tell';
  readonly from: string;
  readonly to: string;
  readonly name: string;
  /** The id under which another node accepts it. */
  readonly remote: EventId;
};

/** A message that an agent of this log took from another node. */
export type Accepted = {
  readonly index: number;
  readonly kind: 'ask' | 'tell';
  readonly did: Did;
  readonly to: string;
  readonly name: string;
  readonly remote: EventId;
};

/** What a log says of a node's log: as it heard it. */
export type SeenHead = {
  readonly index: number;
  readonly node: string;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
};

export type Claims = {
  readonly origin: DigestText;
  /** The agents that have lived here, by name. */
  readonly agents: Map<string, Did>;
  /** By the id that it has elsewhere. */
  readonly sent: Map<EventId, Sent>;
  /** Ids of those that the other side has certainly accepted, with the event that says so. */
  readonly confirmed: Map<EventId, number>;
  /** Of those that nobody waits for any more. */
  readonly over: Set<EventId>;
  readonly accepted: Accepted[];
  readonly causes: { readonly index: number; readonly type: string; readonly cause: Cause }[];
  readonly heads: SeenHead[];
  /** Two heads of one log that cannot both be true, as its node stated them. */
  readonly contradictions: { readonly index: number; readonly heard: SeenHead; readonly said: SeenHead }[];
};

export function originDigest({ origin }: Pick<History, 'origin'>): DigestText {
  return digestText(sha256(utf8(origin)));
}

/** Folds a log. @throws as `jsonOf` */
export function claimsOf(log: History): Claims {
  const claims: Claims = {
    origin: originDigest(log),
    ...{ agents: new Map(), sent: new Map(), confirmed: new Map(), over: new Set() },
    ...{ accepted: [], causes: [], heads: [], contradictions: [] },
  };
  const asked = new Map<string, EventId>();
  for (const record of log.read()) {
    const { cause, index, type } = record;
    if (cause !== undefined && cause.origin !== claims.origin) claims.causes.push({ index, type, cause });
    if (type.startsWith('peer.')) gatherPeer(log, record, claims);
    else if (type.startsWith('action.')) gatherAction(log, record, claims, asked);
    else gatherMessage(log, record, claims);
  }
  return claims;
}

function gatherMessage(log: History, record: LogRecord, claims: Claims): void {
  const agent = agentOf(record.stream);
  if (agent === undefined) return;
  const { index, actor, principal, envelope } = record;
  switch (record.type) {
    case 'agent.started':
      claims.agents.set(agent, actor);
      break;
    case 'message.sent': {
      const { message, to, name } = payloadOf(record, log) as unknown as AgentPayload<'message.sent'>;
      const remote = arrivalIdOf(actor, message);
      claims.sent.set(remote, { index, kind: 'tell', from: agent, to, name, remote });
      break;
    }
    case 'message.delivered': {
      const { message, type } = payloadOf(record, log) as unknown as AgentPayload<'message.delivered'>;
      const remote = arrivalIdOf(actor, message);
      if (type === 'accepted') claims.confirmed.set(remote, index);
      claims.over.add(remote);
      break;
    }
    case 'message.accepted': {
      if (principal === undefined || envelope === undefined) return; // it was sent here
      const { message, kind, name } = payloadOf(record, log) as unknown as AgentPayload<'message.accepted'>;
      if (kind !== 'ask' && kind !== 'tell') return;
      claims.accepted.push({ index, kind, did: principal, to: agent, name, remote: message as EventId });
      break;
    }
  }
}

/** Asks are actions: they are sent once they are decided, and certainly accepted where an answer is on record. */
function gatherAction(log: History, record: LogRecord, claims: Claims, asked: Map<string, EventId>): void {
  const agent = agentOf(record.stream);
  if (agent === undefined) return;
  const { index, actor, type, decision } = record;
  if (type === ACTION_EVENTS.decided) {
    const { verb, key, target, note } = jsonOf(record, log) as unknown as ActionDecided;
    const { turn, ordinal } = note;
    if (verb !== 'ask' || decision?.verdict !== 'allow' || typeof turn !== 'string' || typeof ordinal !== 'number')
      return;
    const remote = arrivalIdOf(actor, eventIdOf(turn, 'message', ordinal));
    const [dot, at] = [target.indexOf('.'), target.indexOf('@')];
    const [name, to] = [target.slice(dot + 1, at), target.slice(at + 1)];
    if (!claims.sent.has(remote)) claims.sent.set(remote, { index, kind: 'ask', from: agent, to, name, remote });
    asked.set(key, remote);
  } else if (type === ACTION_EVENTS.settled || type === ACTION_EVENTS.abandoned) {
    const { key, status } = jsonOf(record, log) as unknown as ActionSettled;
    const remote = asked.get(key);
    if (remote === undefined) return;
    if (status === 'ok') claims.confirmed.set(remote, index);
    claims.over.add(remote);
  }
}

type Head = Omit<SeenHead, 'index' | 'node'>;

function gatherPeer(log: History, record: LogRecord, claims: Claims): void {
  const { index, type } = record;
  const { node, ...told } = jsonOf(record, log) as unknown as { readonly node: string } & Record<string, Head>;
  const seen = (head: Head): SeenHead => ({ ...head, index, node });
  const { head, heard, said } = told;
  if ((type === 'peer.met' || type === 'peer.head_seen') && head !== undefined) claims.heads.push(seen(head));
  if (type === 'peer.split_view' && heard !== undefined && said !== undefined) {
    claims.contradictions.push({ index, heard: seen(heard), said: seen(said) });
  }
}
