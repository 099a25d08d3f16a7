/**
 * Keys and values of the log's LMDB file, so that any language can read it: big-endian integers of 8 bytes, raw ids and
 * digests, JSON for the little that is neither (docs/spec/log.md section 5).
 */
import { Buffer } from 'node:buffer';
import { type Origin, parseOrigin } from '../codec/checkpoint.ts';
import { type Digest, parseDigestText } from '../codec/digest.ts';
import { digestText, type EventId, parseStreamId } from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';
import { view } from '../core/bytes.ts';
import type { ProcessIdentity } from '../core/system.ts';
import type { Head, StreamRun } from './store.ts';

export const ID_BYTES = 16;

/** A 53-bit integer as 8 bytes, big-endian, so that LMDB's byte order is the order of the numbers. */
export function u64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), 0);
  bytes.writeUInt32BE(value >>> 0, 4);
  return bytes;
}

/** The integer, or `undefined` where the bytes are not 8 or the number is past 2^53. */
export function fromU64(bytes: Uint8Array, offset = 0): number | undefined {
  if (bytes.length < offset + 8) return undefined;
  const source = view(bytes);
  const value = source.readUInt32BE(offset) * 2 ** 32 + source.readUInt32BE(offset + 4);
  return Number.isSafeInteger(value) ? value : undefined;
}

export function tileKey(level: number, number: number): Buffer {
  return Buffer.concat([Buffer.of(level), u64(number)]);
}

export function parseTileKey(key: Uint8Array): { readonly level: number; readonly number: number } | undefined {
  const number = key.length === 9 ? fromU64(key, 1) : undefined;
  return number === undefined ? undefined : { level: key[0] ?? 0, number };
}

/** Stream, zero byte, first version: a stream's runs stand together, in order, and no stream is another's prefix. */
export function runKey(stream: string, version: number): Buffer {
  return Buffer.concat([Buffer.from(stream, 'latin1'), Buffer.of(0), u64(version)]);
}

/** Past every run of the stream, and before any run of the next. */
export function afterRuns(stream: string): Buffer {
  return Buffer.concat([Buffer.from(stream, 'latin1'), Buffer.of(1)]);
}

export function runValue(indexes: readonly number[]): Buffer {
  return Buffer.concat(indexes.map(u64));
}

export function parseRun(key: Uint8Array, value: Uint8Array): StreamRun | undefined {
  const end = key.length - 9;
  const stream = end > 0 && key[end] === 0 ? parseStreamId(view(key).toString('latin1', 0, end)) : undefined;
  const version = end > 0 ? fromU64(key, end + 1) : undefined;
  if (stream?.ok !== true || version === undefined || value.length === 0 || value.length % 8 !== 0) return undefined;
  const indexes: number[] = [];
  for (let offset = 0; offset < value.length; offset += 8) {
    const index = fromU64(value, offset);
    if (index === undefined) return undefined;
    indexes.push(index);
  }
  return { stream: stream.value, version, indexes };
}

/** A UUID's 16 bytes. */
export function idKey(id: EventId): Buffer {
  const key = Buffer.allocUnsafe(ID_BYTES);
  writeId(id, key, 0);
  return key;
}

/** `idKey` into `target`. Buffer's own hexadecimal reader would first need a string without hyphens. */
export function writeId(text: string, target: Buffer, start: number): void {
  let at = start;
  for (let i = 0; i < text.length; i += 2) {
    if (text.charCodeAt(i) === HYPHEN) i += 1;
    target[at++] = nibble(text.charCodeAt(i)) * 16 + nibble(text.charCodeAt(i + 1));
  }
}

const HYPHEN = 0x2d;

function nibble(character: number): number {
  return character < 0x3a ? character - 0x30 : character - 0x57;
}

export function parseIdKey(key: Uint8Array): string {
  return view(key)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function headValue(head: Head): Buffer {
  const { size, wallMs, counter } = head;
  return Buffer.from(JSON.stringify({ size, wallMs, counter, frontier: head.frontier.map(digestText) }));
}

export function parseHead(value: Uint8Array): Head | undefined {
  const parsed = parseJson(value) as Partial<Record<keyof Head, unknown>> | undefined;
  if (
    !isCount(parsed?.size) ||
    !isCount(parsed.wallMs) ||
    !isCount(parsed.counter) ||
    !Array.isArray(parsed.frontier)
  ) {
    return undefined;
  }
  const frontier: Digest[] = [];
  for (const text of parsed.frontier) {
    const digest = typeof text === 'string' ? parseDigestText(text) : undefined;
    if (digest?.ok !== true) return undefined;
    frontier.push(digest.value);
  }
  return { size: parsed.size, wallMs: parsed.wallMs as Millis, counter: parsed.counter, frontier };
}

/** What the file is: written once, when the log is made. */
export function formatValue(origin: Origin, format: 1 | 2 = 2): Buffer {
  return Buffer.from(JSON.stringify({ format, origin }));
}

/** Format 1 was the same but for the tables `ids` and `streams` (`upgrade.ts`). */
export function parseFormat(value: Uint8Array): { readonly format: 1 | 2; readonly origin: Origin } | undefined {
  const parsed = parseJson(value) as { readonly format?: unknown; readonly origin?: unknown } | undefined;
  const origin = typeof parsed?.origin === 'string' ? parseOrigin(parsed.origin) : undefined;
  const format = parsed?.format;
  return (format === 1 || format === 2) && origin?.ok === true ? { format, origin: origin.value } : undefined;
}

/** Who writes: the nonce is new at every opening, the identity tells whether that process is still alive. */
export type Writer = ProcessIdentity & { readonly nonce: string };

export function writerValue(writer: Writer): Buffer {
  return Buffer.from(JSON.stringify(writer));
}

export function parseWriter(value: Uint8Array): Writer | undefined {
  const parsed = parseJson(value) as Partial<Writer> | undefined;
  const texts = [parsed?.nonce, parsed?.started, parsed?.boot, parsed?.namespace, parsed?.host];
  return isCount(parsed?.pid) && texts.every((text) => typeof text === 'string') ? (parsed as Writer) : undefined;
}

function parseJson(value: Uint8Array): unknown {
  try {
    const parsed: unknown = JSON.parse(view(value).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
