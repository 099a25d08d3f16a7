/**
 * The events of agents, their messages, turns and timers: the schema of each version's payload. They stand in the stream
 * `agent/<name>`, but for `host.exited`, which stands in `host/<contract>`. What actions leave there is in
 * `runtime/kernel/action-events.ts`. One sample of every version is kept for ever under `golden/`.
 */
import { z } from 'zod';
import type { JsonValue } from '../codec/json.ts';
import type { LogRecord } from '../codec/record.ts';
import type { EventLog } from '../log/event-log.ts';
import { jsonOf, type Step, upcastData } from '../log/upcast.ts';

const id = z.string();
const count = z.int().nonnegative();
const data = z.json() as z.ZodType<JsonValue>;
const outcome = z.looseObject({
  type: z.enum(['ok', 'denied', 'busy', 'timeout', 'died', 'invalid', 'failed', 'unknown']),
});
const wait = z.strictObject({
  ordinal: count,
  name: z.string(),
  digest: z.string(),
  event: z.string().nullable(),
  until: z.int().nullable(),
});

/** How it was judged, beside the decision of the same record: what is needed to take from rates, and to decide, again. Where a
 *  record says neither the moment nor the ring, they are `null`. */
const judged = z.strictObject({
  at: z.int().nullable(),
  /** What was owed for the yes, buckets to be taken from among it. */
  owed: z.array(z.object({ kind: z.string() }).catchall(data)).readonly(),
  ring: z.int().nullable(),
  risk: z.int().min(0).max(4),
});
/** The same of a message to an agent of this node: under the contract of its receiver. */
const judgedHere = judged.extend({ contract: z.string() });
const retried = z.strictObject({ message: id, retry: id });
const accepted = z.strictObject({
  message: id,
  kind: z.enum(['ask', 'tell', 'timer', 'notice', 'signal']),
  name: z.string(),
  body: data,
  from: z.string().nullable(),
  chain: z.array(z.string()),
  deadline: z.int().nullable(),
});
const sent = z.strictObject({
  turn: id,
  message: id,
  to: z.string(),
  contract: z.string(),
  name: z.string(),
  body: data,
  retry_until: z.int(),
});
const parked = z.strictObject({
  turn: id,
  at: z.int(),
  start: count,
  entries: count,
  digest: z.string(),
  waits: z.array(wait),
});
/** Answers that the turn was given and that no event of their own records, in order. */
const told = z.array(z.strictObject({ ordinal: count, name: z.string(), digest: z.string(), outcome }));

export const AGENT_EVENTS = {
  /** An instance of an agent begins: the first, or the next after an exit. */
  'agent.started': {
    1: z.strictObject({
      contract: z.string(),
      digest: z.string(),
      parent: z.string().nullable(),
      restart: z.enum(['permanent', 'transient', 'temporary']),
      stop_within_ms: count,
      supervise: z.record(z.string(), data),
      instance: z.int().positive(),
    }),
  },
  /** An instance ends. */
  'agent.exited': {
    1: z.strictObject({
      instance: z.int().positive(),
      why: z.enum(['stopped', 'failed', 'given_up']),
      message: z.string(),
      /** Whether its supervisor starts the next instance. */
      returns: z.boolean(),
    }),
  },
  /** Its turn is over, in which it has asked to stop. */
  'agent.leaving': { 1: z.strictObject({}) },
  /** An operator has stopped it from taking turns; what arrives waits. */
  'agent.suspended': { 1: z.strictObject({ why: z.string() }) },
  'agent.resumed': { 1: z.strictObject({}) },
  /** What a supervisor made of the end of a child; in the supervisor's stream. */
  'supervisor.decided': {
    1: z.strictObject({
      child: z.string(),
      verdict: z.enum(['forget', 'restart', 'give_up']),
      stop: z.array(z.string()),
      start: z.array(z.string()),
      delay_ms: count,
      incident: z.string(),
    }),
  },
  /** A message will be answered, or dead-lettered: the promise that senders wait for. */
  'message.accepted': {
    1: accepted,
    /** What this node decided about a message of another; `null` for messages that are not decided here, and for those of
     *  version 1. */
    2: accepted.extend({ judged: judgedHere.nullable() }),
  },
  /** A message that was accepted will not be answered. */
  'message.dead_lettered': {
    1: z.strictObject({ message: id, code: z.string(), detail: z.string(), attempts: count }),
  },
  /** A dead letter was put back, as another message. */
  'message.retried': {
    1: retried,
    /** What was decided about a message that an agent had sent; `null` for others, and for those of version 1. */
    2: retried.extend({ judged: judgedHere.nullable() }),
  },
  /** A fact, in the author's words: what the state is made of. */
  'agent.emitted': { 1: z.strictObject({ turn: id, name: z.string(), data }) },
  /** A message on its way out: durable before anybody sees it. */
  'message.sent': {
    1: sent,
    /** The class that was decided about. Those of version 1 were all decided as of class 1. */
    2: sent.extend({ risk: z.int().min(0).max(4) }),
    3: sent.extend({ judged }),
  },
  /** The other side has accepted what was sent, or never will. */
  'message.delivered': {
    1: z.strictObject({ message: id, type: z.enum(['accepted', 'dead']), code: z.string().nullable() }),
  },
  'timer.armed': {
    1: z.strictObject({ timer: z.string(), at: z.int(), every_ms: z.int().nullable(), name: z.string(), body: data }),
  },
  'timer.cancelled': { 1: z.strictObject({ timer: z.string() }) },
  /** Recorded together with the message that it is. */
  'timer.fired': { 1: z.strictObject({ timer: z.string(), late_ms: count, next_at: z.int().nullable() }) },
  'watch.begun': { 1: z.strictObject({ agent: z.string(), name: z.string() }) },
  /** The last segment of a turn: the message is answered. */
  'turn.committed': {
    1: z.strictObject({ turn: id, reply: outcome, emitted: count, state: z.string(), late: z.boolean() }),
  },
  /** A segment that is not the last: the turn waits. */
  'turn.parked': { 1: parked, 2: parked.extend({ told }) },
  /** A wait of a parked turn has ended, and the turn goes on. */
  'turn.woken': {
    1: z.strictObject({
      turn: id,
      at: z.int(),
      ordinal: count,
      name: z.string(),
      digest: z.string(),
      outcome,
      emitted: count,
      signal: id.nullable(),
    }),
  },
  /** An attempt at a turn came to nothing: nothing of it is committed. */
  'turn.failed': {
    1: z.strictObject({ turn: id, attempt: z.int().positive(), code: z.string(), message: z.string() }),
  },
  /** A turn entered again does not do what it did: its code has changed. An operator decides. */
  'turn.stuck': { 1: z.strictObject({ turn: id, expected: z.string(), found: z.string() }) },
  /** A process that ran agents has ended. */
  'host.exited': { 1: z.strictObject({ host: z.string(), code: z.string(), message: z.string() }) },
} as const;

