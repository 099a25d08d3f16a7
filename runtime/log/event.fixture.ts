/** Events to append in tests. */
import { parseDid } from '../codec/did.ts';
import { type EventId, parseEventId, parseStreamId, type StreamId } from '../codec/record.ts';
import { unwrap } from '../core/result.ts';
import type { ExpectedVersion, NewEvent, Write } from './event-log.ts';
import { eventType } from './vocabulary.ts';

export const TESTER = unwrap(parseDid('did:example:tester'), 'a DID in the source');

export function eventId(n: number): EventId {
  return unwrap(parseEventId(`00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`), 'an id from a number');
}

export function streamId(name: string): StreamId {
  return unwrap(parseStreamId(name), 'a stream in the source');
}

/** Event number `n`: its id and its payload tell it from every other. */
export function event(n: number, over: Partial<NewEvent> = {}): NewEvent {
  const payload = { type: 'json', value: { n } } as const;
  return { id: eventId(n), type: eventType('import.recorded'), actor: TESTER, payload, ...over };
}

/** Events `from … to - 1`. */
export function events(from: number, to: number): readonly NewEvent[] {
  return Array.from({ length: to - from }, (_, n) => event(from + n));
}

export function write(stream: string, added: readonly NewEvent[], expected: ExpectedVersion = 'any'): Write {
  return { stream: streamId(stream), expected, events: added };
}
