/**
 * One line of `log append`: `{"stream", "type", "data", "id"?, "actor"?}`.
 *
 * What is recorded is what was written: a line whose data JSON.parse would change without a word (a name that stands twice,
 * an integer that a double cannot hold) is refused, because a log that proves its content must not begin by altering it.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { type Did, parseDid } from '../../../runtime/codec/did.ts';
import type { JsonValue } from '../../../runtime/codec/json.ts';
import { byteOffset, placeOf, scanJson } from '../../../runtime/codec/json-scan.ts';
import {
  type EventId,
  type EventType,
  parseEventId,
  parseEventType,
  parseStreamId,
  type StreamId,
} from '../../../runtime/codec/record.ts';
import { view } from '../../../runtime/core/bytes.ts';
import { PAYLOAD_DEPTH_MAX } from '../../../runtime/core/limits.ts';
import { err, ok, type Refusal, type Result } from '../../../runtime/core/result.ts';

export type EventLine = {
  readonly stream: StreamId;
  readonly type: EventType;
  readonly data: JsonValue;
  readonly id?: EventId;
  readonly actor?: Did;
};

export type EventLineRefusal = Refusal<'input.malformed' | 'input.not_exact' | 'input.reserved_type'>;

/** The event of a line, `undefined` for a blank one. */
export function parseEventLine(bytes: Uint8Array): Result<EventLine | undefined, EventLineRefusal> {
  if (!isUtf8(bytes)) return malformed('expected UTF-8', firstNonUtf8(bytes));
  const text = view(bytes).toString('utf8');
  if (isBlank(text)) return ok(undefined);
  const parsed = parseJson(text);
  if (parsed === undefined) return malformed(...faultIn(text));
  const { value } = parsed;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return malformed('expected an object with "stream", "type" and "data"', 0);
  }
  const members = countMembers(value, 0);
  if (members === undefined) return malformed(`expected at most ${PAYLOAD_DEPTH_MAX} levels of data`, 0);
  if (members !== countColons(text)) return malformed(...faultIn(text));
  const inexact = LONG_NUMBER.test(text) ? inexactNumber(text) : undefined;
  if (inexact !== undefined) {
    const message = `expected numbers that a double holds exactly, found ${inexact}: write it as a string`;
    return err({ code: 'input.not_exact', message, offset: offsetOfNumber(text, inexact) });
  }
  return fieldsOf(value as Fields, text);
}

type Fields = { readonly [name: string]: unknown };

const FIELDS: ReadonlySet<string> = new Set(['stream', 'type', 'data', 'id', 'actor']);

function fieldsOf(value: Fields, text: string): Result<EventLine, EventLineRefusal> {
  const unknown = Object.keys(value).find((name) => !FIELDS.has(name));
  if (unknown !== undefined) {
    return malformed(`expected "stream", "type", "data", "id" or "actor", found ${JSON.stringify(unknown)}`, 0);
  }
  const {
    stream: streamText,
    type: typeText,
    data,
    id: idText,
    actor: actorText,
  } = value as Partial<Record<keyof EventLine, unknown>>;
  const at = (name: keyof EventLine): number => placeOf(text.slice(0, SCAN_MAX), name, SCAN_DEPTH);
  if (data === undefined) return malformed('expected "data"', 0);

  const stream = parseText(streamText, 'stream', parseStreamId);
  if (!stream.ok) return malformed(stream.error, at('stream'));
  const type = parseText(typeText, 'type', parseEventType);
  if (!type.ok) return malformed(type.error, at('type'));
  if (type.value.startsWith('log.')) {
    const message = `expected a type that is not the log's own, found ${type.value}`;
    return err({ code: 'input.reserved_type', message, offset: at('type') });
  }
  const id = idText === undefined ? ok(undefined) : parseText(idText, 'id', parseEventId);
  if (!id.ok) return malformed(id.error, at('id'));
  const actor = actorText === undefined ? ok(undefined) : parseText(actorText, 'actor', parseDid);
  if (!actor.ok) return malformed(actor.error, at('actor'));
  return ok({
    stream: stream.value,
    type: type.value,
    data: data as JsonValue,
    ...(id.value === undefined ? {} : { id: id.value }),
    ...(actor.value === undefined ? {} : { actor: actor.value }),
  });
}

