import { hash } from 'node:crypto';
import { inspect } from 'node:util';
import { ed25519 } from '@noble/curves/ed25519.js';
import * as noble from '@noble/ed25519';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromBase64url, toHex, utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { seededRandom } from '../core/simulation.ts';
import { formatDigest, sha256 } from './digest.ts';
import {
  admitKey,
  generateKeyPair,
  type KeyPair,
  keyPairFromSeed,
  seedOf,
  sign,
  verify,
  verifyPortable,
} from './ed25519.ts';
import { describeVectors } from './published-vectors.fixture.ts';

noble.hashes.sha512 = (message) => Uint8Array.from(hash('sha512', message, 'buffer'));

const { Point } = ed25519;
const ORDER = Point.CURVE().n;

/** The eight points of small order (their canonical encodings), and the six other encodings that some verifiers read. */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
];
const NOT_CANONICAL = [
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
];
const TORSION = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');

const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const message = fc.uint8Array({ maxLength: 200 });

describe('admission', () => {
  test('takes the key of any seed, as a copy', () => {
    const raw = Uint8Array.from(keyPairFromSeed(new Uint8Array(32)).publicKey.bytes);
    const key = unwrap(admitKey(raw), 'an honest key');
    const before = toHex(key.bytes);
    raw.fill(0);
    expect(toHex(key.bytes)).toBe(before);
  });

  test.each(SMALL_ORDER)('refuses the key %s, with which one signature fits many messages', (hex) => {
    expect(admitKey(bytes(hex))).toMatchObject({ ok: false, error: { code: 'key.small_order' } });
  });

  test.each(NOT_CANONICAL)('refuses the key %s, a second encoding of a point', (hex) => {
    expect(admitKey(bytes(hex))).toMatchObject({ ok: false, error: { code: 'key.not_canonical' } });
  });

  test('refuses a y that no point of the curve has', () => {
    expect(admitKey(bytes(`02${'00'.repeat(31)}`))).toMatchObject({ ok: false, error: { code: 'key.not_canonical' } });
  });

  test('refuses an honest key plus any point of small order', () => {
    const honest = Point.fromBytes(keyPairFromSeed(new Uint8Array(32)).publicKey.bytes);
    for (const hex of SMALL_ORDER.slice(1)) {
      const mixed = honest.add(Point.fromHex(hex)).toBytes();
      expect(admitKey(mixed)).toMatchObject({ ok: false, error: { code: 'key.mixed_order' } });
    }
  });

  test.each([0, 31, 33, 64])('refuses %i bytes', (length) => {
    expect(admitKey(new Uint8Array(length))).toMatchObject({ ok: false, error: { code: 'key.wrong_length' } });
  });
});

describe('a key pair', () => {
  test('is the same for the same draws', () => {
    const [one, two] = [generateKeyPair(seededRandom(7)), generateKeyPair(seededRandom(7))];
    expect(toHex(one.publicKey.bytes)).toBe(toHex(two.publicKey.bytes));
    expect(toHex(one.publicKey.bytes)).not.toBe(toHex(generateKeyPair(seededRandom(8)).publicKey.bytes));
  });

  test('gives its seed back, and only to who asks for it', () => {
    const secret = Uint8Array.from({ length: 32 }, (_, n) => n + 100);
    const pair = keyPairFromSeed(secret);
    expect(toHex(seedOf(pair))).toBe(toHex(secret));
    const shown = inspect(pair, { depth: 9, showHidden: true }) + JSON.stringify(pair);
    for (const form of [toHex(secret), secret.join(','), '100, 101, 102', Buffer.from(secret).toString('base64url')]) {
      expect(shown).not.toContain(form);
    }
  });

  test('asserts on a seed that is not 32 bytes', () => {
    expect(() => keyPairFromSeed(new Uint8Array(31))).toThrow(/32 bytes/);
  });
});

