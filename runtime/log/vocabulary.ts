/**
 * The events that the log itself knows: their types, the schema of each version's payload, and builders. Other rooms keep
 * theirs beside their code; a name is taken once. Golden files under `golden/` hold one sample of every version for ever.
 */
import { z } from 'zod';
import type { Did } from '../codec/did.ts';
import type { JsonValue } from '../codec/json.ts';
import { type EventId, type EventType, parseEventType } from '../codec/record.ts';
import { unwrap } from '../core/result.ts';
import type { NewEvent } from './event-log.ts';

const digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const count = z.int().nonnegative();

/** By type, then by schema version. */
export const LOG_EVENTS = {
  /** A fact that somebody else recorded, taken over as it was: `log append` writes these. */
  'import.recorded': { 1: z.json() },
  /** The disk was full; written from the reserve. Nothing was lost, and nothing more is accepted until there is room. */
  'log.filled': { 1: z.strictObject({ size: count, reserve_bytes: count }) },
  /** Record 0 of every epoch but the first: where the epoch before ended, and where each stream stood. */
  'log.succeeded': {
    1: z.strictObject({
      origin: z.string(),
      size: count,
      root: digest,
      reason: z.string(),
      /** What the anchor held, if it held anything: with the size above it shows how much was lost. */
      anchored: z.strictObject({ size: count, root: digest }).optional(),
      /** In the order of their names. A list, since names are anybody's choice and `__proto__` is one. */
      streams: z.array(z.strictObject({ stream: z.string(), version: count, leaf: digest })),
    }),
  },
} as const;

export type LogEventType = keyof typeof LOG_EVENTS;

/** The payload of an event of the log's own, in its newest version. */
export type LogEventPayload<T extends LogEventType> = z.infer<(typeof LOG_EVENTS)[T][1]>;

/** An event of the log's own, checked against its schema. */
export function logEvent<T extends LogEventType>(
  type: T,
  payload: LogEventPayload<T>,
  by: { readonly id: EventId; readonly actor: Did },
): NewEvent {
  const value = LOG_EVENTS[type][1].parse(payload) as JsonValue;
  return { ...by, type: eventType(type), payload: { type: 'json', value } };
}

export function eventType(text: string): EventType {
  return unwrap(parseEventType(text), 'an event type in the source');
}
