import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../../runtime/codec/json.ts';
import { parseEventLine } from './event-line.ts';

describe('a line of events', () => {
  test('gives stream, type and data, and what may be left out', () => {
    const id = '01890000-0000-7000-8000-000000000001';
    const actor = 'did:web:example.com';

    const parsed = parse({ stream: 'orders-7', type: 'order.placed', data: { cents: 450 }, id, actor });

    const value = { stream: 'orders-7', type: 'order.placed', data: { cents: 450 }, id, actor };
    expect(parsed).toEqual({ ok: true, value });
  });

  test.each(['', '  ', '\t', '\r'])('may be blank', (text) => {
    const parsed = parseEventLine(Buffer.from(text));

    expect(parsed).toEqual({ ok: true, value: undefined });
  });

  test.each([null, 0, false, '', [], {}])('takes any JSON as data: %j', (data) => {
    const parsed = parse({ stream: 's', type: 'x.y', data });

    expect(parsed).toMatchObject({ ok: true, value: { data } });
  });

  test('keeps the data as it was written, whatever it is', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (json) => {
        fc.pre(canonicalJson(JSON.parse(json)).ok);
        const line = `{"stream":"s", "type" : "x.y","data": ${json} }`;

        const parsed = parseEventLine(Buffer.from(line));

        expect(parsed).toMatchObject({ ok: true });
        if (parsed.ok) expect(JSON.stringify(parsed.value?.data)).toBe(JSON.stringify(JSON.parse(json)));
      }),
    );
  });

  test.each([
    ['a name that stands twice', '{"stream":"s","type":"x.y","data":1,"data":2}', 'input.malformed', 36],
    ['a name that stands twice inside', '{"stream":"s","type":"x.y","data":{"a:":1,"a:":2}}', 'input.malformed', 42],
    ['a text that ends early', '{"stream":"s"', 'input.malformed', 13],
    ['text after the object', '{"stream":"s","type":"x.y","data":1} {}', 'input.malformed', 37],
    ['a list', '[1]', 'input.malformed', 0],
    ['a number', '7', 'input.malformed', 0],
    ['a byte order mark', '\ufeff{}', 'input.malformed', 0],
    ['an unknown name', '{"streem":"s","type":"x.y","data":1}', 'input.malformed', 0],
    ['no data', '{"stream":"s","type":"x.y"}', 'input.malformed', 0],
    ['no stream', '{"type":"x.y","data":1}', 'input.malformed', 0],
    ['a stream with a space', '{"stream":"s t","type":"x.y","data":1}', 'input.malformed', 10],
    ['a type without a dot', '{"stream":"s","type":"x","data":1}', 'input.malformed', 21],
    ['an id that is no UUID', '{"stream":"s","type":"x.y","data":1,"id":"7"}', 'input.malformed', 41],
    [
      'an id in upper case',
      `{"stream":"s","type":"x.y","data":1,"id":"${'A'.repeat(8)}-0000-7000-8000-000000000001"}`,
      'input.malformed',
      41,
    ],
    ['an actor that is no DID', '{"stream":"s","type":"x.y","data":1,"actor":"me"}', 'input.malformed', 44],
    ['a type of the log’s own', '{"stream":"s","type":"log.succeeded","data":1}', 'input.reserved_type', 21],
    [
      'an integer that a double rounds',
      '{"stream":"s","type":"x.y","data":["9007199254740993",9007199254740993]}',
      'input.not_exact',
      54,
    ],
    ['a number past the largest double', '{"stream":"s","type":"x.y","data":1e400}', 'input.not_exact', 34],
  ])('with %s is refused, with the byte', (_what, line, code, offset) => {
    const parsed = parseEventLine(Buffer.from(line));

    expect(parsed).toMatchObject({ ok: false, error: { code, offset } });
  });

  test.each(['9007199254740992', '-9007199254740994', '1e100', '0.1', '1.0000000000000000000001'])(
    'with %s is taken: nobody means more by it than a double holds',
    (number) => {
      const parsed = parseEventLine(Buffer.from(`{"stream":"s","type":"x.y","data":${number}}`));

      expect(parsed).toMatchObject({ ok: true });
    },
  );

  test.each([
    [Buffer.from([0x7b, 0x22, 0xc3, 0x28]), 2],
    [Buffer.concat([Buffer.from('"é\ufffd'), Buffer.from([0xff])]), 6],
  ])('that is not UTF-8 is refused at its first wrong byte', (bytes, offset) => {
    const parsed = parseEventLine(bytes);

    expect(parsed).toMatchObject({ ok: false, error: { code: 'input.malformed', offset } });
  });

  test('may nest its data 64 deep and no deeper', () => {
    const nested = (depth: number): string =>
      `{"stream":"s","type":"x.y","data":${'['.repeat(depth)}${']'.repeat(depth)}}`;

    const [deep, deeper, abyss] = [64, 65, 100_000].map((depth) => parseEventLine(Buffer.from(nested(depth))));

    expect(deep).toMatchObject({ ok: true });
    expect(deeper).toMatchObject({ ok: false });
    expect(abyss).toMatchObject({ ok: false });
  });

  test('keeps a name that programs stumble over', () => {
    const parsed = parseEventLine(Buffer.from('{"stream":"s","type":"x.y","data":{"__proto__":1,"constructor":2}}'));

    expect(JSON.stringify(parsed.ok && parsed.value?.data)).toBe('{"__proto__":1,"constructor":2}');
  });
});

function parse(line: object): ReturnType<typeof parseEventLine> {
  return parseEventLine(Buffer.from(JSON.stringify(line)));
}
