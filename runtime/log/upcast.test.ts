import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../codec/digest.ts';
import type { JsonValue } from '../codec/json.ts';
import { decodeRecord, digestText, encodeRecord, type LogRecord } from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { eventId, streamId, TESTER } from './event.fixture.ts';
import { jsonOf, LOG_UPCASTS, upcast } from './upcast.ts';
import { eventType, LOG_EVENTS } from './vocabulary.ts';

const golden = join(import.meta.dirname, 'golden');
const digest = digestText(sha256(utf8('golden')));
const noBlobs = { blob: () => undefined };

/** One sample payload per type and version, as rich as its schema allows. Never changed, only added to. */
const samples: { readonly [T in keyof typeof LOG_EVENTS]: { readonly [version: number]: JsonValue } } = {
  'import.recorded': { 1: { any: ['JSON', 1, null, true], rate: 0.5 } },
  'log.filled': { 1: { reserve_bytes: 67_108_864, size: 7 } },
  'log.succeeded': {
    1: {
      anchored: { root: digest, size: 9 },
      origin: 'realm/node/log/0',
      reason: 'restored from a backup',
      root: digest,
      size: 7,
      streams: [{ leaf: digest, stream: 'agents/quote', version: 6 }],
    },
  },
};

const versions = Object.entries(LOG_EVENTS).flatMap(([type, schemas]) =>
  Object.entries(schemas).map(([version, schema]) => ({ type, version: Number(version), schema })),
);
const fileOf = (type: string, version: number): string => `${type}@${version}.json`;

function recordOf(type: string, typeVersion: number, value: JsonValue): LogRecord {
  return {
    origin: digest,
    index: 3,
    id: eventId(3),
    stream: streamId('log'),
    version: 1,
    type: eventType(type),
    typeVersion,
    wallMs: 1_700_000_000_000 as Millis,
    counter: 2,
    actor: TESTER,
    payload: { type: 'json', value },
    replay: 'state',
  };
}

describe('the golden files', () => {
  test('are one for every version of every event of the log', () => {
    expect(readdirSync(golden).sort()).toEqual(versions.map(({ type, version }) => fileOf(type, version)).sort());
  });

  test.each(versions)('hold $type in version $version as it was written', async ({ type, version }) => {
    const sample = samples[type as keyof typeof samples][version];

    const bytes = encodeRecord(recordOf(type, version, sample ?? null));

    await expect(Buffer.from(bytes).toString('utf8')).toMatchFileSnapshot(join(golden, fileOf(type, version)));
  });

  test.each(versions)(
    'hold $type in version $version in a shape that can be read today',
    ({ type, version, schema }) => {
      const record = unwrap(decodeRecord(readFileSync(join(golden, fileOf(type, version)))), 'a golden record');

      const { data, typeVersion } = upcast(LOG_UPCASTS, record, noBlobs);

      const schemas = LOG_EVENTS[type as keyof typeof LOG_EVENTS];
      expect(schema.safeParse(jsonOf(record, noBlobs)).success).toBe(true);
      expect(schemas[typeVersion as keyof typeof schemas].safeParse(data).success).toBe(true);
      expect(typeVersion).toBe(Math.max(...Object.keys(schemas).map(Number)));
    },
  );
});

describe('an event', () => {
  const upcasts = {
    'thing.named': [
      (old: JsonValue) => ({ first: old }),
      (old: JsonValue) => ({ ...(old as object), last: 'unknown' }),
    ],
  };

  test.each([
    [1, 'Ada', { first: 'Ada', last: 'unknown' }],
    [2, { first: 'Ada' }, { first: 'Ada', last: 'unknown' }],
    [3, { first: 'Ada', last: 'L' }, { first: 'Ada', last: 'L' }],
  ])('of version %i comes out in the newest', (version, written, expected) => {
    const { data, typeVersion } = upcast(upcasts, recordOf('thing.named', version, written), noBlobs);

    expect({ data, typeVersion }).toEqual({ data: expected, typeVersion: 3 });
  });

  test.each([
    ['event.unknown_type', recordOf('thing.unknown', 1, null)],
    ['event.unknown_type', { ...recordOf('thing.named', 1, null), type: 'constructor' as never }],
    ['event.newer_version', recordOf('thing.named', 4, null)],
  ])('U2: stops the reader with %s', (code, record) => {
    expect(() => upcast(upcasts, record, noBlobs)).toThrow(expect.objectContaining({ code }));
  });

  test('gives its JSON from a blob', () => {
    const bytes = utf8('{"long":true}');
    const payload = { type: 'blob', media: 'application/json', digest, length: bytes.length } as const;

    const data = jsonOf({ ...recordOf('thing.named', 1, null), payload }, { blob: () => bytes });

    expect(data).toEqual({ long: true });
  });

  test.each([
    ['event.payload_missing', 'application/json', undefined],
    ['event.not_json', 'text/plain', utf8('{}')],
    ['event.not_json', 'application/json', utf8('{')],
  ])('has no JSON: %s', (code, media, bytes) => {
    const payload = { type: 'blob', media, digest, length: 2 } as const;
    const record = { ...recordOf('thing.named', 1, null), payload };

    expect(() => jsonOf(record, { blob: () => bytes })).toThrow(expect.objectContaining({ code }));
  });
});
