import { expect, test } from 'vitest';
import { utf8, view } from '../runtime/core/bytes.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { agree, cipherKey, counterNonce, decrypt, deriveKey, encrypt, newEphemeral } from './cipher.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

test('RFC 8439 section 2.8.2: ChaCha20-Poly1305', () => {
  const key = cipherKey(hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f'));
  const nonce = hex('070000004041424344454647');
  const associated = hex('50515253c0c1c2c3c4c5c6c7');
  const plaintext = utf8(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  );
  const sealed = encrypt(key, nonce, { plaintext, associated });
  expect(view(sealed.subarray(0, 16)).toString('hex')).toBe('d31a8d34648e60db7b86afbc53ef7ec2');
  expect(view(sealed.subarray(-16)).toString('hex')).toBe('1ae10b594f09e26a7e902ecbd0600691');
  expect(decrypt(key, nonce, { sealed, associated })).toEqual(view(plaintext));
  for (let at = 0; at < sealed.length; at++) {
    const changed = Uint8Array.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(decrypt(key, nonce, { sealed: changed, associated })).toBeUndefined();
  }
  expect(decrypt(key, nonce, { sealed: sealed.subarray(0, 15), associated })).toBeUndefined();
});

test('RFC 7748 section 5.2: X25519', () => {
  const secret = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
  const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
  expect(view(agree({ publicKey: point, secret }, point) ?? new Uint8Array()).toString('hex')).toBe(
    'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
  );
});

test('RFC 5869 A.3, its first 32 bytes: HKDF-SHA256', () => {
  const derived = deriveKey(hex('0b'.repeat(22)), new Uint8Array(0), '');
  expect(view(derived).toString('hex')).toBe('8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d');
});

test('no point of small order gives a secret', () => {
  const mine = newEphemeral(seededRandom('ephemeral'));
  for (const point of [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    `ec${'ff'.repeat(30)}7f`,
  ]) {
    expect(agree(mine, hex(point))).toBeUndefined();
  }
  expect(agree(mine, new Uint8Array(31))).toBeUndefined();
});

test('a nonce is the counter, and no two are the same', () => {
  expect(view(counterNonce(1)).toString('hex')).toBe('000000000000000000000001');
  expect(view(counterNonce(2 ** 53 - 1)).toString('hex')).toBe('00000000001fffffffffffff');
});
