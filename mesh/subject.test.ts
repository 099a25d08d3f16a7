import { expect, test } from 'vitest';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { ALL, nodeToken, parseAbsenceSubject, parseMessageSubject, parseRealm, subject } from './subject.ts';
import { didOf } from './world.fixture.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const random = seededRandom('subjects');
const [a, b] = [nodeToken(didOf(generateKeyPair(random))), nodeToken(didOf(generateKeyPair(random)))];

test('a token is 32 characters that mean nothing to a broker', () => {
  expect(a).toMatch(/^[a-z2-7]{32}$/);
  expect(a).not.toBe(b);
});

test('a subject has the recipient before the sender and is read back', () => {
  const text = subject.message(realm, 'ask', { to: b, from: a });
  expect(text).toBe(`m1.acme.ask.${b}.${a}`);
  expect(parseMessageSubject(text)).toEqual({ lane: 'ask', to: b, from: a });
  expect(subject.leaving(realm, 'ask', a)).toBe(`m1.acme.ask.*.${a}`);
  expect(subject.leaving(realm, 'beat', a)).toBe(`m1.acme.beat.${ALL}.${a}`);
  expect(subject.arriving(realm, a)).toBe(`m1.acme.*.${a}.*`);
  expect(parseAbsenceSubject(subject.absence(a, 'ask', b))).toEqual({ lane: 'ask', to: b });
});

test.each([
  '',
  'm1.acme.ask.>',
  `m1.acme.ask.*.${a}`,
  `m1.acme.shout.${b}.${a}`,
  `m1.acme.ask.${b}.${a}.x`,
  `m1.acme.ask.${b}.${a}\r\n`,
  `m1.acme.ask.${b}`,
  `m2.acme.ask.${b}.${a}`,
  `m1.acme.ask.${b.toUpperCase()}.${a}`,
])('%j is no subject of a message', (text) => {
  expect(parseMessageSubject(text)).toBeUndefined();
});

test.each(['', 'Acme', 'a.b', 'a b', '-a', 'a-', 'a>', '*', 'a\r\nPUB', 'x'.repeat(33)])('%j is no realm', (text) => {
  expect(parseRealm(text).ok).toBe(false);
});
