import fc from 'fast-check';
import { base58btc } from 'multiformats/bases/base58';
import { describe, expect, test } from 'vitest';
import { concat, fromBase64url, toHex } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { formatDidKey, parseDidKey } from './did-key.ts';
import { keyPairFromSeed } from './ed25519.ts';
import { describeVectors } from './published-vectors.fixture.ts';

const key = keyPairFromSeed(new Uint8Array(32)).publicKey;
const did = formatDidKey(key);

/** A did:key of any bytes under any multicodec prefix. */
function didKeyOf(prefix: readonly number[], bytes: Uint8Array): string {
  return `did:key:${base58btc.encode(concat(Uint8Array.from(prefix), bytes))}`;
}

describe('a did:key', () => {
  test('is 56 characters from z6Mk on, and leads back to its key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const { publicKey } = keyPairFromSeed(seed);
        const did = formatDidKey(publicKey);
        expect(did).toMatch(/^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/);
        expect(toHex(unwrap(parseDidKey(did), 'our own DID').bytes)).toBe(toHex(publicKey.bytes));
      }),
    );
  });

  test.each([
    ['another method', did.replace('key', 'kez')],
    ['another base', did.replace(':z', ':u')],
    ['a character outside the alphabet of base58', did.replace('6', '0')],
    ['a capital I, which base58 leaves out', did.replace('6', 'I')],
    ['a character too few', did.slice(0, -1)],
    ['a character too many', `${did}1`],
    ['an X25519 key', didKeyOf([0xec, 0x01], key.bytes)],
    ['a secp256k1 key', didKeyOf([0xe7, 0x01], concat(Uint8Array.of(2), key.bytes))],
    ['a prefix that is no shortest varint', didKeyOf([0xed, 0x81, 0x00], key.bytes)],
    ['a key of 31 bytes', didKeyOf([0xed, 0x01], key.bytes.subarray(1))],
    ['a key of 33 bytes', didKeyOf([0xed, 0x01], concat(key.bytes, Uint8Array.of(0)))],
    ['a leading zero byte', `did:key:z1${did.slice(9, -1)}`],
  ])('is refused as unsupported with %s', (_, text) => {
    expect(parseDidKey(text)).toMatchObject({ ok: false, error: { code: 'did.unsupported' } });
  });

  test.each([
    ['a fragment', `${did}#${did.slice(8)}`],
    ['a space in it', did.replace('6', ' ')],
    ['a capital in the method', did.replace('key', 'Key')],
    ['megabytes of base58', `did:key:z6Mk${'1'.repeat(4_000_000)}`],
  ])('is refused as no DID with %s', (_, text) => {
    expect(parseDidKey(text)).toMatchObject({ ok: false, error: { code: 'did.malformed' } });
  });

  test('of a key that is not admitted is refused for the reason of the key', () => {
    const neutral = Uint8Array.of(1, ...new Uint8Array(31));
    const lenient = Uint8Array.of(1, ...new Uint8Array(30), 0x80);
    expect(parseDidKey(didKeyOf([0xed, 0x01], neutral))).toMatchObject({ error: { code: 'key.small_order' } });
    expect(parseDidKey(didKeyOf([0xed, 0x01], lenient))).toMatchObject({ error: { code: 'key.not_canonical' } });
  });
});

describeVectors('did-key', ({ json }) => {
  test('all 5 Ed25519 DIDs follow from their seeds and lead back to the published keys', () => {
    const vectors = Object.entries(json('ed25519-x25519.json') as Record<string, Ed25519Vector>);
    for (const [did, { seed, verificationKeyPair: pair }] of vectors) {
      const { publicKey } = keyPairFromSeed(Buffer.from(seed, 'hex'));
      const published = pair.publicKeyJwk
        ? fromBase64url(pair.publicKeyJwk.x)
        : base58btc.decode(`z${pair.publicKeyBase58}`);
      expect(formatDidKey(publicKey)).toBe(did);
      expect(toHex(unwrap(parseDidKey(did), 'published').bytes)).toBe(toHex(published ?? new Uint8Array(0)));
    }
    expect(vectors).toHaveLength(5);
  });

  test('all 4 X25519 DIDs are refused', () => {
    const { didDocument } = json('x25519.json') as { readonly didDocument: Record<string, unknown> };
    const codes = Object.keys(didDocument).map((did) => {
      const key = parseDidKey(did);
      return key.ok ? 'ok' : key.error.code;
    });
    expect(codes).toEqual(['did.unsupported', 'did.unsupported', 'did.unsupported', 'did.unsupported']);
  });
});

type Ed25519Vector = {
  readonly seed: string;
  readonly verificationKeyPair: {
    readonly publicKeyBase58?: string;
    readonly publicKeyJwk?: { readonly x: string };
  };
};
