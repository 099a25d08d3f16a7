import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, utf8, view } from '../runtime/core/bytes.ts';
import { NatsStream } from './nats-stream.ts';

/** The units that come of `bytes` in chunks of these lengths, and the rest. */
function split(bytes: Uint8Array, lengths: readonly number[]) {
  const stream = new NatsStream();
  const units: { readonly bytes: Uint8Array; readonly subject: string | undefined }[] = [];
  let from = 0;
  for (let n = 0; from < bytes.length; n++) {
    const to = from + Math.max(1, lengths[n % lengths.length] ?? 1);
    units.push(...stream.push(bytes.subarray(from, to)));
    from = to;
  }
  return { units, rest: stream.end() };
}

const text = (bytes: Uint8Array): string => view(bytes).toString('latin1');
const chunks = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });

const payload = fc.uint8Array({ maxLength: 60 });
const word = fc.stringMatching(/^[a-zA-Z0-9._*>$]{1,12}$/);
const command = fc.oneof(
  fc
    .constantFrom('PING', 'PONG', '+OK', "-ERR 'Permissions Violation'", 'SUB a.> 1', 'UNSUB 1 5', 'CONNECT {"a":1}')
    .map((line) => ({ bytes: utf8(`${line}\r\n`), subject: undefined })),
  fc
    .record({
      verb: fc.constantFrom('PUB', 'pub', 'MSG'),
      subject: word,
      more: fc.array(word, { maxLength: 2 }),
      payload,
    })
    .map(({ verb, subject, more, payload }) => ({
      bytes: concat(utf8(`${[verb, subject, ...more, payload.length].join(' ')}\r\n`), payload, utf8('\r\n')),
      subject,
    })),
  fc
    .record({ verb: fc.constantFrom('HPUB', 'HMSG'), subject: word, reply: word, payload })
    .map(({ verb, subject, reply, payload }) => {
      const header = utf8('NATS/1.0\r\nA: b\r\n\r\n');
      const line = `${verb} ${subject} ${reply} ${header.length} ${header.length + payload.length}\r\n`;
      return { bytes: concat(utf8(line), header, payload, utf8('\r\n')), subject };
    }),
);

test('X1: units are the commands, whatever the chunks, and together they are the bytes that came', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 20 }), chunks, (commands, lengths) => {
      const { units, rest } = split(concat(...commands.map(({ bytes }) => bytes)), lengths);
      expect(units.map(({ bytes, subject }) => [text(bytes), subject])).toEqual(
        commands.map(({ bytes, subject }) => [text(bytes), subject]),
      );
      expect(rest).toHaveLength(0);
    }),
  );
});

test('X1: of bytes that mean nothing, too, not one is lost, added or moved', () => {
  const noise = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ maxLength: 200 }).map(utf8));
  const bytes = fc
    .array(
      fc.oneof(
        noise,
        command.map((one) => one.bytes),
      ),
      { maxLength: 8 },
    )
    .map((all) => concat(...all));
  fc.assert(
    fc.property(bytes, chunks, (all, lengths) => {
      const { units, rest } = split(all, lengths);
      expect(text(concat(...units.map((unit) => unit.bytes), rest))).toBe(text(all));
    }),
  );
});

test.each([
  ['TLS', '\x16\x03\x01\x02\x00\x01'],
  ['a length that is none', 'PUB a x\r\nPUB b 1\r\nx\r\n'],
  ['a message without a length', 'PUB a\r\n'],
  ['a length beyond all bounds', 'MSG a 1 99999999999\r\nx'],
])('X2: %s is passed on at once, and nothing in it is a message', (_what, given) => {
  const { units, rest } = split(
    Uint8Array.from(given, (character) => character.charCodeAt(0)),
    [3],
  );
  expect(units.map(({ bytes }) => text(bytes)).join('')).toBe(given);
  expect(units.every(({ subject }) => subject === undefined)).toBe(true);
  expect(rest).toHaveLength(0);
});

test('a payload that looks like commands is a payload', () => {
  const { units } = split(utf8('PUB a 18\r\nPUB b 3\r\nabc\r\nPING\r\nPING\r\n'), [1]);
  expect(units.map(({ bytes, subject }) => [bytes.length, subject])).toEqual([
    [30, 'a'],
    [6, undefined],
  ]);
});
