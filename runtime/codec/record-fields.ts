/**
 * What a record holds, what each field may be, and how the fields' own short names become a `LogRecord`. Import the types
 * from `record.ts`, which decides which bytes are a record at all.
 */
import { Buffer } from 'node:buffer';
import type { Brand, Millis } from '../core/brand.ts';
import { fromBase64url } from '../core/bytes.ts';
import { STREAM_ID_BYTES_MAX } from '../core/limits.ts';
import { type Did, parseDid } from './did.ts';
import type { JsonValue } from './json.ts';

/** A UUID (RFC 9562) in lower case, chosen by whoever appends: the idempotency key of its event. Ours are version 7. */
export type EventId = Brand<string, 'EventId'>;

/** The name of a stream: 1 to 200 characters of `A-Z a-z 0-9 . _ : / @ % + ~ -`. */
export type StreamId = Brand<string, 'StreamId'>;

/** What happened: past tense, dotted, `saga.started`. */
export type EventType = Brand<string, 'EventType'>;

/** A digest as records write it: 43 characters of base64url. */
export type DigestText = Brand<string, 'DigestText'>;

/** What a replay may do with the event: fold it, take it as a recorded answer, or read it as an effect begun or ended. */
export type ReplayClass = 'state' | 'recorded' | 'intent' | 'outcome';

/** The author's data: JSON, opaque bytes with a media type, or the digest and length of bytes in the blob store. */
export type Payload =
  | { readonly type: 'json'; readonly value: JsonValue }
  | { readonly type: 'bytes'; readonly media: string; readonly bytes: Uint8Array }
  | { readonly type: 'blob'; readonly media: string; readonly digest: DigestText; readonly length: number };

/** An event of some log, this one or another, held fast by its leaf hash. */
export type Cause = { readonly origin: DigestText; readonly index: number; readonly leaf: DigestText };

/** What was decided about an action, by which rule, on which view of the facts. */
export type RecordedDecision = {
  readonly verdict: 'allow' | 'deny' | 'escalate';
  readonly code: string;
  readonly rule?: string;
  readonly policy?: DigestText;
  readonly trust?: { readonly score: number; readonly asOf: number };
  readonly delegations?: readonly string[];
  readonly epochs?: { readonly trust: number; readonly revocation: number; readonly kill: number };
};

/** Under which subject's key the payload is encrypted; without that key it is erased. */
export type Erasure = { readonly subject: string; readonly key: string };

