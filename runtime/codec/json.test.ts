import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../core/result.ts';
import { canonicalJson } from './json.ts';
import { placeOf, scanJson } from './json-scan.ts';

const textOf = (value: unknown): string => unwrap(canonicalJson(value), 'JSON data');

describe('canonical JSON', () => {
  test.each([
    ['sorted keys', { b: 1, a: 2 }, '{"a":2,"b":1}'],
    ['keys by UTF-16 units, not by code points', { '\u{10000}': 1, '\uffff': 2 }, '{"\u{10000}":1,"\uffff":2}'],
    ['keys that look like integers as text', { 9: 1, 10: 2 }, '{"10":2,"9":1}'],
    ['nested and mixed', { z: [{ y: 1, x: null }], a: {} }, '{"a":{},"z":[{"x":null,"y":1}]}'],
    ['numbers as ECMAScript writes them', [1e21, 1e-7, 0.1, -0, 100], '[1e+21,1e-7,0.1,0,100]'],
    ['only the escapes that must be', '\u0000\n"\\/é\u2028', '"\\u0000\\n\\"\\\\/é\u2028"'],
  ])('writes %s', (_, value, text) => {
    expect(textOf(value)).toBe(text);
  });

  test('keeps names that a careless program would trip over as plain data', () => {
    const hostile = JSON.parse('{"__proto__":{"admin":true},"constructor":1,"toString":2}');
    expect(textOf(hostile)).toBe('{"__proto__":{"admin":true},"constructor":1,"toString":2}');
  });

  test.each([
    ['undefined', { a: [undefined] }, '$.a[0]'],
    ['a function', { a: () => 1 }, '$.a'],
    ['NaN', { a: Number.NaN }, '$.a'],
    ['an infinity', [Number.POSITIVE_INFINITY], '$[0]'],
    ['a big integer', { n: 1n }, '$.n'],
    ['a symbol', { s: Symbol('x') }, '$.s'],
    ['a lone surrogate', { s: '\ud800' }, '$.s'],
    ['a lone surrogate in a key', { '\udc00': 1 }, '$'],
    ['an instance of a class', { at: new URL('http://a/') }, '$.at'],
    ['a map', { m: new Map() }, '$.m'],
    ['something that writes itself', { a: { toJSON: () => 1 } }, '$.a'],
  ])('refuses %s and says where', (_, value, path) => {
    const result = canonicalJson(value);
    expect(result).toMatchObject({ ok: false, error: { code: 'json.not_data' } });
    expect(result.ok ? '' : result.error.message).toContain(path);
  });

  test.each([
    ['a text of the look of an escape', '\\ud800'],
    ['the same after a backslash', '\\\\ud800'],
    ['a pair', '\ud83d\ude00'],
    ['a pair after a backslash', '\\\ud83d\ude00'],
    ['an escape of another character', '\u0000ud800'],
  ])('writes %s', (_, text) => {
    for (const value of [text, [text], { [text]: 1 }, { b: text, a: 1 }])
      expect(JSON.parse(textOf(value))).toEqual(value);
  });

  test('refuses lone surrogates, wherever they stand, and nothing else for its letters', () => {
    const piece = fc.constantFrom('\ud800', '\udc00', '\ud83d\ude00', '\\', 'ud', 'ud8', '"', 'a');
    const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
    const value = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof({ maxDepth: 3 }, text, fc.array(tie('value')), fc.dictionary(text, tie('value'))),
    })).value;
    const isWellFormed = (found: unknown): boolean =>
      typeof found === 'string'
        ? found.isWellFormed()
        : Object.entries(found as object).every(([key, member]) => key.isWellFormed() && isWellFormed(member));

    fc.assert(
      fc.property(value, (found) => {
        const written = canonicalJson(found);

        expect(written.ok).toBe(isWellFormed(found));
        expect(written.ok && JSON.parse(written.value)).toEqual(written.ok && found);
      }),
      { numRuns: 2_000 },
    );
  });

  test('what somebody has put on the prototype of all objects is not written', () => {
    const everybody = Object.prototype as { put?: unknown };
    try {
      everybody.put = 'here';

      expect(textOf({ a: 1, z: { b: 2 } })).toBe('{"a":1,"z":{"b":2}}');
    } finally {
      delete everybody.put;
    }
  });

  test('refuses a list with holes', () => {
    const list = [1, 2, 3];
    delete list[1];
    expect(canonicalJson(list)).toMatchObject({ ok: false, error: { code: 'json.not_data' } });
  });

  test('refuses a cycle and anything nested past the limit instead of overflowing the stack', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(canonicalJson(cycle)).toMatchObject({ ok: false, error: { code: 'json.not_data' } });
    expect(canonicalJson(JSON.parse('['.repeat(10_000) + ']'.repeat(10_000)))).toMatchObject({ ok: false });
    expect(canonicalJson(JSON.parse('['.repeat(64) + ']'.repeat(64)))).toMatchObject({ ok: true });
  });

  test('writes the same text whatever the order of insertion', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.infiniteStream(fc.nat()), (value, draws) => {
        expect(textOf(shuffled(value, draws))).toBe(textOf(value));
      }),
    );
  });

  test('parses back to the value, and writes what it parsed to the same text', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = textOf(value);
        expect(textOf(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('the scanner', () => {
  test.each([
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ['{"a":01}', 6],
    ['{"a":"\u0001"}', 6],
    ['{"é":tru}', 6],
    ['[1,2', 4],
    ['{"a":1} x', 8],
    ['{"a":1,"b":2,"a":3}', 13],
    ['{"s":"\\ud800"}', 5],
    ['', 0],
  ])('names the byte at which %j goes wrong', (text, offset) => {
    expect(scanJson(text, 8).fault).toMatchObject({ offset });
  });

  test('bounds its own recursion', () => {
    expect(scanJson('['.repeat(100_000), 64).fault).toMatchObject({ offset: 65 });
  });

  test('does not make one long name and many values below it a matter of minutes', () => {
    const text = `{"${'n'.repeat(100_000)}":[${'0,'.repeat(50_000)}tru]}`;

    expect(scanJson(text, 64).fault).toMatchObject({ offset: text.length - 5 });
    expect(placeOf(text, `${'n'.repeat(100_000)}.49999`, 64)).toBe(text.length - 7);
  });

  test.each([
    ['', 0],
    ['a', 7],
    ['a.1', 10],
    ['a.1.b', 17],
    ['a.1.bc', 10],
    ['a.1.b.c', 17],
    ['é', 29],
    ['b', 0],
    ['missing', 0],
  ])('names the byte at which the value of %j begins, or the one around it', (path, offset) => {
    expect(placeOf('{"a" : [1,{"b" : [2]}],"é": 3,"":4}', path, 8)).toBe(offset);
  });

  test('accepts exactly what JSON.parse accepts, but for duplicate names and lone surrogates', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.nat(),
        fc.constantFrom('', '}', ',', '"', '\\', '0', 'e', ' '),
        (value, at, junk) => {
          const text = JSON.stringify(value);
          const place = at % (text.length + 1);
          const mutated = text.slice(0, place) + junk + text.slice(place + 1);
          const fault = scanJson(mutated, 1_000).fault;
          if (fault === undefined) expect(() => JSON.parse(mutated)).not.toThrow();
          else if (!/each name once|lone surrogate/.test(fault.message))
            expect(() => JSON.parse(mutated)).toThrow(SyntaxError);
          else expect(fault.offset).toBeLessThan(mutated.length * 4);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

function shuffled(value: unknown, draws: Iterator<number>): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, draws));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => ({ key, member, rank: draws.next().value as number }));
  members.sort((a, b) => a.rank - b.rank);
  return Object.fromEntries(members.map(({ key, member }) => [key, shuffled(member, draws)]));
}
