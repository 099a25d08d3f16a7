import { Buffer } from 'node:buffer';
import { base32upper } from 'multiformats/bases/base32';
import { describe, expect, test } from 'vitest';
import { generateKeyPair, type KeyPair, type PublicKey, sign, verify } from '../runtime/codec/ed25519.ts';
import { fromBase64url, toBase64url, utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { answerLogin, type Callout } from './nats-callout.ts';
import { natsPermissions } from './nats-config.ts';
import { formatAccountNkey, formatUserNkey } from './nkey.ts';
import { nodeToken, parseRealm } from './subject.ts';
import { didOf, NOW } from './world.fixture.ts';

const random = seededRandom('callout');
const key = (): KeyPair => generateKeyPair(random);
const [issuer, server, login, stranger, once] = [key(), key(), key(), key(), key()];
const realm = unwrap(parseRealm('acme'), 'a realm');
const self = nodeToken(didOf(login));
const callout: Callout = {
  realm,
  issuer,
  node: (found) => (view(found.bytes).equals(login.publicKey.bytes) ? { self, mayControl: false } : undefined),
  hasMailbox: false,
  loginMs: 60_000,
};
/** As an account's, but for the first byte and the checksum. */
function formatServerNkey(of: PublicKey): string {
  const body = Buffer.concat([Buffer.of(13 << 3), of.bytes]);
  let crc = 0;
  for (const byte of body) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return base32upper.baseEncode(Buffer.concat([body, Buffer.of(crc & 0xff, crc >> 8)]));
}

const NONCE = 'abcdefghijklmno';

type Over = {
  readonly claims?: object;
  readonly nats?: object;
  readonly login?: KeyPair;
  readonly signs?: KeyPair;
  readonly signed?: string;
  readonly header?: object;
};

function question(over: Over = {}): string {
  const { claims, nats, signs = server, signed = NONCE, header = { typ: 'JWT', alg: 'ed25519-nkey' } } = over;
  const who = over.login ?? login;
  const id = formatServerNkey(server.publicKey);
  const payload = {
    aud: 'nats-authorization-request',
    exp: NOW / 1000 + 2,
    iss: id,
    nats: {
      server_id: { id, name: 'x' },
      user_nkey: formatUserNkey(once.publicKey),
      client_info: { nonce: NONCE },
      connect_opts: { nkey: formatUserNkey(who.publicKey), sig: toBase64url(sign(who, utf8(signed))), protocol: 1 },
      ...nats,
    },
    sub: formatAccountNkey(issuer.publicKey),
    ...claims,
  };
  const text = [header, payload].map((part) => toBase64url(utf8(JSON.stringify(part)))).join('.');
  return `${text}.${toBase64url(sign(signs, utf8(text)))}`;
}

/** The claims of a token that the issuer signed. */
function opened(token: string): {
  readonly [name: string]: unknown;
  readonly nats: { readonly [name: string]: unknown };
} {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const isSigned = verify(
    issuer.publicKey,
    utf8(`${header}.${payload}`),
    fromBase64url(signature) ?? new Uint8Array(0),
  );
  if (!isSigned) throw new Error('expected the issuer to have signed');
  return JSON.parse(view(fromBase64url(payload) ?? new Uint8Array(0)).toString());
}

test('a known node is given the narrow template, for its one-time key, at this server, for a while (Q1-Q3)', () => {
  const { token, refusal } = answerLogin(question(), NOW, callout);
  expect(refusal).toBeUndefined();
  const answer = opened(token);
  expect(answer).toMatchObject({ aud: formatServerNkey(server.publicKey), sub: formatUserNkey(once.publicKey) });
  const user = opened(String(answer.nats['jwt']));
  const { publish, subscribe } = natsPermissions(realm, self, { mayControl: false });
  expect(user).toMatchObject({
    aud: 'acme',
    exp: NOW / 1000 + 60,
    iss: formatAccountNkey(issuer.publicKey),
    nats: { pub: { allow: publish }, sub: { allow: subscribe }, type: 'user', version: 2 },
    sub: formatUserNkey(once.publicKey),
  });
});

describe('is refused, and told so to the server', () => {
  test.each<[string, Over, string]>([
    ['a login that is not known', { login: stranger }, 'callout.unknown_login'],
    ['a login without an nkey', { nats: { connect_opts: { user: 'admin', pass: 'x' } } }, 'callout.unknown_login'],
    [
      'the nkey of a node, signed by another',
      {
        nats: {
          connect_opts: { nkey: formatUserNkey(login.publicKey), sig: toBase64url(sign(stranger, utf8(NONCE))) },
        },
      },
      'callout.bad_login',
    ],
    [
      'the nkey of a node, not signed',
      { nats: { connect_opts: { nkey: formatUserNkey(login.publicKey) } } },
      'callout.bad_login',
    ],
    ['a signature over another nonce', { signed: 'the nonce of yesterday' }, 'callout.bad_login'],
    ['a nonce that is none', { signed: '', nats: { client_info: { nonce: '' } } }, 'callout.bad_login'],
  ])('%s (Q1)', (_, over, code) => {
    const { token, refusal } = answerLogin(question(over), NOW, callout);
    expect(refusal?.code).toBe(code);
    expect(opened(token).nats).toEqual({ error: code, type: 'authorization_response', version: 2 });
  });
});

describe('gets no answer that lets anybody in', () => {
  test.each<[string, Over, string]>([
    ['a question that the server did not sign', { signs: stranger }, 'callout.bad_signature'],
    ['one by another than it names', { claims: { iss: formatServerNkey(stranger.publicKey) } }, 'callout.malformed'],
    ['one to another account', { claims: { sub: formatAccountNkey(stranger.publicKey) } }, 'callout.misdirected'],
    ['a token for something else', { claims: { aud: 'acme' } }, 'callout.misdirected'],
    ['one that is over', { claims: { exp: NOW / 1000 - 1 } }, 'callout.stale'],
    ['one without an end', { claims: { exp: undefined } }, 'callout.stale'],
    ['one without a key to answer for', { nats: { user_nkey: 'U' } }, 'callout.malformed'],
    ['another algorithm', { header: { typ: 'JWT', alg: 'none' } }, 'callout.malformed'],
  ])('%s', (_, over, code) => {
    expect(answerLogin(question(over), NOW, callout)).toMatchObject({ token: '', refusal: { code } });
  });

  test('anything else', () => {
    for (const token of ['', '..', 'a.b.c', `${question()}.x`, '{}', 'x'.repeat(100_000), 'bnVsbA.bnVsbA.bnVsbA']) {
      expect(answerLogin(token, NOW, callout)).toMatchObject({ token: '', refusal: { code: 'callout.malformed' } });
    }
  });
});
