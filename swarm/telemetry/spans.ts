/**
 * Spans of traces, folded from a log. Nothing is measured beside it: what happened, when, and what brought it about is on record.
 *
 * S1. The same log gives the same spans, ids included, whoever folds it and whenever.
 * S2. A trace is a correlation: its id is the sixteen bytes of that UUID, which every message carries, signed.
 * S3. Two nodes name one message alike without asking one another: by the id under which its receiver accepts it. Its first
 *     eight bytes are the span of sending it, its last eight that of receiving it. So one trace covers both logs.
 * S4. No payload is in a span: names, codes, times and places in the log are.
 *
 * A tell that a turn leaves behind begins a trace of its own (its correlation is the turn), linked to the turn.
 */
import { agentOf } from '../../runtime/actor/agent-stream.ts';
import { arrivalIdOf } from '../../runtime/actor/remote.ts';
import { type AgentPayload, payloadOf } from '../../runtime/actor/vocabulary.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { LogRecord } from '../../runtime/codec/record.ts';
import { ACTION_EVENTS, type ActionDecided, type ActionSettled } from '../../runtime/kernel/action-events.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { OPERATOR } from '../control/control-socket.ts';

type Attributes = { readonly [name: string]: string | number | boolean };

export type SpanPlace = { readonly traceId: string; readonly spanId: string };

export type Span = SpanPlace & {
  readonly parentId?: string;
  readonly links: readonly SpanPlace[];
  readonly name: string;
  readonly kind: 'internal' | 'client' | 'producer' | 'consumer';
  /** Wall milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  /** Why it did not end well, by code. */
  readonly error?: string;
  readonly attributes: Attributes;
};

type Open = Omit<Span, 'endMs'>;
type Turn = { readonly receive: Open; readonly turn: Open; readonly actor: Did };

/** Spans that are open at once; of more, the oldest are forgotten. */
const OPEN_MAX = 20_000;

export class SpanFold {
  readonly #turns = new Map<string, Turn>();
  readonly #effects = new Map<string, Open>();
  readonly #sent = new Map<string, Open>();
  /** As whom each agent of this log acts. */
  readonly #actors = new Map<string, Did>();

  /** The spans that end with this record. Records are given in the order of their log. */
  take(record: LogRecord, log: EventLog): readonly Span[] {
    const agent = agentOf(record.stream);
    if (agent === undefined) return [];
    switch (record.type) {
      case 'agent.started':
        this.#actors.set(agent, record.actor);
        return [];
      case 'message.accepted':
        this.#accepted(agent, record, log);
        return [];
      case 'turn.committed': {
        const { turn, reply } = payloadOf(record, log) as unknown as AgentPayload<'turn.committed'>;
        return this.#ended(turn, record, reply.type === 'ok' ? undefined : codeOf(reply));
      }
      case 'message.dead_lettered': {
        const { message, code } = payloadOf(record, log) as unknown as AgentPayload<'message.dead_lettered'>;
        return this.#ended(message, record, code);
      }
      case 'message.sent':
        this.#leaves(record, log);
        return [];
      case 'message.delivered': {
        const { message, code } = payloadOf(record, log) as unknown as AgentPayload<'message.delivered'>;
        return end(this.#sent, message, record, code ?? undefined);
      }
      case ACTION_EVENTS.decided:
        return this.#decided(agent, record, log);
      case ACTION_EVENTS.settled: {
        const { key, outcome } = payloadOf(record, log) as unknown as ActionSettled;
        return end(this.#effects, key, record, outcome.type === 'ok' ? undefined : codeOf(outcome));
      }
      case ACTION_EVENTS.abandoned: {
        const { key, code } = payloadOf(record, log) as unknown as { key: string; code: string };
        return end(this.#effects, key, record, code);
      }
      default:
        return [];
    }
  }

  #accepted(agent: string, record: LogRecord, log: EventLog): void {
    const { message, kind, name, from } = payloadOf(record, log) as unknown as AgentPayload<'message.accepted'>;
    const { correlation = message, principal, actor } = record;
    const traceId = hexOf(correlation);
    const isFromAgent = from !== null && from !== OPERATOR && (kind === 'ask' || kind === 'tell');
    const sender = isFromAgent ? this.#actors.get(from) : undefined;
    // From elsewhere it has the id already under which it was sent (S3).
    const id = principal !== undefined || sender === undefined ? message : arrivalIdOf(sender, message);
    const parent = isFromAgent ? { parentId: sendingId(id) } : {};
    const attributes = { ...about(record, log), 'gen_ai.agent.name': agent };
    const base = { traceId, links: [], startMs: record.wallMs };
    const receive: Open = {
      ...{ ...base, ...parent, spanId: receivingId(id), kind: 'consumer', name: `receive ${name}` },
      attributes: {
        ...attributes,
        'messaging.operation.type': 'receive',
        ...(from === null ? {} : { 'ringmesh.from': from }),
      },
    };
    const turn: Open = {
      ...{ ...base, parentId: receive.spanId, spanId: turnId(id), kind: 'internal', name: `invoke_agent ${agent}` },
      attributes: { ...attributes, 'gen_ai.operation.name': 'invoke_agent', 'ringmesh.message': name },
    };
    put(this.#turns, message, { receive, turn, actor });
  }

  /** The turn, and having received its message: both are over. */
  #ended(message: string, record: LogRecord, error: string | undefined): readonly Span[] {
    const open = this.#turns.get(message);
    this.#turns.delete(message);
    if (open === undefined) return [];
    return [closed(open.turn, record, error), closed(open.receive, record, error)];
  }

  #leaves(record: LogRecord, log: EventLog): void {
    const { message, to, name, turn: id } = payloadOf(record, log) as unknown as AgentPayload<'message.sent'>;
    const turn = this.#turns.get(id)?.turn;
    const traceId = hexOf(id);
    const links = turn === undefined || turn.traceId === traceId ? [] : [placeOf(turn)];
    put(this.#sent, message, {
      ...{ traceId, spanId: sendingId(arrivalIdOf(record.actor, message)), links },
      ...(turn?.traceId === traceId ? { parentId: turn.spanId } : {}),
      ...{ name: `send ${name}`, kind: 'producer', startMs: record.wallMs },
      attributes: { ...about(record, log), 'messaging.operation.type': 'send', 'ringmesh.to': to },
    });
  }

