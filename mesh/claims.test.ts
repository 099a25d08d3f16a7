import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Cid } from '../runtime/codec/cid.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import { type Claims, claimsShape, decodeClaims, encodeClaims } from './claims.ts';
import { CALL_CHAIN_MAX, DELEGATION_CHAIN_MAX } from './limits.ts';
import { readStrict } from './strict-json.ts';
import { aMessage, aWorld } from './world.fixture.ts';

const world = aWorld('claims');
const cid = world.certificate;
const digest = 'SBNJTRN-FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I' as DigestText;
const { ask, quote } = world;

/** One of each form. */
const samples: readonly Uint8Array[] = [
  aMessage(world).claims,
  aMessage(world, { claims: { cause: { index: 7, leaf: digest }, chain: [ask.did, quote.did] } }).claims,
  aMessage(world, { claims: { delegation: [cid, cid], certificate: undefined, contract: undefined } }).claims,
  aMessage(world, { kind: 'reply', claims: { answer: { request: digest } } }).claims,
  aMessage(world, { kind: 'failure', claims: { answer: { code: 'answer.busy', request: digest } } }).claims,
  aMessage(world, { claims: { budget: { calls: 1, ms: 0 } } }).claims,
  aMessage(world, { claims: { trace: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } }).claims,
];

/** As claims are read without a short way. */
const longWay = (bytes: Uint8Array) => readStrict(bytes, claimsShape, 'claims.malformed');

test('claims of every form are read as they were written', () => {
  for (const bytes of samples) {
    const read = decodeClaims(bytes);

    expect(read).toEqual(longWay(bytes));
    expect(read.ok && encodeClaims(read.value)).toEqual(bytes);
  }
});

test('the short way lets through what the long way does, and nothing else', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '"',
      '\\',
      '\\u0041',
      ',',
      '{',
      '}',
      '[',
      ']',
      ':',
      ' ',
      '\n',
      '\u0000',
      '-0',
      '1e3',
      '.5',
      '9'.repeat(16),
    ),
    fc.constantFrom(
      'é',
      '\ud83d\ude00',
      '/',
      '%',
      'A',
      '=',
      '"budget":{},',
      '"code":"x",',
      '"code":"a.b",',
      '"__proto__":1,',
    ),
    fc.constantFrom(`,"${ask.did}"`, `"${cid}",`, `"${digest}"`, 'did:x:', 'null', 'true'),
    fc.string({ maxLength: 3 }),
  );
  const change = fc.record({ at: fc.nat(1_200), cut: fc.nat(60), put: piece });

  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.array(change, { minLength: 1, maxLength: 2 }), (sample, changes) => {
      let text = view(sample).toString('utf8');
      for (const { at, cut, put } of changes) {
        const from = at % text.length;
        text = text.slice(0, from) + put + text.slice(from + (cut > 30 ? 0 : cut));
      }
      const bytes = utf8(text);

      expect(decodeClaims(bytes)).toEqual(longWay(bytes));
    }),
    { numRuns: 5_000 },
  );
});

test('members in another order, twice, or one too many are found', () => {
  const text = view(samples[1] ?? new Uint8Array()).toString('utf8');
  const members = text
    .slice(1, -1)
    .split(/,(?="(?:cause|certificate|chain|command|contract|correlation|deadline|from|to)":)/);
  for (const [index, member] of members.entries()) {
    const [first = '', ...rest] = members.toSpliced(index, 1);
    for (const wrong of [
      [member, first, ...rest],
      [first, ...rest, member],
      [first, ...rest],
      [...members, member],
    ]) {
      const bytes = utf8(`{${wrong.join(',')}}`);

      expect(decodeClaims(bytes)).toEqual(longWay(bytes));
    }
  }
});

test('lists and numbers at and past their bounds are judged alike', () => {
  const text = view(samples[0] ?? new Uint8Array()).toString('utf8');
  const withChain = (count: number): string =>
    text.replace('"chain":[]', `"chain":[${Array.from({ length: count }, () => `"${ask.did}"`).join(',')}]`);
  const withDelegation = (count: number): string =>
    text.replace('"delegation":[]', `"delegation":[${Array.from({ length: count }, () => `"${cid}"`).join(',')}]`);
  const withLength = (length: string): string => text.replace(/"length":\d+/, `"length":${length}`);
  const withDeadline = (deadline: string): string => text.replace(/"deadline":\d+/, `"deadline":${deadline}`);
  const withSize = (size: string): string => text.replace(/"size":\d+/, `"size":${size}`);
  const lengths = ['0', '262144', '262145', '01', '-1', '1.0', '99999999999999', '9007199254740993'];
  const deadlines = ['99999999999999', '281474976710655', '281474976710656', '1e3'];
  const texts = [
    ...[CALL_CHAIN_MAX, CALL_CHAIN_MAX + 1].map(withChain),
    ...[DELEGATION_CHAIN_MAX, DELEGATION_CHAIN_MAX + 1].map(withDelegation),
    ...lengths.flatMap((length) => [withLength(length), withSize(length)]),
    ...deadlines.map(withDeadline),
  ];
  const verdicts = texts.map((each) => decodeClaims(utf8(each)));

  expect(verdicts).toEqual(texts.map((each) => longWay(utf8(each))));
  expect(verdicts.filter(({ ok }) => ok).length).toBe(10);
});

test('what is no claim is not written', () => {
  const read = decodeClaims(samples[0] ?? new Uint8Array());
  const claims = (read.ok ? read.value : {}) as Claims;
  const wrong: readonly Partial<Claims>[] = [
    { command: '/quote/price","contract":"x' },
    { certificate: 'bafy' as Cid },
    { from: 'did:x:' as Claims['from'] },
    { deadline: 1.5 as Claims['deadline'] },
    { body: { ...claims.body, length: 262_145 } },
  ];
  for (const change of wrong) expect(() => encodeClaims({ ...claims, ...change })).toThrow('encodeClaims');
});
