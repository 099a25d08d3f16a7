/**
 * Record format 1: one event as one line of JSON, byte for byte decided by its content (docs/spec/log.md section 2).
 *
 * R1. A record is canonical iff `encodeRecord(decodeRecord(bytes))` equals `bytes`; nothing else is a record.
 * R2. `encodeRecord` is the one writer of this version: fields in a fixed order, integers only, binary as base64url.
 * R3. A payload is the author's. Its inline JSON is canonical (`json.ts`); any other bytes are opaque, with a media type.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { AssertionError, assert, unreachable } from '../core/assert.ts';
import { toBase64url, view } from '../core/bytes.ts';
import { PAYLOAD_DEPTH_MAX, RECORD_BYTES_MAX, STREAM_ID_BYTES_MAX } from '../core/limits.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';
import { type Digest, formatDigest } from './digest.ts';
import { canonicalJson } from './json.ts';
import { placeOf, scanJson } from './json-scan.ts';
import {
  type Cause,
  DELEGATIONS_MAX,
  type DigestText,
  type Erasure,
  type EventId,
  type EventType,
  faultIn,
  fromWire,
  type LogRecord,
  MEDIA,
  type Payload,
  type RecordedDecision,
  type ReplayClass,
  STREAM,
  type StreamId,
  TYPE,
  UUID,
  type Wire,
  WORD,
} from './record-fields.ts';
import { parsePlain } from './record-plain.ts';

export type {
  Cause,
  DigestText,
  Erasure,
  EventId,
  EventType,
  LogRecord,
  Payload,
  RecordedDecision,
  ReplayClass,
  StreamId,
};

export type RecordRefusal = Refusal<'record.malformed' | 'record.not_canonical' | 'record.too_large'>;

/** The bytes of a record. `json` is the canonical text of its JSON payload where the caller has made it already: to make it
 *  twice is a good part of what an append costs.
 *  @throws {AssertionError} `assert.failed`: a field out of its range. Check input with `parseX`, not with this. */
export function encodeRecord(record: LogRecord, json?: string): Uint8Array {
  const text = writeRecord(record, json);
  assert(text !== undefined, 'R2: a payload that is JSON data');
  return Buffer.from(text, 'utf8');
}

/** The record that `bytes` are, and only if they are exactly what this version writes. Never throws on input. */
export function decodeRecord(bytes: Uint8Array): Result<LogRecord, RecordRefusal> {
  if (bytes.length > RECORD_BYTES_MAX) {
    return refuse(
      'record.too_large',
      `expected at most ${RECORD_BYTES_MAX} bytes, found ${bytes.length}`,
      RECORD_BYTES_MAX,
    );
  }
  if (!isUtf8(bytes)) return refuse('record.malformed', 'expected UTF-8', firstNonUtf8(bytes));
  const text = view(bytes).toString('utf8');
  const plain = parsePlain(text);
  if (plain !== undefined) return ok(plain); // P1
  const parsed = parseJson(text);
  if (parsed === undefined) return malformed(text, '');
  const fault = faultIn(parsed);
  if (fault !== undefined) return malformed(text, fault);
  const record = fromWire(parsed as Wire);
  const canonical = writeRecord(record);
  if (canonical === undefined) return malformed(text, '');
  return canonical === text ? ok(record) : notCanonical(text, canonical);
}

/**
 * The record that `bytes` are known to be, because this process wrote or verified them: no check is made, so that a fold
 * costs little more than `JSON.parse`. Bytes from anywhere else go through `decodeRecord`.
 */
export function readRecord(bytes: Uint8Array): LogRecord {
  return fromWire(JSON.parse(view(bytes).toString('utf8')) as Wire);
}

export function digestText(digest: Digest): DigestText {
  return formatDigest(digest) as DigestText;
}

export function parseEventId(text: string): Result<EventId, Refusal<'record.malformed'>> {
  return UUID.test(text) ? ok(text as EventId) : bad(`expected a UUID in lower case, found ${JSON.stringify(text)}`);
}

export function parseStreamId(text: string): Result<StreamId, Refusal<'record.malformed'>> {
  if (STREAM.test(text)) return ok(text as StreamId);
  return bad(
    `expected a stream of 1..${STREAM_ID_BYTES_MAX} of A-Z a-z 0-9 . _ : / @ % + ~ -, found ${JSON.stringify(text)}`,
  );
}

export function parseEventType(text: string): Result<EventType, Refusal<'record.malformed'>> {
  if (TYPE.test(text)) return ok(text as EventType);
  return bad(`expected an event type such as "saga.started", found ${JSON.stringify(text)}`);
}

// --- writing ---------------------------------------------------------------------------------------------------------

