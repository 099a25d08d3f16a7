/** The wrapper, and each trap of the library beneath it: first that the trap is real, then that it does not catch us. */
import { hash } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { createJWT, EdDSASigner, verifyJWT } from 'did-jwt';
import { describe, expect, test } from 'vitest';
import { parseDid } from '../runtime/codec/did.ts';
import { generateKeyPair, type KeyPair, seedOf, sign } from '../runtime/codec/ed25519.ts';
import type { JsonValue } from '../runtime/codec/json.ts';
import { concat, toBase64url, utf8 } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { didDocument } from './did-document.ts';
import { did } from './fields.ts';
import { keySubject } from './hosting.ts';
import { learn, writeRevocation } from './identity.ts';
import { type JwtClaims, type Resolve, readJwt, writeJwt } from './jwt.ts';
import { integer, object } from './strict-json.ts';
import { anAgent, codeOf, didOf, later, NOW } from './world.fixture.ts';

const random = seededRandom('jwt');
const [alice, bob] = [generateKeyPair(random), generateKeyPair(random)];
const seconds = NOW / 1000;
const shape = object({ aud: did, exp: integer(0), iss: did, n: integer(0), nbf: integer(0) });
const resolve: Resolve = (known) => {
  const subject = keySubject(known);
  return subject.ok ? subject.value : undefined;
};
const expected = { purpose: 'iatp-dlg+jwt', shape, audience: didOf(bob), at: NOW, resolve } as const;

function claims(over: Partial<JwtClaims> = {}): JwtClaims & { readonly n: number } {
  return { iss: didOf(alice), aud: didOf(bob), nbf: seconds, exp: seconds + 900, n: 7, ...over };
}

const HEADER = '{"alg":"EdDSA","typ":"iatp-dlg+jwt"}';

/** A token of any header and payload, properly signed. */
function raw(header: string, payload: string, pair: KeyPair = alice): string {
  const signed = `${toBase64url(utf8(header))}.${toBase64url(utf8(payload))}`;
  return `${signed}.${toBase64url(sign(pair, utf8(signed)))}`;
}

function written(value: JsonValue): string {
  return JSON.stringify(value, Object.keys(value as object).toSorted());
}

test('a token comes back as it was written, whoever resolves its issuer', async () => {
  const token = await writeJwt('iatp-dlg+jwt', { ...claims() }, alice);
  expect(token).toBe(raw(HEADER, written({ ...claims() })));
  expect(await readJwt(token, expected)).toEqual({ ok: true, value: claims() });

  const agent = anAgent('quote', random);
  const ofAgent = await writeJwt('iatp-dlg+jwt', { ...claims({ iss: agent.did }) }, agent.key);
  const known = { ...expected, resolve: () => ({ type: 'mesh', identity: agent.identity }) as const };
  expect(await readJwt(ofAgent, known)).toMatchObject({ ok: true, value: { iss: agent.did } });
});

test('a token of an identity that has ended is refused', async () => {
  const agent = anAgent('quote', random);
  const revocation = writeRevocation(agent.did, { by: agent.sponsor, reason: 'x', at: NOW });
  const identity = unwrap(learn(agent.identity, revocation), 'a revocation');
  const token = await writeJwt('iatp-dlg+jwt', { ...claims({ iss: agent.did }) }, agent.key);
  expect(codeOf(await readJwt(token, { ...expected, resolve: () => ({ type: 'mesh', identity }) }))).toBe(
    'jwt.unknown_issuer',
  );
});

