import { nkeys } from 'nats';
import { expect, test } from 'vitest';
import { keyPairFromSeed, verify } from '../runtime/codec/ed25519.ts';
import { fromBase64url, utf8 } from '../runtime/core/bytes.ts';
import { formatUserNkey, parseUserNkey, signNonce } from './nkey.ts';

const pair = keyPairFromSeed(Uint8Array.from({ length: 32 }, (_, n) => n));

test('an nkey is what the client’s own library makes of the same key', () => {
  const theirs = nkeys.fromPublic(formatUserNkey(pair.publicKey));
  expect(theirs.getPublicKey()).toBe(formatUserNkey(pair.publicKey));
  const { sig } = signNonce(pair, 'aBcDeFgHiJkLmNo');
  expect(theirs.verify(utf8('aBcDeFgHiJkLmNo'), fromBase64url(sig) ?? new Uint8Array())).toBe(true);
});

test('an nkey is read back, and nothing else is', () => {
  const nkey = formatUserNkey(pair.publicKey);
  expect(parseUserNkey(nkey)).toMatchObject({ ok: true, value: { bytes: pair.publicKey.bytes } });
  const flipped = nkey.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  for (const text of [
    '',
    nkey.toLowerCase(),
    `${nkey}A`,
    `S${nkey.slice(1)}`,
    `A${nkey.slice(1)}`,
    flipped,
    ` ${nkey}`,
  ]) {
    expect(parseUserNkey(text)).toMatchObject({ ok: false, error: { code: 'nkey.malformed' } });
  }
});

test('a nonce is signed and nothing else', () => {
  const { sig } = signNonce(pair, 'aBcDeFgHiJkLmNo');
  expect(verify(pair.publicKey, utf8('aBcDeFgHiJkLmNo'), fromBase64url(sig) ?? new Uint8Array())).toBe(true);
  expect(signNonce(pair, undefined).sig).toBe('');
});

test.each([
  ['a JWT', 'eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJkaWQ6a2V5OnoifQ'],
  ['bytes under a domain', 'iatp-mesh/1/envelope\0'],
  ['a checkpoint', 'realm/node/log/0\n1\nx\n'],
  ['nothing', ''],
  ['very much', 'x'.repeat(65)],
])('a server that wants %s signed gets nothing', (_, nonce) => {
  expect(() => signNonce(pair, nonce)).toThrow(expect.objectContaining({ code: 'nkey.odd_nonce' }));
});
