import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { nextEpoch, openCheckpoint, parseOrigin, signCheckpoint } from './checkpoint.ts';
import { parseDigest, sha256 } from './digest.ts';
import { keyPairFromSeed } from './ed25519.ts';
import { EMPTY_ROOT } from './merkle.ts';
import { noteSigner, signNote, toBase64 } from './note.ts';

const origin = unwrap(parseOrigin('example.com/node-1/log/1'), 'a constant');
const signer = noteSigner(origin, keyPairFromSeed(new Uint8Array(32).fill(1)));
const root = sha256(utf8('a root'));

describe('a checkpoint', () => {
  test('says after opening what was signed', () => {
    const digest = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((bytes) => unwrap(parseDigest(bytes), '32 bytes'));
    const head = fc.tuple(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), digest);
    fc.assert(
      fc.property(head, ([size, root]) => {
        const opened = unwrap(openCheckpoint(signCheckpoint({ origin, size, root }, signer), signer), 'our own');
        expect({ ...opened, root: toHex(opened.root) }).toEqual({ origin, size, root: toHex(root) });
      }),
    );
  });

  test('is three lines, a blank one and a signature', () => {
    const note = signCheckpoint({ origin, size: 42, root }, signer);
    expect(Buffer.from(note).toString('utf8')).toMatch(
      /^example\.com\/node-1\/log\/1\n42\n[A-Za-z0-9+/]{43}=\n\n— example\.com\/node-1\/log\/1 [A-Za-z0-9+/]{91}=\n$/,
    );
  });

  test('of the empty tree has the empty root', () => {
    const opened = unwrap(
      openCheckpoint(signCheckpoint({ origin, size: 0, root: EMPTY_ROOT }, signer), signer),
      'ours',
    );
    expect(opened.size).toBe(0);
    expect(() => signCheckpoint({ origin, size: 0, root }, signer)).toThrow(/empty root/);
  });

  test('is not signed by the key of another log, nor for a size that is none', () => {
    expect(() => signCheckpoint({ origin: nextEpoch(origin), size: 1, root }, signer)).toThrow(/key of the origin/);
    for (const size of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => signCheckpoint({ origin, size, root }, signer)).toThrow(/a size/);
    }
  });

  test('is refused where the key signed for another origin: one log cannot speak for another', () => {
    const note = signNote(`${nextEpoch(origin)}\n42\n${toBase64(root)}\n`, signer);
    expect(openCheckpoint(note, signer)).toMatchObject({ ok: false, error: { code: 'checkpoint.wrong_origin' } });
  });

  test('is refused where a key of the same name, but not the same key, signed it', () => {
    const impostor = noteSigner(origin, keyPairFromSeed(new Uint8Array(32).fill(2)));
    const note = signCheckpoint({ origin, size: 42, root }, impostor);
    expect(openCheckpoint(note, signer)).toMatchObject({ ok: false, error: { code: 'note.unsigned' } });
  });

  test('is refused once a digit of its size is changed', () => {
    const note = Buffer.from(signCheckpoint({ origin, size: 42, root }, signer)).toString('utf8');
    const result = openCheckpoint(utf8(note.replace('\n42\n', '\n41\n')), signer);
    expect(result).toMatchObject({ ok: false, error: { code: 'note.bad_signature' } });
  });

  const text = toBase64(root);
  test.each([
    ['a leading zero', `042\n${text}\n`],
    ['a sign', `+42\n${text}\n`],
    ['a negative size', `-1\n${text}\n`],
    ['an exponent', `1e3\n${text}\n`],
    ['a hexadecimal size', `0x2a\n${text}\n`],
    ['digits that are not ASCII', `٤٢\n${text}\n`],
    ['a space after the size', `42 \n${text}\n`],
    ['an empty size', `\n${text}\n`],
    ['a size of 2^53', `9007199254740992\n${text}\n`],
    ['a size of 2^64', `18446744073709551616\n${text}\n`],
    ['a root of 31 bytes', `42\n${toBase64(new Uint8Array(31))}\n`],
    ['a root of 33 bytes', `42\n${toBase64(new Uint8Array(33))}\n`],
    ['a root without padding', `42\n${text.replace('=', '')}\n`],
    ['a root with stray bits', `42\n${'A'.repeat(42)}B=\n`],
    ['no root', '42\n'],
    ['a root that is not that of the empty tree', `0\n${text}\n`],
    ['an extension line', `42\n${text}\nextension\n`],
    ['an empty line after the root', `42\n${text}\n\n`],
  ])('is refused, though well signed, with %s', (_, lines) => {
    const note = signNote(`${origin}\n${lines}`, signer);
    expect(openCheckpoint(note, signer)).toMatchObject({ ok: false, error: { code: 'checkpoint.malformed' } });
  });
});

describe('an origin', () => {
  test.each(['a/b/log/0', 'example.com/node-1/log/1', 'x_1/0.y/log/9007199254740991', `${'r'.repeat(63)}/n/log/10`])(
    '%s is one',
    (text) => {
      expect(parseOrigin(text)).toEqual({ ok: true, value: text });
    },
  );

  test.each([
    '',
    'a/b/log/',
    'a/b/log/01',
    'a/b/log/-1',
    'a/b/log/1.5',
    'a/b/log/9007199254740992',
    'a/b/log/1/',
    '/a/b/log/1',
    'a//log/1',
    'a/b/c/log/1',
    'a/b/lag/1',
    'A/b/log/1',
    'a/é/log/1',
    'a/../log/1',
    'a b/c/log/1',
    'a+b/c/log/1',
    'a/b/log/1\n',
    `${'r'.repeat(64)}/n/log/1`,
  ])('%j is none', (text) => {
    expect(parseOrigin(text)).toMatchObject({ ok: false, error: { code: 'origin.malformed' } });
  });

  test('of the next epoch differs in nothing but the epoch', () => {
    expect(nextEpoch(unwrap(parseOrigin('a/b/log/0'), 'a constant'))).toBe('a/b/log/1');
    expect(nextEpoch(unwrap(parseOrigin('a/b9/log/99'), 'a constant'))).toBe('a/b9/log/100');
  });

  test('at the last epoch has no next one', () => {
    const last = unwrap(parseOrigin('a/b/log/9007199254740991'), 'a constant');
    expect(() => nextEpoch(last)).toThrow(/an epoch has a next one/);
  });
});
