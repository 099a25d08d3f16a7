/**
 * The order of a log, decided purely: which index, version and time an event gets, and why an append is refused. It knows
 * what was sequenced before, durable or not; it waits for nothing and writes nothing.
 *
 * Q1. Indexes are consecutive. Versions are consecutive within a stream.
 * Q2. (wallMs, counter) strictly increases with the index, whatever the clock does.
 * Q3. A refusal changes nothing.
 */

import { Buffer } from 'node:buffer';
import { type Digest, sha256 } from '../codec/digest.ts';
import { canonicalJson } from '../codec/json.ts';
import { hashLeaf } from '../codec/merkle.ts';
import {
  type DigestText,
  digestText,
  encodeRecord,
  type LogRecord,
  type Payload,
  type StreamId,
} from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import type { Millis } from '../core/brand.ts';
import { CodedError } from '../core/errors.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_EVENTS_MAX,
  BLOB_BYTES_MAX,
  PAYLOAD_INLINE_BYTES_MAX,
  RECORD_BYTES_MAX,
} from '../core/limits.ts';
import type { ExpectedVersion, NewEvent, NewPayload, Recorded, Write } from './event-log.ts';
import type { StreamRun } from './store.ts';

/** An event with its place in the log, not yet durable. */
export type Sequenced = Recorded & { readonly bytes: Uint8Array };

export type Blob = { readonly digest: Digest; readonly bytes: Uint8Array };

/** One append, sequenced. */
export type Sequence = {
  readonly events: readonly Sequenced[];
  readonly blobs: readonly Blob[];
  readonly byteLength: number;
};

/** An expected version that was not met: somebody else appended to the stream first. Nothing was written. */
export class ConflictError extends CodedError {
  override readonly name = 'ConflictError';
  readonly stream: StreamId;
  readonly expected: ExpectedVersion;
  readonly actual: number;
  constructor(stream: StreamId, expected: ExpectedVersion, actual: number) {
    const found = actual === -1 ? 'no such stream' : `version ${actual}`;
    super('log.conflict', `expected ${stream} at version ${expected}, found ${found}`);
    this.stream = stream;
    this.expected = expected;
    this.actual = actual;
  }
}

export class Sequencer {
  readonly #origin: DigestText;
  readonly #versionOf: (stream: StreamId) => number;
  #next: number;
  #wallMs: Millis;
  #counter: number;

  /** `versionOf` answers for streams at this moment, pending events included; -1 for none. */
  constructor(
    origin: DigestText,
    last: { readonly size: number; readonly wallMs: Millis; readonly counter: number },
    versionOf: (stream: StreamId) => number,
  ) {
    this.#origin = origin;
    this.#versionOf = versionOf;
    this.#next = last.size;
    this.#wallMs = last.wallMs;
    this.#counter = last.counter;
  }

  /** The index that the next event will get. */
  get next(): number {
    return this.#next;
  }

