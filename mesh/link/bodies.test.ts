import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import { codeOf } from '../world.fixture.ts';
import { answerToAsk, answerToTell, readAnswer, readBody, writeBody } from './bodies.ts';

test('any data is read as it was written', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const written = unwrap(writeBody(value as JsonValue), 'data');
      expect(unwrap(readBody(written), 'a body')).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test.each(['{"a":1,"a":2}', '{"b":1,"a":2}', '{ "a":1}', '1.0', '', '{', 'nul', '"\\u0061"', '[1,]'])(
  '%s is refused: no body has two spellings',
  (text) => {
    expect(codeOf(readBody(utf8(text)))).toBe('body.malformed');
  },
);

test('what is said of a body that is no JSON can be recorded, though V8 quotes characters by halves', () => {
  const read = readBody(utf8('[1,😀]'));
  expect(!read.ok && read.error.message.isWellFormed()).toBe(true);
});

test('bytes that are no UTF-8 are refused', () => {
  expect(codeOf(readBody(Uint8Array.of(0x22, 0xff, 0x22)))).toBe('body.malformed');
});

test.each<Outcome>([
  { type: 'ok', value: { a: [1, 'b', null] } },
  { type: 'denied', code: 'policy.denied', message: 'no' },
  { type: 'invalid', code: 'value.wrong', message: '' },
  { type: 'failed', code: 'tool.broke', message: 'it broke' },
  { type: 'busy', retryAfterMs: 17 },
  { type: 'timeout', withinMs: 0 },
  { type: 'died', message: 'it has ended' },
  { type: 'unknown', message: 'look' },
])('the outcome $type is read as it was written, with a code where it is no success', (outcome) => {
  const { kind, code, content } = answerToAsk(outcome);
  expect(readAnswer(kind, content)).toEqual(outcome);
  expect([kind === 'failure', code !== undefined]).toEqual([outcome.type !== 'ok', outcome.type !== 'ok']);
});

test('an acceptance is one, a refused tell is a failure', () => {
  expect(answerToTell({ type: 'ok', value: null })).toMatchObject({ kind: 'accepted' });
  expect(readAnswer('accepted', utf8('garbage'))).toEqual({ type: 'ok', value: null });
  expect(answerToTell({ type: 'busy', retryAfterMs: 1.5 })).toMatchObject({ kind: 'failure', code: 'answer.busy' });
});

test('a failure keeps within its form, whatever code and message it was given', () => {
  const odd = answerToAsk({ type: 'failed', code: 'NOT A CODE', message: `${'x'.repeat(5_000)}\ud800` });
  expect(odd.code).toBe('answer.failed');
  expect(readAnswer(odd.kind, odd.content)).toMatchObject({ type: 'failed', code: 'answer.failed' });
});

test.each([
  '{"type":"ok"}',
  '{}',
  '{"type":"busy","ms":-1}',
  '{"code":"x","type":"denied"}',
  'null',
  '{"type":"busy","more":1}',
])('a failure that says %s is malformed, and nobody’s success', (text) => {
  expect(readAnswer('failure', utf8(text))).toMatchObject({ type: 'failed', code: 'answer.malformed' });
});