describe('J1: options that are shared', () => {
  test('let a token that alice signed pass as one of bob’s, in the library', async () => {
    const resolver = { resolve: (known: string) => Promise.resolve(resolution(known)) };
    const options = { resolver, audience: didOf(bob), policies: { now: seconds } };
    const now = { issuer: didOf(alice), signer: EdDSASigner(seedOf(alice)) };
    const own = await createJWT({ aud: didOf(bob), nbf: seconds }, now, { alg: 'EdDSA' });
    const forged = await createJWT({ aud: didOf(bob), nbf: seconds }, { ...now, issuer: didOf(bob) }, { alg: 'EdDSA' });

    await verifyJWT(own, options);
    const verified = await verifyJWT(forged, options);

    expect(verified).toMatchObject({ verified: true, payload: { iss: didOf(bob) }, issuer: didOf(alice) });
    await expect(verifyJWT(forged, { resolver, audience: didOf(bob) })).rejects.toThrow();
  });

  test('do not, in the wrapper, in either order', async () => {
    const own = raw(HEADER, written({ ...claims() }));
    const forged = raw(HEADER, written({ ...claims({ iss: didOf(bob) }) }), alice);
    expect((await readJwt(own, expected)).ok).toBe(true);
    expect(codeOf(await readJwt(forged, expected))).toBe('jwt.bad_signature');
    expect((await readJwt(own, expected)).ok).toBe(true);
  });
});

describe('J2: a header', () => {
  test('without algorithm means ES256K to the library, and nothing to the wrapper', async () => {
    const signer = (): Promise<string> => Promise.resolve('A'.repeat(86));
    const token = await createJWT({ ...claims() } as object, { issuer: didOf(alice), signer });
    expect(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())).toMatchObject({ alg: 'ES256K' });
    expect(codeOf(await readJwt(token, expected))).toBe('jwt.wrong_header');
  });

  test.each([
    '{"alg":"none","typ":"iatp-dlg+jwt"}',
    '{"typ":"iatp-dlg+jwt"}',
    '{"alg":"Ed25519","typ":"iatp-dlg+jwt"}',
    '{"alg":"ES256K","typ":"iatp-dlg+jwt"}',
    '{"alg":"eddsa","typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","typ":"JWT"}',
    '{"alg":"EdDSA"}',
    '{"typ":"iatp-dlg+jwt","alg":"EdDSA"}',
    '{"alg":"EdDSA", "typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","cty":"JWT","typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","jwk":{"kty":"OKP"},"typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","jku":"https://evil.example","typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","crit":["b64"],"b64":false,"typ":"iatp-dlg+jwt"}',
    '{"alg":"none","alg":"EdDSA","typ":"iatp-dlg+jwt"}',
  ])('%s is refused before anything else is read', async (header) => {
    expect(codeOf(await readJwt(raw(header, written({ ...claims() })), expected))).toBe('jwt.wrong_header');
  });

  test('of another type passes in the library', async () => {
    const token = raw('{"alg":"EdDSA","typ":"at+jwt"}', written({ ...claims() }));
    const options = {
      resolver: { resolve: (known: string) => Promise.resolve(resolution(known)) },
      audience: didOf(bob),
    };
    expect(await verifyJWT(token, { ...options, policies: { now: seconds } })).toMatchObject({ verified: true });
  });
});

describe('J3: a payload', () => {
  test.each([
    ['self-issued', { iss: 'https://self-issued.me/v2', sub: didOf(alice) }],
    ['self-issued, old', { iss: 'https://self-issued.me', did: didOf(alice) }],
    ['with a DID URL as issuer', { iss: `${didOf(alice)}#key` }],
    ['with several audiences', { aud: [didOf(bob), didOf(alice)] }],
    ['with times that are no integers', { exp: 2e9 + 0.5 }],
    ['with times in texts', { exp: '2000000000' }],
    ['with members that are not known', { isAdmin: true }],
  ])('%s is refused', async (_, over) => {
    const token = raw(HEADER, written({ ...claims(), ...over } as JsonValue));
    expect(codeOf(await readJwt(token, expected))).toBe('jwt.malformed');
  });

  test('with duplicate names, or another spelling, is refused', async () => {
    const text = written({ ...claims() });
    for (const other of [text.replace('{', `{"aud":"${didOf(alice)}",`), text.replace(',', ', '), `${text} `]) {
      expect(codeOf(await readJwt(raw(HEADER, other), expected))).toBe('jwt.malformed');
    }
  });

  test('without issuer resolves by client_id in the library, and not at all in the wrapper', async () => {
    const siop = { aud: didOf(bob), client_id: didOf(alice), redirect_uri: 'x', scope: 'openid' };
    const options = {
      resolver: { resolve: (known: string) => Promise.resolve(resolution(known)) },
      audience: didOf(bob),
    };
    expect(await verifyJWT(raw(HEADER, written(siop)), options)).toMatchObject({ verified: true });
    expect(codeOf(await readJwt(raw(HEADER, written(siop)), expected))).toBe('jwt.malformed');
  });

  test('for another audience is refused', async () => {
    const token = await writeJwt('iatp-dlg+jwt', { ...claims({ aud: didOf(alice) }) }, alice);
    expect(codeOf(await readJwt(token, expected))).toBe('jwt.wrong_audience');
  });

  test('of an issuer that nobody knows is refused', async () => {
    const token = await writeJwt('iatp-dlg+jwt', { ...claims({ iss: 'did:web:example.org' as never }) }, alice);
    expect(codeOf(await readJwt(token, expected))).toBe('jwt.unknown_issuer');
  });
});

