/**
 * Private keys on disk: one key, one purpose, one file, readable by its owner alone, encrypted when a passphrase is given.
 *
 *     {"key":"did:key:…","purpose":"node","seed":"<base64url>"}
 *     {"key":"did:key:…","kdf":"scrypt-17-8-1","purpose":"node","salt":"<base64url>","sealed":"<base64url>"}
 *
 * K1. A file that others can read or write is not used, whatever is in it.
 * K2. A file is never overwritten: a key that is lost is lost for good.
 * K3. A key is used for what it was made for. The purpose is in the file, and under encryption it is authenticated.
 *
 * Encryption is ChaCha20-Poly1305 under scrypt(passphrase, salt) with the nonce zero, since no salt is used twice, and with
 * the file's purpose and key as associated data. No message of this file shows a secret.
 */
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import { type KeyPair, keyPairFromSeed, SEED_BYTES, seedOf } from '../runtime/codec/ed25519.ts';
import { canonicalJson } from '../runtime/codec/json.ts';
import { fromBase64url, toBase64url, utf8 } from '../runtime/core/bytes.ts';
import { CodedError, hasCode } from '../runtime/core/errors.ts';
import type { Random } from '../runtime/core/random.ts';
import { unwrap } from '../runtime/core/result.ts';
import { counterNonce, decrypt, encrypt, stretch, TAG_BYTES } from './cipher.ts';
import { bytes, didKey } from './fields.ts';
import { object, oneOf, readStrict } from './strict-json.ts';

/** What a key signs. A node's log key is kept by its log (`log.key`). */
export type KeyPurpose = 'agent' | 'agent-next' | 'sponsor' | 'node' | 'login' | 'operator' | 'witness';

const SALT_BYTES = 16;
const FILE_BYTES_MAX = 1024;

/**
 * Writes a key to a new file, on disk when it returns. Takes about half a second with a passphrase, by design.
 * @throws {CodedError} `key.exists`: there is a file of that name (K2)
 */
export function writeKeyFile(
  path: string,
  file: { readonly purpose: KeyPurpose; readonly pair: KeyPair; readonly passphrase?: string },
  random: Random,
): void {
  const { purpose, pair, passphrase } = file;
  const key = formatDidKey(pair.publicKey);
  const content =
    passphrase === undefined
      ? { key, purpose, seed: toBase64url(seedOf(pair)) }
      : sealedContent({ key, purpose, pair, passphrase }, random);
  const text = `${unwrap(canonicalJson(content), 'a key file is data')}\n`;
  const descriptor = create(path);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The key in a file, if it is there for that purpose.
 * @throws {CodedError} `key.not_found` · `key.exposed` (K1) · `key.malformed` · `key.wrong_purpose` (K3) · `key.locked`: it needs a
 *   passphrase · `key.wrong_passphrase`: or the file was changed
 */
export function readKeyFile(path: string, purpose: KeyPurpose, passphrase?: string): KeyPair {
  const text = readPrivately(path);
  const line = utf8(text.replace(/\n$/, ''));
  const isSealed = text.includes('"kdf"');
  const read = isSealed ? readStrict(line, SEALED, 'key.malformed') : readStrict(line, PLAIN, 'key.malformed');
  if (!read.ok) throw new CodedError('key.malformed', `expected a key file: ${path}: ${read.error.message}`);
  const { value } = read;
  if (value.purpose !== purpose) {
    throw new CodedError('key.wrong_purpose', `expected a key for ${purpose}, found one for ${value.purpose}: ${path}`);
  }
  const pair = keyPairFromSeed('seed' in value ? decoded(value.seed) : unseal(value, path, passphrase));
  if (formatDidKey(pair.publicKey) === value.key) return pair;
  throw new CodedError('key.malformed', `expected the key that the file names: ${path}`);
}

const MEMBERS = {
  key: didKey,
  purpose: oneOf('agent', 'agent-next', 'sponsor', 'node', 'login', 'operator', 'witness'),
};
const PLAIN = object({ ...MEMBERS, seed: bytes(SEED_BYTES) });
const SEALED = object({
  ...MEMBERS,
  kdf: oneOf('scrypt-17-8-1'),
  salt: bytes(SALT_BYTES),
  sealed: bytes(SEED_BYTES + TAG_BYTES),
});

function sealedContent(
  file: { readonly key: Did; readonly purpose: KeyPurpose; readonly pair: KeyPair; readonly passphrase: string },
  random: Random,
): { key: Did; kdf: string; purpose: KeyPurpose; salt: string; sealed: string } {
  const { key, purpose, pair, passphrase } = file;
  const salt = random.bytes(SALT_BYTES);
  const message = { plaintext: seedOf(pair), associated: associated(purpose, key) };
  const sealed = encrypt(stretch(passphrase, salt), counterNonce(0), message);
  return { key, kdf: 'scrypt-17-8-1', purpose, salt: toBase64url(salt), sealed: toBase64url(sealed) };
}

function unseal(
  file: { readonly key: Did; readonly purpose: KeyPurpose; readonly salt: string; readonly sealed: string },
  path: string,
  passphrase: string | undefined,
): Uint8Array {
  if (passphrase === undefined) throw new CodedError('key.locked', `expected a passphrase for ${path}`);
  const message = { sealed: decoded(file.sealed), associated: associated(file.purpose, file.key) };
  const seed = decrypt(stretch(passphrase, decoded(file.salt)), counterNonce(0), message);
  if (seed === undefined) throw new CodedError('key.wrong_passphrase', `expected the passphrase of ${path}`);
  return seed;
}

function associated(purpose: KeyPurpose, key: Did): Uint8Array {
  return utf8(`ringmesh-key/1\0${purpose}\0${key}`);
}

function decoded(text: string): Uint8Array {
  return fromBase64url(text) ?? new Uint8Array(0);
}

function create(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('key.exists', `expected no file at ${path}, found one`, { cause: error });
  }
}

/** The mode is asked of the very file that is read. */
function readPrivately(path: string): string {
  const descriptor = open(path);
  try {
    const { mode, size } = fstatSync(descriptor);
    if ((mode & 0o077) !== 0) {
      const found = (mode & 0o777).toString(8);
      throw new CodedError('key.exposed', `expected ${path} to be its owner's alone (0600), found ${found}`);
    }
    if (size > FILE_BYTES_MAX)
      throw new CodedError('key.malformed', `expected at most ${FILE_BYTES_MAX} bytes: ${path}`);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('key.not_found', `expected a key file at ${path}, found none`, { cause: error });
  }
}
