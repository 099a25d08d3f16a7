import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { formatDigest, parseDigest, parseDigestText, sha256 } from './digest.ts';

describe('sha256', () => {
  test('gives the digests of FIPS 180-4', () => {
    const cases = [
      ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
      ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
      [
        'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
        '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
      ],
    ] as const;
    for (const [text, hex] of cases) expect(toHex(sha256(utf8(text)))).toBe(hex);
  });

  test('hashes several parts as if they were one, and none as the empty string', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (parts) => {
        const oracle = createHash('sha256');
        for (const part of parts) oracle.update(part);
        expect(toHex(sha256(...parts))).toBe(oracle.digest('hex'));
      }),
    );
  });

  test('gives each digest bytes of its own', () => {
    const first = sha256(utf8('first'));
    const before = toHex(first);
    sha256(utf8('second')).fill(0);
    expect(toHex(first)).toBe(before);
  });
});

describe('a digest', () => {
  test('is 32 bytes and nothing else', () => {
    expect(parseDigest(new Uint8Array(32)).ok).toBe(true);
    for (const length of [0, 31, 33, 64]) {
      expect(parseDigest(new Uint8Array(length))).toMatchObject({ ok: false, error: { code: 'digest.malformed' } });
    }
  });

  test('is written as 43 characters and read back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const text = formatDigest(unwrap(parseDigest(bytes), '32 bytes'));
        expect(text).toHaveLength(43);
        expect(toHex(unwrap(parseDigestText(text), 'our own text'))).toBe(toHex(bytes));
      }),
    );
  });

  test.each([
    ['padding', `${'A'.repeat(43)}=`],
    ['the other alphabet', `${'A'.repeat(42)}+`],
    ['stray bits in the last character', `${'A'.repeat(42)}B`],
    ['a character too few', 'A'.repeat(42)],
    ['a character too many', 'A'.repeat(44)],
    ['white space', ` ${'A'.repeat(42)}`],
    ['nothing', ''],
  ])('is not read from a text with %s', (_, text) => {
    expect(parseDigestText(text)).toMatchObject({ ok: false, error: { code: 'digest.malformed' } });
  });
});