function parseText<T>(value: unknown, name: string, parse: (text: string) => Result<T, Refusal>): Result<T, string> {
  if (typeof value !== 'string') return err(`expected a text for "${name}", found ${JSON.stringify(value) ?? 'none'}`);
  const parsed = parse(value);
  return parsed.ok ? parsed : err(`"${name}": ${parsed.error.message}`);
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

// --- what JSON.parse would change ------------------------------------------------------------------------------------

/** The members of all objects in a value; `undefined` where it is nested deeper than a line with a payload may be. */
function countMembers(value: unknown, depth: number): number | undefined {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth > PAYLOAD_DEPTH_MAX) return undefined; // the line's own object is one level more than its payload
  const inner = Array.isArray(value) ? value : Object.values(value);
  let count = Array.isArray(value) ? 0 : inner.length;
  for (const item of inner) {
    const members = countMembers(item, depth + 1);
    if (members === undefined) return undefined;
    count += members;
  }
  return count;
}

/** Colons outside of strings: one per member that was written. More of them than members means that a name stood twice. */
function countColons(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === COLON) count += 1;
    if (unit !== QUOTE) continue;
    for (i += 1; text.charCodeAt(i) !== QUOTE; i++) if (text.charCodeAt(i) === BACKSLASH) i += 1;
  }
  return count;
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** What a number must look like before a double can miss it: many digits, or an exponent of three. */
const LONG_NUMBER = /[0-9]{16}|[0-9][eE]\+?[0-9]{3}/;

/** The first integer past 2^53 that a double rounds, or number past the largest double, as it was written. */
function inexactNumber(text: string): string | undefined {
  let found: string | undefined;
  JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source;
    if (typeof value === 'number' && source !== undefined && !isExact(source, value)) found ??= source;
    return value;
  });
  return found;
}

/** Whether the digits that will be recorded are those that were written. Fractions are taken as the doubles they are. */
function isExact(source: string, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  return !/^-?\d+$/.test(source) || String(value) === source || BigInt(source) === BigInt(value);
}

// --- where it is wrong -----------------------------------------------------------------------------------------------

/** Longer texts are not searched for the place: the scanner is slow, and nobody looks for byte 20,000,000 by eye. */
const SCAN_MAX = 65_536;
const SCAN_DEPTH = PAYLOAD_DEPTH_MAX + 1;

function faultIn(text: string): [message: string, offset: number] {
  const { fault } = scanJson(text.slice(0, SCAN_MAX), SCAN_DEPTH);
  if (fault === undefined || fault.offset >= SCAN_MAX) return ['expected JSON with every name once', 0];
  return [fault.message, fault.offset];
}

/** Where a value stands that is written as `number`. */
function offsetOfNumber(text: string, number: string): number {
  const written = new RegExp(`${RegExp.escape(number)}(?![0-9.eE])`, 'y');
  let found = 0;
  scanJson(text.slice(0, SCAN_MAX), SCAN_DEPTH, (_, index) => {
    written.lastIndex = index;
    if (found === 0 && written.test(text)) found = index;
  });
  return byteOffset(text, found);
}

function isBlank(text: string): boolean {
  return /^[ \t\r]*$/.test(text);
}

function firstNonUtf8(bytes: Uint8Array): number {
  // The decoder puts the first replacement character where the first fault is.
  const text = view(bytes).toString('utf8');
  let at = 0;
  for (const character of text) {
    const length = Buffer.byteLength(character);
    if (character === '\ufffd' && !view(bytes.subarray(at, at + length)).equals(Buffer.from(character))) return at;
    at += length;
  }
  return at;
}

function malformed(message: string, offset: number): Result<never, EventLineRefusal> {
  return err({ code: 'input.malformed', message, offset });
}
