import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Millis } from '../core/brand.ts';
import { RECORD_BYTES_MAX } from '../core/limits.ts';
import { unwrap } from '../core/result.ts';
import { parseDid } from './did.ts';
import { sha256 } from './digest.ts';
import {
  decodeRecord,
  digestText,
  encodeRecord,
  type LogRecord,
  parseEventId,
  parseEventType,
  parseStreamId,
  readRecord,
} from './record.ts';

const digest = (text: string) => digestText(sha256(Buffer.from(text)));
const did = (text: string) => unwrap(parseDid(text), 'a DID');

const small: LogRecord = {
  origin: digest('origin'),
  index: 7,
  id: unwrap(parseEventId('0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b'), 'an id'),
  stream: unwrap(parseStreamId('agent/quote:1'), 'a stream'),
  version: 3,
  type: unwrap(parseEventType('import.recorded'), 'a type'),
  typeVersion: 1,
  wallMs: 1_700_000_000_000 as Millis,
  counter: 0,
  actor: did('did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'),
  payload: { type: 'json', value: { cents: 1200, sku: 'A1' } },
  replay: 'state',
};

const full: LogRecord = {
  ...small,
  principal: did('did:mesh:alice:z6Mk'),
  correlation: unwrap(parseEventId('0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c'), 'an id'),
  cause: { origin: digest('other'), index: 0, leaf: digest('leaf') },
  envelope: digest('envelope'),
  decision: {
    verdict: 'deny',
    code: 'policy.no_rule',
    rule: 'default',
    policy: digest('policy'),
    trust: { score: 640, asOf: 6 },
    delegations: ['bafkreia'],
    epochs: { trust: 1, revocation: 2, kill: 0 },
  },
  payload: { type: 'blob', media: 'text/plain', digest: digest('blob'), length: 9_000 },
  erasure: { subject: 'person-1', key: 'k1' },
  replay: 'outcome',
};

const textOf = (record: LogRecord): string => Buffer.from(encodeRecord(record)).toString('utf8');
const decode = (text: string) => decodeRecord(Buffer.from(text, 'utf8'));

