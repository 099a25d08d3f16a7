/**
 * NATS nkeys: an Ed25519 key as the broker writes it, and logging in with one. The server chooses what is signed, so an nkey
 * is a key that signs nothing else, and even so it signs nothing but what looks like a nonce.
 */
import { Buffer } from 'node:buffer';
import { base32upper } from 'multiformats/bases/base32';
import { admitKey, type KeyPair, type PublicKey, sign } from '../runtime/codec/ed25519.ts';
import type { Brand } from '../runtime/core/brand.ts';
import { concat, toBase64url, utf8 } from '../runtime/core/bytes.ts';
import { CodedError } from '../runtime/core/errors.ts';
import { err, type Refusal, type Result } from '../runtime/core/result.ts';

/** `U…`, 56 characters: the public key of a NATS user. */
export type UserNkey = Brand<`U${string}`, 'UserNkey'>;

export function formatUserNkey(key: PublicKey): UserNkey {
  return format('user', key) as UserNkey;
}

/** `A…`: the public key of an account, which signs what its users may do. */
export function formatAccountNkey(key: PublicKey): string {
  return format('account', key);
}

/** The key that an nkey of a user spells. */
export function parseUserNkey(text: string): Result<PublicKey, Refusal> {
  return parse('user', text);
}

/** The key that an nkey of a server spells, `N…`. */
export function parseServerNkey(text: string): Result<PublicKey, Refusal> {
  return parse('server', text);
}

/**
 * Answers the server's challenge, as the client's authenticator.
 * @throws {CodedError} `nkey.odd_nonce`: the server wants something else than a nonce signed.
 */
export function signNonce(pair: KeyPair, nonce: string | undefined): { readonly nkey: string; readonly sig: string } {
  const nkey = formatUserNkey(pair.publicKey);
  if (nonce === undefined) return { nkey, sig: '' };
  if (!isNonce(nonce)) {
    throw new CodedError(
      'nkey.odd_nonce',
      `expected a nonce of 8 to 64 base64url characters, found ${nonce.length} others`,
    );
  }
  return { nkey, sig: toBase64url(sign(pair, utf8(nonce))) };
}

/** Whether it looks like what servers want signed. */
export function isNonce(text: string): boolean {
  return NONCE.test(text);
}

type Kind = 'user' | 'account' | 'server';

/** The first byte of each, and the letter that it becomes. */
const KINDS: { readonly [K in Kind]: { readonly prefix: number; readonly letter: string } } = {
  user: { prefix: 20 << 3, letter: 'U' },
  account: { prefix: 0, letter: 'A' },
  server: { prefix: 13 << 3, letter: 'N' },
};

/** Base32 over a prefix byte, the key, and CRC-16/XMODEM of both, little-endian. */
function format(kind: Kind, key: PublicKey): string {
  const body = concat(Uint8Array.of(KINDS[kind].prefix), key.bytes);
  const check = crc16(body);
  return base32upper.baseEncode(concat(body, Uint8Array.of(check & 0xff, check >> 8)));
}

function parse(kind: Kind, text: string): Result<PublicKey, Refusal> {
  const body = /^[A-Z2-7]{56}$/.test(text) ? base32upper.baseDecode(text) : new Uint8Array(0);
  const key = body.length === NKEY_BYTES ? admitKey(body.slice(1, -2)) : undefined;
  if (key?.ok === false) return key;
  if (key !== undefined && format(kind, key.value) === text) return key; // prefix and checksum are right
  const { letter } = KINDS[kind];
  return err({
    code: 'nkey.malformed',
    message: `expected the nkey of a NATS ${kind}, ${letter} and 55 more characters`,
  });
}

/** The prefix, the key, the checksum. */
const NKEY_BYTES = 1 + 32 + 2;
/** Servers send 15 characters. Nothing that we sign elsewhere is this short and made of these characters alone. */
const NONCE = /^[A-Za-z0-9_-]{8,64}$/;

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of Buffer.from(bytes)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