  /** The hybrid clock of the last event sequenced. */
  get time(): { readonly wallMs: Millis; readonly counter: number } {
    return { wallMs: this.#wallMs, counter: this.#counter };
  }

  /** Sequences one append at wall time `at`.
   *  @throws `log.conflict` · `log.too_large` · `json.not_data` (Q3) */
  sequence(writes: readonly Write[], at: Millis): Sequence {
    this.#checkExpected(writes);
    let [index, wallMs, counter] = [this.#next, this.#wallMs, this.#counter];
    const events: Sequenced[] = [];
    const blobs: Blob[] = [];
    let byteLength = 0;
    for (const { stream, events: added } of writes) {
      let version = this.#versionOf(stream);
      for (const event of added) {
        version += 1;
        [wallMs, counter] = at > wallMs ? [at, 0] : [wallMs, counter + 1];
        const { payload, json, blob } = storePayload(event.payload);
        const record = recordOf(event, { origin: this.#origin, index, stream, version, wallMs, counter, payload });
        const bytes = encodeRecord(record, json);
        if (bytes.length > RECORD_BYTES_MAX) throw tooLarge(`a record of ${RECORD_BYTES_MAX} bytes`, bytes.length);
        if (blob !== undefined) blobs.push(blob);
        byteLength += bytes.length + (blob?.bytes.length ?? 0);
        events.push({ index, id: event.id, stream, version, wallMs, leaf: hashLeaf(bytes), bytes });
        index += 1;
      }
    }
    if (byteLength > BATCH_BYTES_MAX) throw tooLarge(`an append of ${BATCH_BYTES_MAX} bytes`, byteLength);
    [this.#next, this.#wallMs, this.#counter] = [index, wallMs, counter];
    return { events, blobs, byteLength };
  }

  /** Whether recording `event` would have given the record that `bytes` are: the same content at the place it has. */
  isSameEvent(event: NewEvent, stream: StreamId, recorded: LogRecord, bytes: Uint8Array): boolean {
    const { index, version, wallMs, counter, origin } = recorded;
    const { payload, json } = storePayload(event.payload);
    const again = recordOf(event, { origin, index, stream, version, wallMs, counter, payload });
    return Buffer.compare(encodeRecord(again, json), bytes) === 0;
  }

  #checkExpected(writes: readonly Write[]): void {
    const count = writes.reduce((sum, write) => sum + write.events.length, 0);
    assert(count >= 1, 'append: at least one event');
    if (count > BATCH_EVENTS_MAX) throw tooLarge(`an append of ${BATCH_EVENTS_MAX} events`, count);
    const streams = new Set<StreamId>();
    for (const { stream, expected } of writes) {
      assert(!streams.has(stream), 'append: one write per stream');
      streams.add(stream);
      const actual = this.#versionOf(stream);
      if (!isMet(expected, actual)) throw new ConflictError(stream, expected, actual);
    }
  }
}

/** Where the event is, without its bytes. */
export function placeOf({ index, id, stream, version, wallMs, leaf }: Sequenced): Recorded {
  return { index, id, stream, version, wallMs, leaf };
}

/** The events by stream: versions of one stream are consecutive within a batch (Q1). */
export function runsOf(events: readonly Sequenced[]): readonly StreamRun[] {
  const runs = new Map<StreamId, { stream: StreamId; version: number; indexes: number[] }>();
  for (const { stream, version, index } of events) {
    const run = runs.get(stream);
    if (run === undefined) runs.set(stream, { stream, version, indexes: [index] });
    else run.indexes.push(index);
  }
  return [...runs.values()];
}

function isMet(expected: ExpectedVersion, actual: number): boolean {
  if (expected === 'any') return true;
  return expected === 'none' ? actual === -1 : actual === expected;
}

/** Fields are set one by one: spreading costs an append more than the hash of its record does. */
function recordOf(
  event: NewEvent,
  place: Pick<LogRecord, 'origin' | 'index' | 'stream' | 'version' | 'wallMs' | 'counter' | 'payload'>,
): LogRecord {
  const { id, type, typeVersion = 1, actor, principal, correlation, cause, envelope, decision, erasure } = event;
  const { origin, index, stream, version, wallMs, counter, payload } = place;
  const record: { -readonly [K in keyof LogRecord]: LogRecord[K] } = {
    origin,
    index,
    id,
    stream,
    version,
    type,
    typeVersion,
    wallMs,
    counter,
    actor,
    payload,
    replay: event.replay ?? 'state',
  };
  if (principal !== undefined) record.principal = principal;
  if (correlation !== undefined) record.correlation = correlation;
  if (cause !== undefined) record.cause = cause;
  if (envelope !== undefined) record.envelope = envelope;
  if (decision !== undefined) record.decision = decision;
  if (erasure !== undefined) record.erasure = erasure;
  return record;
}

/** What goes into the record, and what goes beside it because it is long. */
function storePayload(payload: NewPayload): {
  readonly payload: Payload;
  /** The canonical text of a payload that stands in the record as JSON. */
  readonly json?: string;
  readonly blob?: Blob;
} {
  switch (payload.type) {
    case 'json': {
      const text = canonicalJson(payload.value);
      if (!text.ok) throw new CodedError(text.error.code, text.error.message);
      const length = Buffer.byteLength(text.value);
      if (length <= PAYLOAD_INLINE_BYTES_MAX) return { payload, json: text.value };
      return storeBlob('application/json', Buffer.from(text.value, 'utf8'));
    }
    case 'bytes':
      return payload.bytes.length <= PAYLOAD_INLINE_BYTES_MAX ? { payload } : storeBlob(payload.media, payload.bytes);
  }
}

function storeBlob(media: string, bytes: Uint8Array): { readonly payload: Payload; readonly blob: Blob } {
  if (bytes.length > BLOB_BYTES_MAX) throw tooLarge(`a payload of ${BLOB_BYTES_MAX} bytes`, bytes.length);
  const digest = sha256(bytes);
  return {
    payload: { type: 'blob', media, digest: digestText(digest), length: bytes.length },
    blob: { digest, bytes },
  };
}

function tooLarge(limit: string, found: number): CodedError {
  return new CodedError('log.too_large', `expected at most ${limit}, found ${found}`);
}
