/**
 * The secret half of the mesh's cryptography: ChaCha20-Poly1305 (RFC 8439), X25519 (RFC 7748), HKDF-SHA256 (RFC 5869), and
 * scrypt (RFC 7914) for passphrases. Nothing here draws chance: nonces are counters, salts and keys are parameters.
 */
import { Buffer } from 'node:buffer';
// biome-ignore lint/style/noRestrictedImports: deterministic ciphers and key derivation; chance is still a parameter.
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject, scryptSync } from 'node:crypto';
import { x25519 } from '@noble/curves/ed25519.js';
import { assert } from '../runtime/core/assert.ts';
import { concat, view } from '../runtime/core/bytes.ts';
import type { Random } from '../runtime/core/random.ts';

const CIPHER_KEY_BYTES = 32;
const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
const ALGORITHM = 'chacha20-poly1305';

/** A key as OpenSSL keeps it: whoever uses it more than once pays for its preparation once. */
export type CipherKey = KeyObject;

export function cipherKey(bytes: Uint8Array): CipherKey {
  assert(bytes.length === CIPHER_KEY_BYTES, 'cipherKey: 32 bytes');
  return createSecretKey(bytes);
}

/** The ciphertext and 16 bytes of tag. One nonce per key, ever. */
export function encrypt(
  key: CipherKey,
  nonce: Uint8Array,
  message: { readonly plaintext: Uint8Array; readonly associated: Uint8Array },
): Uint8Array {
  assert(nonce.length === NONCE_BYTES, 'encrypt: a nonce');
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(message.associated);
  const sealed = cipher.update(message.plaintext);
  cipher.final(); // of a stream cipher it gives no more bytes
  return concat(sealed, cipher.getAuthTag());
}

/** The plaintext, or `undefined` when key, nonce, associated data or a single bit is not as it was. */
export function decrypt(
  key: CipherKey,
  nonce: Uint8Array,
  message: { readonly sealed: Uint8Array; readonly associated: Uint8Array },
): Uint8Array | undefined {
  const { sealed, associated } = message;
  if (sealed.length < TAG_BYTES) return undefined;
  const length = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(length));
  const plaintext = decipher.update(sealed.subarray(0, length));
  try {
    decipher.final();
    return plaintext;
  } catch (error) {
    if (error instanceof Error) return undefined; // the one thing that `final` can find wrong is the tag
    throw error;
  }
}

/** The counter as 96 bits, big-endian. */
export function counterNonce(counter: number): Uint8Array {
  assert(Number.isSafeInteger(counter) && counter >= 0, 'counterNonce: a counter');
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32BE(Math.floor(counter / 2 ** 32), 4);
  nonce.writeUInt32BE(counter % 2 ** 32, 8);
  return nonce;
}

/** A key pair for one handshake. */
export type Ephemeral = { readonly publicKey: Uint8Array; readonly secret: Uint8Array };

export function newEphemeral(random: Random): Ephemeral {
  const secret = random.bytes(32);
  return { publicKey: x25519.getPublicKey(secret), secret };
}

/** The secret that two ephemerals share; `undefined` for a public key that would make it all zero (RFC 7748 section 6.1). */
export function agree(ephemeral: Ephemeral, theirs: Uint8Array): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(ephemeral.secret, theirs);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** HKDF-SHA256: 32 bytes for one purpose. */
export function deriveKey(secret: Uint8Array, salt: Uint8Array, purpose: string): Uint8Array {
  const extracted = createHmac('sha256', salt).update(secret).digest();
  return createHmac('sha256', extracted).update(purpose).update(Uint8Array.of(1)).digest();
}

/** Cost of a guess: 128 MiB of memory and about half a second here. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 160 * 1024 * 1024 } as const;

/** What the spec of key files calls `scrypt-17-8-1`. */
export function stretch(passphrase: string, salt: Uint8Array): Uint8Array {
  return scryptSync(view(new TextEncoder().encode(passphrase.normalize('NFC'))), salt, CIPHER_KEY_BYTES, SCRYPT);
}
