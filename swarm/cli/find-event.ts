import { type LogRecord, parseEventId } from '../../runtime/codec/record.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';

/** The event that the user named by its index or its id. @throws `event.not_found` */
export function findEvent(log: EventLog, event: string): LogRecord {
  const id = parseEventId(event);
  const index = /^\d{1,15}$/.test(event) ? Number(event) : id.ok ? log.find(id.value) : undefined;
  const [record] = index === undefined || index >= log.size ? [] : [...log.read(index, index + 1)];
  if (record !== undefined) return record;
  throw new CodedError('event.not_found', `expected an event by its index or id, found none for ${event}`);
}