export type AgentEventType = keyof typeof AGENT_EVENTS;
/** The payload in its newest version. */
export type AgentPayload<T extends AgentEventType> = Newest<(typeof AGENT_EVENTS)[T]>;
type Newest<V> = V extends { readonly 3: z.ZodType<infer P> }
  ? P
  : V extends { readonly 2: z.ZodType<infer P> }
    ? P
    : V extends { readonly 1: z.ZodType<infer P> }
      ? P
      : never;

/** An event of any of these types, told apart by `type`. */
export type AgentEvent = {
  [T in AgentEventType]: { readonly type: T; readonly payload: AgentPayload<T> };
}[AgentEventType];

type Fields = { readonly [name: string]: JsonValue };

/** By type, the steps from version 1 to the newest. */
export const AGENT_UPCASTS: { readonly [T in AgentEventType]: readonly Step[] } = {
  'agent.started': [],
  'agent.exited': [],
  'agent.leaving': [],
  'agent.suspended': [],
  'agent.resumed': [],
  'supervisor.decided': [],
  'message.accepted': [(data) => ({ ...(data as Fields), judged: null })],
  'message.dead_lettered': [],
  'message.retried': [(data) => ({ ...(data as Fields), judged: null })],
  'agent.emitted': [],
  'message.sent': [
    (data) => ({ ...(data as Fields), risk: 1 }),
    (data) => {
      const { risk = 1, ...rest } = { ...(data as Fields) };
      return { ...rest, judged: { at: null, owed: [], ring: null, risk } };
    },
  ],
  'message.delivered': [],
  'timer.armed': [],
  'timer.cancelled': [],
  'timer.fired': [],
  'watch.begun': [],
  'turn.committed': [],
  'turn.parked': [(data) => ({ ...(data as Fields), told: [] })],
  'turn.woken': [],
  'turn.failed': [],
  'turn.stuck': [],
  'host.exited': [],
};

/** The version in which an event of this type is written today, as `NewEvent` has it. */
export function versionOf(type: AgentEventType): { readonly typeVersion?: number } {
  const { length } = AGENT_UPCASTS[type];
  return length === 0 ? {} : { typeVersion: length + 1 };
}

/** What an agent's stream says, in today's shape; `undefined` for events that are nothing to an agent's fold.
 *  @throws as `upcast` */
export function payloadOf(record: LogRecord, log: Pick<EventLog, 'blob'>): JsonValue | undefined {
  if (Object.hasOwn(AGENT_UPCASTS, record.type)) return upcastData(AGENT_UPCASTS, record, log).data;
  return record.type.startsWith('action.') ? jsonOf(record, log) : undefined;
}