/** One event as it stands in a log. The letter before each field is its name in the bytes. */
export type LogRecord = {
  /** `o` SHA-256 of the log's origin line: a record cannot move to another log. */
  readonly origin: DigestText;
  /** `i` Its place in the log, from 0: the leaf index. */
  readonly index: number;
  /** `id` */
  readonly id: EventId;
  /** `s` */
  readonly stream: StreamId;
  /** `n` Its place in the stream, from 0, without gaps. */
  readonly version: number;
  /** `t` */
  readonly type: EventType;
  /** `tv` The version of that type's payload schema, from 1. */
  readonly typeVersion: number;
  /** `w` Wall clock, never decreasing within a log. */
  readonly wallMs: Millis;
  /** `c` Counts events of one millisecond: (w, c) is a hybrid logical clock. */
  readonly counter: number;
  /** `a` Who acted. */
  readonly actor: Did;
  /** `p` On whose behalf. */
  readonly principal?: Did;
  /** `k` What belongs together, across logs. */
  readonly correlation?: EventId;
  /** `u` What brought it about. */
  readonly cause?: Cause;
  /** `e` The envelope that brought it, by the digest of its claims. */
  readonly envelope?: DigestText;
  /** `d` */
  readonly decision?: RecordedDecision;
  /** `x` */
  readonly payload: Payload;
  /** `y` */
  readonly erasure?: Erasure;
  /** `r` */
  readonly replay: ReplayClass;
};

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const STREAM = new RegExp(`^[A-Za-z0-9._:/@%+~-]{1,${STREAM_ID_BYTES_MAX}}$`);
export const TYPE = /^(?=.{1,64}$)[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+$/;
export const MEDIA = /^(?=.{1,100}$)[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;
/** What `parseDigestText` accepts: 32 bytes leave two bits of the last character unused, and those are zero. */
const DIGEST = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
export const WORD = /^[A-Za-z0-9._:/@%+~-]{1,200}$/;
const REPLAY: ReadonlySet<unknown> = new Set<ReplayClass>(['state', 'recorded', 'intent', 'outcome']);
const VERDICTS: ReadonlySet<unknown> = new Set<RecordedDecision['verdict']>(['allow', 'deny', 'escalate']);

/** The bytes' own shape, once `faultIn` found nothing wrong with it. */
export type Wire = {
  readonly o: DigestText;
  readonly i: number;
  readonly id: EventId;
  readonly s: StreamId;
  readonly n: number;
  readonly t: EventType;
  readonly tv: number;
  readonly w: Millis;
  readonly c: number;
  readonly a: Did;
  readonly p?: Did;
  readonly k?: EventId;
  readonly u?: { readonly o: DigestText; readonly i: number; readonly h: DigestText };
  readonly e?: DigestText;
  readonly d?: Omit<RecordedDecision, 'trust'> & {
    readonly trust?: { readonly score: number; readonly as_of: number };
  };
  readonly x: {
    readonly j?: JsonValue;
    readonly m: string;
    readonly b?: string;
    readonly h: DigestText;
    readonly l: number;
  };
  readonly y?: { readonly s: string; readonly k: string };
  readonly r: ReplayClass;
};

/** Fields are set one by one: a conditional spread per optional field costs a fold more than the rest of it. */
export function fromWire(w: Wire): LogRecord {
  const record: { -readonly [K in keyof LogRecord]: LogRecord[K] } = {
    origin: w.o,
    index: w.i,
    id: w.id,
    stream: w.s,
    version: w.n,
    type: w.t,
    typeVersion: w.tv,
    wallMs: w.w,
    counter: w.c,
    actor: w.a,
    payload: payloadFrom(w.x),
    replay: w.r,
  };
  if (w.p !== undefined) record.principal = w.p;
  if (w.k !== undefined) record.correlation = w.k;
  if (w.u !== undefined) record.cause = { origin: w.u.o, index: w.u.i, leaf: w.u.h };
  if (w.e !== undefined) record.envelope = w.e;
  if (w.d !== undefined) record.decision = decisionFrom(w.d);
  if (w.y !== undefined) record.erasure = { subject: w.y.s, key: w.y.k };
  return record;
}

function payloadFrom(x: Wire['x']): Payload {
  if (x.j !== undefined) return { type: 'json', value: x.j };
  if (x.b === undefined) return { type: 'blob', media: x.m, digest: x.h, length: x.l };
  return { type: 'bytes', media: x.m, bytes: Buffer.from(x.b, 'base64url') };
}

function decisionFrom({ trust, ...rest }: NonNullable<Wire['d']>): RecordedDecision {
  return trust === undefined ? rest : { ...rest, trust: { score: trust.score, asOf: trust.as_of } };
}

type Fields = { readonly [name: string]: unknown };
type Check = (value: unknown) => boolean;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isPositive: Check = (value) => isCount(value) && value !== 0;
const isText =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
const isDigest = isText(DIGEST);
/** Parsed once per run of equal ones: consecutive records mostly name the same actor. */
let lastDid: unknown;
export const isDid = (value: unknown): value is Did => {
  if (value === lastDid) return true;
  const isGood = typeof value === 'string' && parseDid(value).ok;
  if (isGood) lastDid = value;
  return isGood;
};
const isWord = isText(WORD);
const isAbsentOr =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const isListOf =
  (check: Check, max: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= max && value.every(check);
const isOneOf =
  (values: ReadonlySet<unknown>): Check =>
  (value) =>
    values.has(value);

/** Delegation chains are at most 8 links (DESIGN section 7), and a decision may rest on a few of them. */
export const DELEGATIONS_MAX = 32;

const RECORD_FIELDS: readonly (readonly [string, Check])[] = [
  ['v', (value) => value === 1],
  ['o', isDigest],
  ['i', isCount],
  ['id', isText(UUID)],
  ['s', isText(STREAM)],
  ['n', isCount],
  ['t', isText(TYPE)],
  ['tv', isPositive],
  ['w', isCount],
  ['c', isCount],
  ['a', isDid],
  ['p', isAbsentOr(isDid)],
  ['k', isAbsentOr(isText(UUID))],
  ['e', isAbsentOr(isDigest)],
  ['r', isOneOf(REPLAY)],
];
const CAUSE_FIELDS = [
  ['o', isDigest],
  ['i', isCount],
  ['h', isDigest],
] as const;
const DECISION_FIELDS = [
  ['verdict', isOneOf(VERDICTS)],
  ['code', isWord],
  ['rule', isAbsentOr(isWord)],
  ['policy', isAbsentOr(isDigest)],
  ['delegations', isAbsentOr(isListOf(isWord, DELEGATIONS_MAX))],
] as const;
const TRUST_FIELDS = [
  ['score', isCount],
  ['as_of', isCount],
] as const;
const EPOCH_FIELDS = [
  ['trust', isCount],
  ['revocation', isCount],
  ['kill', isCount],
] as const;
const ERASURE_FIELDS = [
  ['s', isWord],
  ['k', isWord],
] as const;
const BYTES_FIELDS = [
  ['m', isText(MEDIA)],
  ['b', (value: unknown) => typeof value === 'string' && fromBase64url(value) !== undefined],
] as const;
const BLOB_FIELDS = [
  ['m', isText(MEDIA)],
  ['h', isDigest],
  ['l', isPositive],
] as const;

/** The path of the first field that is missing or out of its range. Unknown fields need no look: the writer knows none, so
 *  a record that has one is not canonical (R1). */
export function faultIn(parsed: unknown): string | undefined {
  if (!isFields(parsed)) return '';
  const { u, d, x, y } = parsed as {
    readonly [name: string]: unknown;
    u?: unknown;
    d?: unknown;
    x?: unknown;
    y?: unknown;
  };
  return (
    firstFault(parsed, RECORD_FIELDS, '') ??
    (u === undefined ? undefined : firstFault(u, CAUSE_FIELDS, 'u')) ??
    (d === undefined ? undefined : faultInDecision(d)) ??
    faultInPayload(x) ??
    (y === undefined ? undefined : firstFault(y, ERASURE_FIELDS, 'y'))
  );
}

function faultInDecision(d: unknown): string | undefined {
  const { trust, epochs } = isFields(d) ? (d as { readonly trust?: unknown; readonly epochs?: unknown }) : {};
  return (
    firstFault(d, DECISION_FIELDS, 'd') ??
    (trust === undefined ? undefined : firstFault(trust, TRUST_FIELDS, 'd.trust')) ??
    (epochs === undefined ? undefined : firstFault(epochs, EPOCH_FIELDS, 'd.epochs'))
  );
}

function faultInPayload(x: unknown): string | undefined {
  if (!isFields(x)) return 'x';
  if ('j' in x) return undefined; // any JSON: whether it is canonical shows when it is written again
  return 'b' in x ? firstFault(x, BYTES_FIELDS, 'x') : firstFault(x, BLOB_FIELDS, 'x');
}

function firstFault(value: unknown, fields: readonly (readonly [string, Check])[], path: string): string | undefined {
  if (!isFields(value)) return path;
  const wrong = fields.find(([name, isGood]) => !isGood(value[name]));
  return wrong && (path === '' ? wrong[0] : `${path}.${wrong[0]}`);
}