describe('a signature', () => {
  test('verifies here, portably and by noble, and is the one that noble makes (E3)', () => {
    fc.assert(
      fc.property(seed, message, (seed, message) => {
        const pair = keyPairFromSeed(seed);
        const signature = sign(pair, message);
        expect(toHex(signature)).toBe(toHex(noble.sign(message, seed)));
        expect(verdicts(pair, message, signature)).toEqual({ node: true, portable: true, noble: true });
      }),
    );
  });

  test('verifies nowhere once a bit of it, of the message or of the key is flipped', () => {
    const bit = fc.nat();
    fc.assert(
      fc.property(seed, message, bit, fc.constantFrom('signature', 'message', 'key'), (seed, message, bit, part) => {
        const pair = keyPairFromSeed(seed);
        const signature = sign(pair, message);
        const said = part === 'message' ? flipped(concat(message, Uint8Array.of(0)), bit) : message;
        const seal = part === 'signature' ? flipped(signature, bit) : signature;
        const by = part === 'key' ? keyPairFromSeed(flipped(seed, bit)) : pair;
        expect(verdicts(by, said, seal)).toEqual({ node: false, portable: false, noble: false });
      }),
    );
  });

  test('is refused, without an exception, at every length but 64 (E2)', () => {
    const pair = keyPairFromSeed(new Uint8Array(32));
    const good = sign(pair, utf8('hello'));
    for (let length = 0; length <= 130; length++) {
      const cut = new Uint8Array(length);
      cut.set(good.subarray(0, length));
      expect(verify(pair.publicKey, utf8('hello'), cut)).toBe(length === 64);
      expect(verifyPortable(pair.publicKey, utf8('hello'), cut)).toBe(length === 64);
    }
  });

  test('gets the same answer from both verifiers for any 64 bytes (E2)', () => {
    const pair = keyPairFromSeed(new Uint8Array(32));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), message, (signature, message) => {
        expect(verify(pair.publicKey, message, signature)).toBe(false);
        expect(verifyPortable(pair.publicKey, message, signature)).toBe(false);
      }),
    );
  });

  test('is refused with S + L for S: there is one signature where there could be two', () => {
    const pair = keyPairFromSeed(new Uint8Array(32).fill(1));
    const signature = sign(pair, utf8('hello'));
    const s = fromLittleEndian(signature.subarray(32));
    const again = concat(signature.subarray(0, 32), toLittleEndian(s + ORDER));
    expect(verdicts(pair, utf8('hello'), again)).toMatchObject({ node: false, portable: false });
  });

  test('is refused where only a cofactored verifier would take it: R with a component of small order', () => {
    const pair = keyPairFromSeed(new Uint8Array(32).fill(1));
    const nonce = 12345n;
    const r = Point.BASE.multiply(nonce).add(TORSION).toBytes();
    const forged = concat(r, toLittleEndian(responseTo(pair, r, nonce, utf8('hello'))));
    expect(verdicts(pair, utf8('hello'), forged)).toEqual({ node: false, portable: false, noble: true });
  });

  test.each([
    ['in its canonical encoding, as some versions of Node.js would take it (E4)', SMALL_ORDER[0]],
    ['in a second encoding, as a ZIP 215 verifier would take it', NOT_CANONICAL[0]],
    ['in a third encoding, as a ZIP 215 verifier would take it', NOT_CANONICAL[4]],
  ])('is refused with the neutral element for R, %s', (_, hex = '') => {
    const pair = keyPairFromSeed(new Uint8Array(32).fill(1));
    const r = bytes(hex);
    const forged = concat(r, toLittleEndian(responseTo(pair, r, 0n, utf8('hello'))));
    expect(noble.verify(forged, utf8('hello'), pair.publicKey.bytes, { zip215: true })).toBe(true);
    expect(verdicts(pair, utf8('hello'), forged)).toMatchObject({ node: false, portable: false });
  });
});