/** Ids, digests and DIDs are branded by parsers that let no character through which JSON escapes. */
function writeRecord(r: LogRecord, json?: string): string | undefined {
  const payload = json === undefined ? writePayload(r.payload) : `{"j":${json}}`;
  if (payload === undefined) return undefined;
  return (
    `{"v":1,"o":"${r.origin}","i":${count(r.index)},"id":"${r.id}","s":"${r.stream}","n":${count(r.version)},"t":"${r.type}",` +
    `"tv":${count(r.typeVersion, 1)},"w":${count(r.wallMs)},"c":${count(r.counter)},"a":"${r.actor}"` +
    (r.principal === undefined ? '' : `,"p":"${r.principal}"`) +
    (r.correlation === undefined ? '' : `,"k":"${r.correlation}"`) +
    (r.cause === undefined ? '' : `,"u":{"o":"${r.cause.origin}","i":${count(r.cause.index)},"h":"${r.cause.leaf}"}`) +
    (r.envelope === undefined ? '' : `,"e":"${r.envelope}"`) +
    (r.decision === undefined ? '' : `,"d":${writeDecision(r.decision)}`) +
    `,"x":${payload}` +
    (r.erasure === undefined
      ? ''
      : `,"y":{"s":"${exact(r.erasure.subject, WORD)}","k":"${exact(r.erasure.key, WORD)}"}`) +
    `,"r":"${r.replay}"}`
  );
}

/** Text that no brand vouches for: a quote in it would make a record that nobody can read. */
function exact(text: string, pattern: RegExp): string {
  if (pattern.test(text)) return text;
  throw new AssertionError(`R2: expected text of the form ${pattern}, found ${JSON.stringify(text)}`);
}

/** A number whose type says nothing of its range: half of one would make a record that nobody can read. */
function count(value: number, min = 0): number {
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new AssertionError(`R2: expected an integer from ${min} on, found ${value}`);
}

function atMost<T>(items: readonly T[], max: number): readonly T[] {
  if (items.length <= max) return items;
  throw new AssertionError(`R2: expected at most ${max} items, found ${items.length}`);
}

function writePayload(payload: Payload): string | undefined {
  switch (payload.type) {
    case 'json': {
      const text = canonicalJson(payload.value);
      return text.ok ? `{"j":${text.value}}` : undefined;
    }
    case 'bytes':
      return `{"m":"${exact(payload.media, MEDIA)}","b":"${toBase64url(payload.bytes)}"}`;
    case 'blob':
      return `{"m":"${exact(payload.media, MEDIA)}","h":"${payload.digest}","l":${count(payload.length, 1)}}`;
    default:
      return unreachable(payload);
  }
}

function writeDecision(d: RecordedDecision): string {
  return (
    `{"verdict":"${d.verdict}","code":"${exact(d.code, WORD)}"` +
    (d.rule === undefined ? '' : `,"rule":"${exact(d.rule, WORD)}"`) +
    (d.policy === undefined ? '' : `,"policy":"${d.policy}"`) +
    (d.trust === undefined ? '' : `,"trust":{"score":${count(d.trust.score)},"as_of":${count(d.trust.asOf)}}`) +
    (d.delegations === undefined
      ? ''
      : `,"delegations":[${atMost(d.delegations, DELEGATIONS_MAX)
          .map((cid) => `"${exact(cid, WORD)}"`)
          .join(',')}]`) +
    (d.epochs === undefined
      ? ''
      : `,"epochs":{"trust":${count(d.epochs.trust)},"revocation":${count(d.epochs.revocation)},"kill":${count(d.epochs.kill)}}`) +
    '}'
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

// --- refusing --------------------------------------------------------------------------------------------------------

function malformed(text: string, path: string): Result<never, RecordRefusal> {
  const scan = scanJson(text, PAYLOAD_DEPTH_MAX + 2);
  if (scan.fault !== undefined) return refuse('record.malformed', scan.fault.message, scan.fault.offset);
  const offset = placeOf(text, path, PAYLOAD_DEPTH_MAX + 2);
  return refuse('record.malformed', `expected a valid field ${path === '' ? 'list' : JSON.stringify(path)}`, offset);
}

/** A text that parses and yet is not what the writer writes: a duplicate or unknown name, white space, another order. */
function notCanonical(text: string, canonical: string): Result<never, RecordRefusal> {
  const scan = scanJson(text, PAYLOAD_DEPTH_MAX + 2);
  if (scan.fault !== undefined) return refuse('record.malformed', scan.fault.message, scan.fault.offset);
  let same = 0;
  while (text[same] === canonical[same]) same++;
  const offset = Buffer.byteLength(text.slice(0, same));
  return refuse('record.not_canonical', `expected ${JSON.stringify(canonical.slice(same, same + 12))} here`, offset);
}

function firstNonUtf8(bytes: Uint8Array): number {
  let at = 0;
  for (;;) {
    const lead = bytes[at] ?? 0;
    const width = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (at >= bytes.length || !isUtf8(bytes.subarray(at, at + width))) return at;
    at += width;
  }
}

function refuse(code: RecordRefusal['code'], message: string, offset: number): Result<never, RecordRefusal> {
  return err({ code, message, offset });
}

function bad(message: string): Result<never, Refusal<'record.malformed'>> {
  return err({ code: 'record.malformed', message });
}
