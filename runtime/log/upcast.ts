/**
 * Old events in today's shape. Stored bytes never change; what reads them brings each payload, step by step, from the version
 * it was written in to the newest one. One sample of every version stays in `golden/` for ever, so that no step is lost.
 *
 * U1. A step is pure, and total over what its version's schema accepts.
 * U2. An unknown type or a version from the future stops the reader: to skip an event is to invent a history.
 */
import type { JsonValue } from '../codec/json.ts';
import type { LogRecord } from '../codec/record.ts';
import { view } from '../core/bytes.ts';
import { CodedError } from '../core/errors.ts';
import type { EventLog } from './event-log.ts';
import type { LogEventType } from './vocabulary.ts';

/** From one version of a payload's schema to the next (U1). */
export type Step = (data: JsonValue) => JsonValue;

/** By type, the steps from version 1 on: a type with no step is in its first version still. */
export type Upcasts = { readonly [type: string]: readonly Step[] };

/** An event whose payload is JSON, in the newest version of its schema. */
export type Upcast = Omit<LogRecord, 'payload'> & { readonly data: JsonValue };

/** The steps of the log's own events. */
export const LOG_UPCASTS = {
  'import.recorded': [],
  'log.filled': [],
  'log.succeeded': [],
} as const satisfies { readonly [T in LogEventType]: readonly Step[] };

/**
 * The event as today's code knows it.
 * @throws `event.unknown_type` · `event.newer_version` (U2) · as `jsonOf`
 */
export function upcast(upcasts: Upcasts, event: LogRecord, log: Pick<EventLog, 'blob'>): Upcast {
  const { data, typeVersion } = upcastData(upcasts, event, log);
  const { payload: _, ...rest } = event;
  return { ...rest, typeVersion, data };
}

/** The same without the event around it: what a fold of every event can afford. @throws as `upcast` */
export function upcastData(
  upcasts: Upcasts,
  event: LogRecord,
  log: Pick<EventLog, 'blob'>,
): Pick<Upcast, 'data' | 'typeVersion'> {
  const steps = Object.hasOwn(upcasts, event.type) ? upcasts[event.type] : undefined;
  if (steps === undefined) {
    throw new CodedError('event.unknown_type', `expected a known type at index ${event.index}, found ${event.type}`);
  }
  const newest = steps.length + 1;
  if (event.typeVersion > newest) {
    const found = `found ${event.typeVersion} at index ${event.index}: a newer program wrote it`;
    throw new CodedError('event.newer_version', `expected ${event.type} in version ${newest} at most, ${found}`);
  }
  let data = jsonOf(event, log);
  for (const step of steps.slice(event.typeVersion - 1)) data = step(data);
  return { typeVersion: newest, data };
}

/**
 * An event's JSON, whether it stands in the record or, being long, in a blob.
 * @throws `event.not_json` other bytes than JSON · `event.payload_missing` a blob that is not there · `log.damaged`
 */
export function jsonOf({ index, payload }: LogRecord, log: Pick<EventLog, 'blob'>): JsonValue {
  if (payload.type === 'json') return payload.value;
  if (payload.type === 'bytes' || payload.media !== 'application/json') {
    throw new CodedError('event.not_json', `expected JSON at index ${index}, found ${payload.media}`);
  }
  const bytes = log.blob(payload.digest);
  if (bytes === undefined) {
    throw new CodedError(
      'event.payload_missing',
      `expected the payload of event ${index}, found no blob of its digest`,
    );
  }
  return parse(bytes, index);
}

/** Whoever appends bytes may call them JSON: the media type is theirs. */
function parse(bytes: Uint8Array, index: number): JsonValue {
  try {
    return JSON.parse(view(bytes).toString('utf8')) as JsonValue;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('event.not_json', `expected JSON at index ${index}, found other text`, { cause: error });
  }
}
