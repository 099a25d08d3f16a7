/**
 * A short way to read most records: those of no envelope, decision or erasure whose payload is inline JSON. Verifying a log
 * is decoding each of its records, and this takes half the time of parsing the whole and writing it again.
 *
 * P1. What it accepts, `decodeRecord` would accept the long way, as the same record. What it does not recognise may still be
 *     a record: the long way tells.
 */
import type { Millis } from '../core/brand.ts';
import { canonicalJson, type JsonValue } from './json.ts';
import {
  type DigestText,
  type EventId,
  type EventType,
  isDid,
  type LogRecord,
  type ReplayClass,
  STREAM,
  type StreamId,
  TYPE,
  UUID,
} from './record-fields.ts';

/** A record in its plain form; `undefined` for any other text. */
export function parsePlain(text: string): LogRecord | undefined {
  const head = HEAD.exec(text);
  const end = text.lastIndexOf(END);
  const replay = REPLAY.get(text.slice(end));
  if (head === null || replay === undefined) return undefined;
  const value = canonicalValue(text.slice(head[0].length, end));
  if (value === undefined) return undefined;
  const [index, version, typeVersion] = [Number(head[2]), Number(head[5]), Number(head[7])];
  const [wallMs, counter] = [Number(head[8]) as Millis, Number(head[9])];
  const [type, actor, principal, correlation] = [head[6], head[10], head[11], head[12]];
  // Sixteen digits may be one number past what a double holds exactly.
  if (Math.max(index, version, typeVersion, wallMs, counter) > Number.MAX_SAFE_INTEGER) return undefined;
  if (!TYPE.test(type as string) || !isDid(actor) || !(principal === undefined || isDid(principal))) return undefined;
  const record: { -readonly [K in keyof LogRecord]: LogRecord[K] } = {
    origin: head[1] as DigestText,
    index,
    id: head[3] as EventId,
    stream: head[4] as StreamId,
    version,
    type: type as EventType,
    typeVersion,
    wallMs,
    counter,
    actor,
    payload: { type: 'json', value },
    replay,
  };
  if (principal !== undefined) record.principal = principal;
  if (correlation !== undefined) record.correlation = correlation as EventId;
  return record;
}

function canonicalValue(text: string): JsonValue | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    const canonical = canonicalJson(value);
    return canonical.ok && canonical.value === text ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const END = '},"r":"';
const REPLAY: ReadonlyMap<string, ReplayClass> = new Map(
  (['state', 'recorded', 'intent', 'outcome'] as const).map((replay) => [`${END}${replay}"}`, replay]),
);

const COUNT = '(0|[1-9][0-9]{0,15})';
const POSITIVE = '([1-9][0-9]{0,15})';
const DIGEST = '([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])';
const ID = `(${bare(UUID)})`;
const DID = '(did:[^"\\\\]+)';
const HEAD = new RegExp(
  `^\\{"v":1,"o":"${DIGEST}","i":${COUNT},"id":"${ID}","s":"(${bare(STREAM)})","n":${COUNT},"t":"([a-z0-9_.]+)",` +
    `"tv":${POSITIVE},"w":${COUNT},"c":${COUNT},"a":"${DID}"(?:,"p":"${DID}")?(?:,"k":"${ID}")?,"x":\\{"j":`,
);

/** A pattern without the anchors that make it one of a whole text. */
function bare(pattern: RegExp): string {
  return pattern.source.slice(1, -1);
}