describe('J4: time', () => {
  test('a token that expired 200 s ago passes in the library as it comes', async () => {
    const token = raw(HEADER, written({ ...claims({ nbf: seconds - 900, exp: seconds - 200 }) }));
    const options = {
      resolver: { resolve: (known: string) => Promise.resolve(resolution(known)) },
      audience: didOf(bob),
    };
    expect(await verifyJWT(token, { ...options, policies: { now: seconds } })).toMatchObject({ verified: true });
  });

  test.each([
    ['at its first second', 0, undefined],
    ['two seconds early', -2_000, undefined],
    ['a millisecond more than that', -2_001, 'jwt.not_yet'],
    ['in its last millisecond', 899_999, undefined],
    ['at its end', 900_000, 'jwt.expired'],
  ])('%s', async (_, ms, code) => {
    const read = await readJwt(raw(HEADER, written({ ...claims() })), { ...expected, at: later(ms) });
    expect(read.ok ? undefined : read.error.code).toBe(code);
  });
});

describe('the signature profile decides', () => {
  test('a signature that only the cofactored equation accepts passes in the library and not in the wrapper', async () => {
    const signed = `${toBase64url(utf8(HEADER))}.${toBase64url(utf8(written({ ...claims() })))}`;
    const token = `${signed}.${toBase64url(cofactoredSignature(alice, utf8(signed)))}`;
    const options = {
      resolver: { resolve: (known: string) => Promise.resolve(resolution(known)) },
      audience: didOf(bob),
    };
    expect(await verifyJWT(token, { ...options, policies: { now: seconds } })).toMatchObject({ verified: true });
    expect(codeOf(await readJwt(token, expected))).toBe('jwt.bad_signature');
  });
});

test.each(['', '.', '..', 'a.b', 'a.b.c.d', `${toBase64url(utf8(HEADER))}.!!.x`, 'x'.repeat(9_000)])(
  'text that is no token is refused, never thrown at: %#',
  async (text) => {
    expect((await readJwt(text, expected)).ok).toBe(false);
  },
);

function resolution(known: string): never {
  const subject = resolve(unwrap(parseDid(known), 'a DID'));
  const document = subject === undefined ? null : didDocument(subject)?.didDocument;
  return { didResolutionMetadata: {}, didDocumentMetadata: {}, didDocument: document } as never;
}

/** R is off the prime-order subgroup by a point of order 8, which multiplying by the cofactor hides. */
function cofactoredSignature(pair: KeyPair, message: Uint8Array): Uint8Array {
  const { Point } = ed25519;
  const order = Point.CURVE().n;
  const { scalar } = ed25519.utils.getExtendedPublicKey(seedOf(pair));
  const torsion = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
  const nonce = 12_345n;
  const encoded = Point.BASE.multiply(nonce).add(torsion).toBytes();
  const digest = hash('sha512', concat(encoded, pair.publicKey.bytes, message), 'buffer');
  const challenge = BigInt(`0x${Buffer.from(digest).reverse().toString('hex')}`) % order;
  const s = (nonce + challenge * scalar) % order;
  const little = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return concat(encoded, little);
}
