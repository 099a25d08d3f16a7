/** Ids of events: fresh ones that sort by time, and ones that follow from what they name. */
import { sha256 } from '../codec/digest.ts';
import { type EventId, parseEventId } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import { unwrap } from '../core/result.ts';
import { formatUuid, uuidv7 } from '../core/uuid.ts';

export function newEventId(clock: Clock, random: Random): EventId {
  return unwrap(parseEventId(uuidv7(clock, random)), 'a UUID');
}

/** The one UUID, version 8 (RFC 9562 section 5.8), of these words: who names the same thing again names it alike, so that
 *  a repeated append or message is known as a repetition. */
export function eventIdOf(...words: readonly (string | number)[]): EventId {
  const bytes = sha256(utf8(JSON.stringify(words))).slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return unwrap(parseEventId(formatUuid(bytes)), 'sixteen bytes are a UUID');
}
