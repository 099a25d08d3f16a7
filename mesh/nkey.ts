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

/** Base32 over a prefix byte, the key, and CRC-16/XMODEM of both, little-endian. */
export function formatUserNkey(key: PublicKey): UserNkey {
  const body = concat(Uint8Array.of(USER), key.bytes);
  const check = crc16(body);
  return base32upper.baseEncode(concat(body, Uint8Array.of(check & 0xff, check >> 8))) as UserNkey;
}

/** The key that an nkey of a user spells. */
export function parseUserNkey(text: string): Result<PublicKey, Refusal> {
  const body = /^U[A-Z2-7]{55}$/.test(text) ? base32upper.baseDecode(text) : new Uint8Array(0);
  const key = body.length === NKEY_BYTES ? admitKey(body.slice(1, -2)) : undefined;
  if (key?.ok === false) return key;
  if (key !== undefined && formatUserNkey(key.value) === text) return key; // prefix and checksum are right
  return err({ code: 'nkey.malformed', message: 'expected the nkey of a NATS user, U and 55 more characters' });
}

/**
 * Answers the server's challenge, as the client's authenticator.
 * @throws {CodedError} `nkey.odd_nonce`: the server wants something else than a nonce signed.
 */
export function signNonce(pair: KeyPair, nonce: string | undefined): { readonly nkey: string; readonly sig: string } {
  const nkey = formatUserNkey(pair.publicKey);
  if (nonce === undefined) return { nkey, sig: '' };
  if (!NONCE.test(nonce)) {
    throw new CodedError(
      'nkey.odd_nonce',
      `expected a nonce of 8 to 64 base64url characters, found ${nonce.length} others`,
    );
  }
  return { nkey, sig: toBase64url(sign(pair, utf8(nonce))) };
}

const USER = 20 << 3;
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
