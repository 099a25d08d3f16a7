import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../runtime/core/bytes.ts';
import { parseStrictJson } from './strict-json.ts';

describe('JSON from strangers', () => {
  test('is what JSON.parse makes of it, if nothing is wrong with it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        const parsed = parseStrictJson(utf8(text));
        if (text.includes('"__proto__":')) expect(parsed.ok).toBe(false);
        else expect(parsed).toEqual({ ok: true, value: JSON.parse(text) });
      }),
    );
  });

  test.each([
    ['a name twice', '{"a":1,"a":2}', 'expected each name once in an object'],
    ['a name twice, one of them escaped', '{"a":1,"\\u0061":2}', 'expected each name once in an object'],
    ['a name twice, deep inside', '[{"b":{"a":":","a":"\\":"}}]', 'expected each name once in an object'],
    ['a prototype', '{"__proto__":{"ring":0}}', 'expected no name "__proto__"'],
    ['a prototype, escaped', '{"\\u005f_proto__":1}', 'expected no name "__proto__"'],
    ['a lone surrogate', '"\\ud800"', 'expected no lone surrogate'],
    ['a lone surrogate in a name', '{"\\udc00":1}', 'expected no lone surrogate'],
    ['a number beyond any', '[1e999]', 'expected numbers that a double holds'],
    ['no JSON', '{"a":}', 'expected JSON'],
    ['nothing', '', 'expected JSON'],
    ['great depth', '['.repeat(100_000) + ']'.repeat(100_000), 'expected at most 72 levels'],
    ['many values', `[${'0,'.repeat(30_000)}0]`, 'expected at most 25000 values'],
    ['quotes that never close', `"${'\\"'.repeat(200_000)}`, 'expected JSON'],
  ])('with %s is refused', (_, text, error) => {
    expect(parseStrictJson(utf8(text))).toEqual({ ok: false, error });
  });

  test('that is not UTF-8 is refused', () => {
    expect(parseStrictJson(Uint8Array.of(0x22, 0xff, 0x22))).toEqual({ ok: false, error: 'expected UTF-8' });
  });

  test('of any bytes never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(typeof parseStrictJson(bytes).ok).toBe('boolean');
      }),
    );
  });
});
