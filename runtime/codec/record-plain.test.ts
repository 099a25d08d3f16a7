import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Millis } from '../core/brand.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { parseDid } from './did.ts';
import { sha256 } from './digest.ts';
import type { JsonValue } from './json.ts';
import {
  decodeRecord,
  digestText,
  encodeRecord,
  type LogRecord,
  parseEventId,
  parseEventType,
  parseStreamId,
} from './record.ts';
import { parsePlain } from './record-plain.ts';

const did = unwrap(parseDid('did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'), 'a DID');

const plain: LogRecord = {
  origin: digestText(sha256(utf8('origin'))),
  index: 7,
  id: unwrap(parseEventId('0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b'), 'an id'),
  stream: unwrap(parseStreamId('agent/quote:1'), 'a stream'),
  version: 3,
  type: unwrap(parseEventType('import.recorded'), 'a type'),
  typeVersion: 1,
  wallMs: 1_700_000_000_000 as Millis,
  counter: 0,
  actor: did,
  payload: { type: 'json', value: { cents: 1200, sku: 'A1' } },
  replay: 'state',
};
const textOf = (record: LogRecord): string => Buffer.from(encodeRecord(record)).toString('utf8');
const text = textOf(plain);

describe('the short way', () => {
  test('reads plain records, to the same record', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('state', 'recorded', 'intent', 'outcome'),
        fc.maxSafeNat(),
        fc.boolean(),
        (value, replay, number, hasMore) => {
          const more = hasMore ? { principal: did, correlation: plain.id } : {};
          const payload = { type: 'json', value: JSON.parse(JSON.stringify(value)) as JsonValue } as const;
          const record: LogRecord = {
            ...plain,
            ...more,
            replay,
            payload,
            index: number,
            version: number,
            counter: number,
          };

          expect(parsePlain(textOf(record))).toEqual(record);
        },
      ),
    );
  });

  test('P1: reads nothing but what the writer writes, whatever is changed', () => {
    const piece = fc.constantFrom(
      '',
      '0',
      '1',
      '9',
      '"',
      '\\',
      ',',
      ':',
      '{',
      '}',
      '[',
      ']',
      ' ',
      '-',
      '.',
      'e',
      'A',
      'é',
      '\u0000',
    );
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(3), fc.array(piece, { maxLength: 3 }), (place, cut, pieces) => {
        const changed = text.slice(0, place) + pieces.join('') + text.slice(place + cut);

        const record = parsePlain(changed);

        expect(record === undefined ? changed : textOf(record)).toBe(changed);
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ['a number past 2^53', text.replace('"i":7', '"i":9007199254740992')],
    ['a wall clock past 2^53', text.replace(/"w":\d+/, '"w":9007199254740994')],
    ['type version 0', text.replace('"tv":1', '"tv":0')],
    ['a type of 65 characters', text.replace('import.recorded', `a.${'b'.repeat(63)}`)],
    ['a type of one word', text.replace('import.recorded', 'imported')],
    ['a type that ends in a dot', text.replace('import.recorded', 'import.')],
    ['a stream of 201 characters', text.replace('agent/quote:1', 'a'.repeat(201))],
    ['an empty stream', text.replace('agent/quote:1', '')],
    ['no DID', text.replace(did, 'did:key')],
    ['a DID URL', text.replace(did, `${did}#key`)],
    ['a digest with stray bits', text.replace(/"o":"(.{42})./, '"o":"$1B')],
    ['a replay class of no name', text.replace('"r":"state"', '"r":"toString"')],
    ['a lone surrogate', text.replace('A1', '\\ud800')],
    ['a name twice', text.replace('"sku"', '"cents"')],
    ['names out of order', text.replace('"cents"', '"zeal"')],
    ['two payloads', text.replace('}},"r"', '},"j":1},"r"')],
    ['nesting past the limit', text.replace('"A1"', `${'['.repeat(70)}${']'.repeat(70)}`)],
  ])('P1: neither way reads %s', (_, changed) => {
    expect(changed).not.toBe(text);
    expect(parsePlain(changed)).toBeUndefined();
    expect(decodeRecord(utf8(changed)).ok).toBe(false);
  });
});