describeVectors('ed25519-rfc8032', (vectors) => {
  test('all 256 keys, signatures and bent signatures come out as published', () => {
    const lines = Buffer.from(vectors.bytes('sign.input.first256.txt')).toString('utf8').trim().split('\n');
    const wrong = lines.filter((line) => {
      const [secret = '', publicKey = '', text = '', sealed = ''] = line.split(':');
      const pair = keyPairFromSeed(bytes(secret.slice(0, 64)));
      const [message, signature] = [bytes(text), bytes(sealed.slice(0, 128))];
      const bent = flipped(signature, text.length);
      return !(
        toHex(pair.publicKey.bytes) === publicKey &&
        toHex(sign(pair, message)) === toHex(signature) &&
        verify(pair.publicKey, message, signature) &&
        verifyPortable(pair.publicKey, message, signature) &&
        !verify(pair.publicKey, message, bent) &&
        !verifyPortable(pair.publicKey, message, bent)
      );
    });
    expect(wrong).toEqual([]);
    expect(lines).toHaveLength(256);
  });

  test('none of the 196 signatures that only ZIP 215 takes is accepted', () => {
    const cases = vectors.json('zip215.json') as readonly { readonly vk_bytes: string; readonly sig_bytes: string }[];
    const accepted = cases.filter((vector) => {
      const key = admitKey(bytes(vector.vk_bytes));
      if (!key.ok) return false;
      const signature = bytes(vector.sig_bytes);
      return verify(key.value, utf8('Zcash'), signature) || verifyPortable(key.value, utf8('Zcash'), signature);
    });
    expect(accepted).toEqual([]);
    expect(cases).toHaveLength(196);
  });
});

describeVectors('rfc8037', ({ json }) => {
  test('appendix A: the key, its thumbprint and the signature of the JWS', () => {
    const vector = json('rfc8037.json') as {
      readonly A1_jwk: { readonly d: string; readonly x: string };
      readonly A3_thumbprint: string;
      readonly A4_jws: string;
      readonly A4_payload: string;
    };
    const { d, x } = vector.A1_jwk;
    const pair = keyPairFromSeed(fromBase64url(d) ?? new Uint8Array(0));
    expect(Buffer.from(pair.publicKey.bytes).toString('base64url')).toBe(x);
    expect(formatDigest(sha256(utf8(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)))).toBe(vector.A3_thumbprint);
    const [header = '', payload = '', signature = ''] = vector.A4_jws.split('.');
    expect(Buffer.from(payload, 'base64url').toString('utf8')).toBe(vector.A4_payload);
    expect(Buffer.from(sign(pair, utf8(`${header}.${payload}`))).toString('base64url')).toBe(signature);
    const seal = fromBase64url(signature) ?? new Uint8Array(0);
    expect(verdicts(pair, utf8(`${header}.${payload}`), seal)).toEqual({ node: true, portable: true, noble: true });
  });
});

/** What the three say. Noble is strict about encodings here, but its equation has the cofactor. */
function verdicts(
  pair: KeyPair,
  message: Uint8Array,
  signature: Uint8Array,
): Record<'node' | 'portable' | 'noble', boolean> {
  const { publicKey } = pair;
  return {
    node: verify(publicKey, message, signature),
    portable: verifyPortable(publicKey, message, signature),
    noble: noble.verify(signature, message, publicKey.bytes, { zip215: false }),
  };
}

/** S for a given R and nonce, as a signer of ill will computes it (RFC 8032 section 5.1.6). */
function responseTo(pair: KeyPair, r: Uint8Array, nonce: bigint, message: Uint8Array): bigint {
  const k = fromLittleEndian(hash('sha512', concat(r, pair.publicKey.bytes, message), 'buffer')) % ORDER;
  return (nonce + k * noble.utils.getExtendedPublicKey(seedOf(pair)).scalar) % ORDER;
}

function fromLittleEndian(from: Uint8Array): bigint {
  return BigInt(`0x${toHex(from.toReversed())}`);
}

function toLittleEndian(value: bigint): Uint8Array {
  return bytes(value.toString(16).padStart(64, '0')).toReversed();
}

function flipped(from: Uint8Array, bit: number): Uint8Array {
  const at = Math.floor(bit / 8) % from.length;
  return from.with(at, (from[at] ?? 0) ^ (1 << (bit % 8)));
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