describe('a record', () => {
  test('is one line of JSON in a fixed order of fields', () => {
    expect(textOf(small)).toBe(
      `{"v":1,"o":"${small.origin}","i":7,"id":"${small.id}","s":"agent/quote:1","n":3,"t":"import.recorded","tv":1,` +
        `"w":1700000000000,"c":0,"a":"${small.actor}","x":{"j":{"cents":1200,"sku":"A1"}},"r":"state"}`,
    );
  });

  test.each([
    ['with no optional field', small],
    ['with every optional field', full],
    [
      'with opaque bytes',
      { ...small, payload: { type: 'bytes', media: 'image/png', bytes: Buffer.of(0, 255, 1) } } as const,
    ],
    [
      'with a float and hostile names in its payload',
      { ...small, payload: { type: 'json', value: JSON.parse('{"__proto__":1.5,"constructor":"npm"}') } } as const,
    ],
  ])('%s is the same after a round trip', (_, record) => {
    const bytes = encodeRecord(record);
    const decoded = unwrap(decodeRecord(bytes), 'our own record');
    expect(decoded).toEqual(record);
    expect(readRecord(bytes)).toEqual(record);
    expect(Buffer.from(encodeRecord(decoded))).toEqual(Buffer.from(bytes));
  });

  test('R1: any JSON payload survives, and only its canonical bytes do', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = textOf({ ...small, payload: { type: 'json', value: value as never } });
        expect(unwrap(decode(text), 'our own record').payload).toEqual({
          type: 'json',
          value: JSON.parse(JSON.stringify(value)),
        });
        expect(decode(text.replace('"x":{', '"x": {')).ok).toBe(false);
      }),
    );
  });

  test('R1: no single changed byte leaves both a record and its meaning as they were', () => {
    const bytes = encodeRecord(full);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const mutated = Buffer.from(bytes);
        mutated[at] = (mutated[at] ?? 0) ^ change;
        const decoded = decodeRecord(mutated);
        if (decoded.ok) {
          expect(Buffer.from(encodeRecord(decoded.value))).toEqual(mutated);
          expect(decoded.value).not.toEqual(full);
        } else expect(decoded.error.offset).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what is no record', () => {
  const text = textOf(full);
  const swapped = text.replace(/("i":7),("id":"[^"]*")/, '$2,$1');
  test.each([
    ['white space', text.replace('"i":7', '"i": 7'), 'record.not_canonical', ' 7,"id"'],
    ['another order of fields', swapped, 'record.not_canonical', 'd":"0190'],
    ['an unknown field', text.replace('"i":7', '"i":7,"z":1'), 'record.not_canonical', 'z":1'],
    ['an unknown field in the payload', text.replace('"x":{', '"x":{"q":1,'), 'record.not_canonical', 'q":1'],
    ['a duplicate field', text.replace('"i":7', '"i":7,"i":7'), 'record.malformed', '"i":7,"id"'],
    ['a number in another spelling', text.replace('"i":7', '"i":7.0'), 'record.not_canonical', '.0'],
    ['an escape that need not be', text.replace('"s":"a', '"s":"\\u0061'), 'record.not_canonical', '\\u0061'],
    ['an unsafe integer', text.replace('"i":7', '"i":9007199254740993'), 'record.malformed', '9007199254740993'],
    ['a negative index', text.replace('"i":7', '"i":-7'), 'record.malformed', '-7,"id"'],
    ['a float where an integer is due', text.replace('"i":7', '"i":7.5'), 'record.malformed', '7.5'],
    ['another version', text.replace('"v":1', '"v":2'), 'record.malformed', '2,"o"'],
    ['a missing field', text.replace('"n":3,', ''), 'record.malformed', '{"v"'],
    ['a stream with a space', text.replace('agent/quote', 'agent quote'), 'record.malformed', '"agent quote'],
    ['an event type in capitals', text.replace('import.recorded', 'Import.Recorded'), 'record.malformed', '"Import'],
    [
      'an id in capitals',
      text.replace('0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b', '0190A1B2-C3D4-7E5F-8A6B-7C8D9E0F1A2B'),
      'record.malformed',
      '"0190A',
    ],
    ['a short digest', text.replace(full.origin, full.origin.slice(1)), 'record.malformed', `"${full.origin.slice(1)}`],
    ['a DID that is none', text.replace('did:mesh:alice:z6Mk', 'mesh:alice'), 'record.malformed', '"mesh:alice'],
    ['an unknown verdict', text.replace('"deny"', '"maybe"'), 'record.malformed', '"maybe"'],
    ['an unknown replay class', text.replace('"r":"outcome"', '"r":"again"'), 'record.malformed', '"again"'],
    ['a prototype in its place', text.replace('"i":7', '"__proto__":{"i":7}'), 'record.malformed', '{"v"'],
    ['a lone surrogate in the payload', textOf(small).replace('"A1"', '"\\ud800"'), 'record.malformed', '"\\ud800"'],
    [
      'a duplicate key in the payload',
      textOf(small).replace('"cents":1200', '"cents":1,"cents":2'),
      'record.malformed',
      '"cents":2',
    ],
    ['minus zero in the payload', textOf(small).replace('1200', '-0'), 'record.not_canonical', '-0'],
    ['a truncated text', text.slice(0, -1), 'record.malformed', ''],
    ['bytes after the record', `${text}\n{}`, 'record.malformed', '{}'],
    ['a list', '[]', 'record.malformed', '[]'],
    ['nothing', '', 'record.malformed', ''],
  ])('%s is refused at its place', (_, wrong, code, at) => {
    const result = decode(wrong);
    expect(result).toMatchObject({ ok: false, error: { code } });
    const place = at === '' ? wrong.length : wrong.lastIndexOf(at);
    expect(result.ok ? -1 : result.error.offset).toBe(Buffer.byteLength(wrong.slice(0, place)));
  });

  test('bytes that are not UTF-8 are refused at the first of them', () => {
    const bytes = Buffer.concat([Buffer.from('{"v":1,"é":"'), Buffer.of(0xff), Buffer.from('"}')]);
    expect(decodeRecord(bytes)).toMatchObject({ ok: false, error: { code: 'record.malformed', offset: 13 } });
  });

  test('nesting past the limit is refused without overflowing the stack', () => {
    const deep = textOf(small).replace('{"cents":1200,"sku":"A1"}', '['.repeat(20_000) + ']'.repeat(20_000));
    expect(decode(deep)).toMatchObject({ ok: false, error: { code: 'record.malformed' } });
  });

  test('a record past its limit is refused unread', () => {
    expect(decodeRecord(Buffer.alloc(RECORD_BYTES_MAX + 1, 0x20))).toMatchObject({
      ok: false,
      error: { code: 'record.too_large' },
    });
  });

  test('whatever the bytes, decoding ends with a value or a reason', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeRecord(bytes).ok).toBe(false);
      }),
    );
  });
});

describe('R2: the writer', () => {
  test('refuses text that no parser has seen, instead of writing what nobody can read', () => {
    const decision = { verdict: 'deny', code: 'a","verdict":"allow' } as const;
    expect(() => encodeRecord({ ...small, decision })).toThrow(expect.objectContaining({ code: 'assert.failed' }));
    const payload = { type: 'bytes', media: 'text/"x', bytes: Buffer.of(1) } as const;
    expect(() => encodeRecord({ ...small, payload })).toThrow(expect.objectContaining({ code: 'assert.failed' }));
  });
});