  #decided(agent: string, record: LogRecord, log: EventLog): readonly Span[] {
    const decided = payloadOf(record, log) as unknown as ActionDecided;
    const { key, verb, target, attempt, refused, ring, note } = decided;
    const { turn: id, ordinal } = note;
    if (typeof id !== 'string' || typeof ordinal !== 'number') return [];
    const turn = this.#turns.get(id)?.turn;
    const sent = arrivalIdOf(record.actor, eventIdOf(id, 'message', ordinal));
    const isFirstAsk = verb === 'ask' && attempt === 1;
    const open: Open = {
      traceId: turn?.traceId ?? hexOf(record.correlation ?? id),
      ...(turn === undefined ? {} : { parentId: turn.spanId }),
      spanId: isFirstAsk ? sendingId(sent) : sendingId(eventIdOf('span', key, attempt)),
      links: [],
      ...{ name: nameOf(verb, target), kind: verb === 'ask' ? 'client' : 'internal', startMs: record.wallMs },
      attributes: {
        ...about(record, log),
        'gen_ai.agent.name': agent,
        ...(verb === 'use' ? { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': target } : {}),
        'ringmesh.target': target,
        'ringmesh.attempt': attempt,
        ...(ring === null ? {} : { 'ringmesh.ring': ring }),
        ...(record.decision === undefined
          ? {}
          : { 'ringmesh.verdict': record.decision.verdict, 'ringmesh.code': record.decision.code }),
      },
    };
    if (refused !== null) return [closed(open, record, codeOf(refused.outcome))];
    put(this.#effects, key, open);
    return [];
  }
}

/** Where it stands. */
function about({ index }: LogRecord, { origin }: EventLog): Attributes {
  return { 'ringmesh.log': origin, 'ringmesh.event': index };
}

function nameOf(verb: ActionDecided['verb'], target: string): string {
  if (verb === 'use') return `execute_tool ${target}`;
  return verb === 'spawn' ? `create_agent ${target}` : `${verb} ${target}`;
}

function end(from: Map<string, Open>, key: string, record: LogRecord, error: string | undefined): readonly Span[] {
  const open = from.get(key);
  from.delete(key);
  return open === undefined ? [] : [closed(open, record, error)];
}

/** Clocks may go back; a span does not. */
function closed(open: Open, { wallMs }: LogRecord, error: string | undefined): Span {
  return { ...open, endMs: Math.max(open.startMs, wallMs), ...(error === undefined ? {} : { error }) };
}

function codeOf(outcome: { readonly type: string; readonly code?: unknown }): string {
  return typeof outcome.code === 'string' ? outcome.code : outcome.type;
}

function placeOf({ traceId, spanId }: Open): SpanPlace {
  return { traceId, spanId };
}

function put<V>(into: Map<string, V>, key: string, value: V): void {
  into.set(key, value);
  const [oldest] = into.keys();
  if (into.size > OPEN_MAX && oldest !== undefined) into.delete(oldest);
}

/** S2. */
function hexOf(uuid: string): string {
  return uuid.replaceAll('-', '');
}

/** S3. */
function sendingId(uuid: string): string {
  return hexOf(uuid).slice(0, 16);
}

function receivingId(uuid: string): string {
  return hexOf(uuid).slice(16);
}

function turnId(uuid: string): string {
  return sendingId(eventIdOf('turn', uuid));
}
