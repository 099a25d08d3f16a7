import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseOrigin } from '../codec/checkpoint.ts';
import { sha256 } from '../codec/digest.ts';
import type { Millis } from '../core/brand.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { eventId, streamId } from './event.fixture.ts';
import * as layout from './layout.ts';

const index = fc.maxSafeNat();
const stream = fc
  .stringMatching(/^[A-Za-z0-9._:/@%+~-]{1,200}$/)
  .filter((text) => /^[A-Za-z0-9._:/@%+~-]{1,200}$/.test(text))
  .map(streamId);

describe('keys', () => {
  test('of indexes are 8 bytes in the order of the numbers, up to 2^53', () => {
    fc.assert(
      fc.property(index, index, (a, b) => {
        expect(layout.fromU64(layout.u64(a))).toBe(a);
        expect(Math.sign(Buffer.compare(layout.u64(a), layout.u64(b)))).toBe(Math.sign(a - b));
      }),
    );
    expect(layout.u64(Number.MAX_SAFE_INTEGER).toString('hex')).toBe('001fffffffffffff');
    expect(layout.fromU64(Buffer.from('0020000000000000', 'hex'))).toBe(undefined);
    expect(layout.fromU64(Buffer.alloc(7))).toBe(undefined);
  });

  test('of tiles and ids are read as they were written', () => {
    fc.assert(
      fc.property(fc.nat(63), index, fc.nat(), (level, number, n) => {
        expect(layout.parseTileKey(layout.tileKey(level, number))).toEqual({ level, number });
        expect(layout.parseIdKey(layout.idKey(eventId(n)))).toBe(eventId(n));
      }),
    );
    expect(layout.parseTileKey(Buffer.alloc(8))).toBe(undefined);
  });

  test('of runs keep a stream together, in the order of its versions, whatever the names of others', () => {
    fc.assert(
      fc.property(stream, stream, index, index, (one, other, a, b) => {
        const [first, second] = [layout.runKey(one, a), layout.runKey(one, b)];
        expect(Math.sign(Buffer.compare(first, second))).toBe(Math.sign(a - b));
        expect(Buffer.compare(first, layout.afterRuns(one))).toBe(-1);
        if (one === other) return;
        const isBefore = Buffer.compare(layout.runKey(other, b), layout.runKey(one, 0)) < 0;
        const isAfter = Buffer.compare(layout.runKey(other, b), layout.afterRuns(one)) > 0;
        expect(isBefore || isAfter).toBe(true);
      }),
    );
  });

  test('of runs sort streams by their names, as a list of streams does', () => {
    fc.assert(
      fc.property(fc.uniqueArray(stream, { minLength: 2 }), (names) => {
        const byKey = names.toSorted((a, b) => Buffer.compare(layout.runKey(a, 0), layout.runKey(b, 0)));
        expect(byKey).toEqual(names.toSorted());
      }),
    );
  });
});

describe('values', () => {
  const head = { size: 3, wallMs: 5 as Millis, counter: 1, frontier: [sha256(utf8('a')), sha256(utf8('b'))] };
  const origin = unwrap(parseOrigin('test/node/log/4'), 'an origin');
  const writer = { pid: 1, started: '2', boot: '3', namespace: '4', host: '5', nonce: '6' };

  test('of runs are read as they were written', () => {
    fc.assert(
      fc.property(stream, index, fc.array(index, { minLength: 1 }), (name, version, indexes) => {
        const run = layout.parseRun(layout.runKey(name, version), layout.runValue(indexes));
        expect(run).toEqual({ stream: name, version, indexes });
      }),
    );
  });

  test('of heads, formats and pens are read as they were written', () => {
    expect(layout.parseHead(layout.headValue(head))).toEqual(head);
    expect(layout.parseFormat(layout.formatValue(origin))).toEqual({ format: 2, origin });
    expect(layout.parseFormat(layout.formatValue(origin, 1))).toEqual({ format: 1, origin });
    expect(layout.parseWriter(layout.writerValue(writer))).toEqual(writer);
  });

  test.each([
    ['', '{}', 'null', '[]', '{"size":-1,"wallMs":0,"counter":0,"frontier":[]}', '{"size":1.5}'],
    ['{"size":1,"wallMs":0,"counter":0,"frontier":["x"]}', '{"size":1,"wallMs":0,"counter":0}', '{"format":2}'],
    [
      '{"format":3,"origin":"example/a/log/0"}',
      '{"format":"2","origin":"example/a/log/0"}',
      '{"format":2,"origin":"none"}',
    ],
    ['{"pid":1}', '{"pid":"1","nonce":"x"}', '\u0000', '{"size":'],
  ])('that nobody wrote are refused, never thrown on: %s', (...texts) => {
    for (const text of texts) {
      const bytes = utf8(text);
      expect([layout.parseHead(bytes), layout.parseFormat(bytes), layout.parseWriter(bytes)]).toEqual(
        Array(3).fill(undefined),
      );
    }
  });

  test('of runs that nobody wrote are refused', () => {
    const [key, value] = [layout.runKey('a', 1), layout.runValue([1])];
    const wrong: readonly (readonly [Uint8Array, Uint8Array])[] = [
      [key, Buffer.alloc(0)],
      [key, value.subarray(1)],
      [key, Buffer.alloc(8, 0xff)],
      [key.subarray(1), value],
      [Buffer.concat([Buffer.from('\u00e9'), key]), value],
      [layout.afterRuns('a'), value],
      [Buffer.alloc(0), value],
    ];
    for (const [badKey, badValue] of wrong) expect(layout.parseRun(badKey, badValue)).toBe(undefined);
  });
});
