import { expect, test } from 'vitest';
import { utf8 } from '../runtime/core/bytes.ts';
import { integer, list, object, oneOf, optional, readStrict, text } from './strict-json.ts';

const shape = object({
  inner: object({ list: list(integer(0, 9), 3) }),
  maybe: optional(oneOf('a', 'b')),
  word: text('a word', (found) => /^\w+$/.test(found)),
});

test('a value of the shape, in its one spelling, is read', () => {
  expect(readStrict(utf8('{"inner":{"list":[1,2]},"word":"x"}'), shape, 'x')).toEqual({
    ok: true,
    value: { inner: { list: [1, 2] }, word: 'x' },
  });
});

test.each([
  ['a member too many', '{"extra":1,"inner":{"list":[]},"word":"x"}', 9],
  ['a member that is missing', '{"inner":{"list":[]}}', 0],
  ['a member of the wrong type', '{"inner":{"list":[]},"word":7}', 28],
  ['an item out of range', '{"inner":{"list":[1,10]},"word":"x"}', 20],
  ['a float', '{"inner":{"list":[1.5]},"word":"x"}', 18],
  ['a list that is too long', '{"inner":{"list":[1,2,3,4]},"word":"x"}', 17],
  ['a list for an object', '{"inner":[],"word":"x"}', 9],
  ['null for what may be absent', '{"inner":{"list":[]},"maybe":null,"word":"x"}', 29],
  ['one of others', '{"inner":{"list":[]},"maybe":"c","word":"x"}', 29],
  ['a duplicate member', '{"inner":{"list":[]},"word":"x","word":"x"}', 32],
  ['__proto__', '{"__proto__":{},"inner":{"list":[]},"word":"x"}', 13],
  ['constructor', '{"constructor":{},"inner":{"list":[]},"word":"x"}', 15],
  ['white space', '{"inner": {"list":[]},"word":"x"}', 9],
  ['another order', '{"word":"x","inner":{"list":[]}}', 2],
  ['another spelling of an integer', '{"inner":{"list":[1e0]},"word":"x"}', 19],
  ['minus zero', '{"inner":{"list":[-0]},"word":"x"}', 18],
  ['an escape that need not be', '{"inner":{"list":[]},"word":"\\u0078"}', 29],
  ['no JSON', '{"inner":{"list":[}},"word":"x"}', 18],
  ['two values', '{"inner":{"list":[]},"word":"x"}{}', 32],
  ['nothing', '', 0],
  ['a byte order mark', '\ufeff{}', 0],
])('%s is refused at its place', (_, json, offset) => {
  expect(readStrict(utf8(json), shape, 'some.code')).toMatchObject({ ok: false, error: { code: 'some.code', offset } });
});

test('bytes that are no UTF-8 are refused', () => {
  expect(readStrict(Uint8Array.of(0x22, 0xc3, 0x28, 0x22), shape, 'some.code').ok).toBe(false);
});

test('depth is no way to exhaust the stack', () => {
  expect(readStrict(utf8(`${'['.repeat(100_000)}${']'.repeat(100_000)}`), shape, 'some.code').ok).toBe(false);
  expect(readStrict(utf8('{"inner":'.repeat(50_000)), shape, 'some.code').ok).toBe(false);
});
