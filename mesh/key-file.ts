/**
 * Private keys on disk: one key, one purpose, one file, readable by its owner alone, encrypted when a passphrase is given.
 *
 *     {"key":"did:key:…","purpose":"node","seed":"<base64url>"}
 *     {"key":"did:key:…","kdf":"scrypt-17-8-1","purpose":"node","salt":"<base64url>","sealed":"<base64url>"}
 *
 * K1. A file that others can read or write is not used, whatever is in it; nor is a link, a pipe, or a file of another user.
 * K2. A file is never overwritten: a key that is lost is lost for good. It is written whole or not at all.
 * K3. A key is used for what it was made for. The purpose is in the file, and under encryption it is authenticated.
 *
 * Encryption is ChaCha20-Poly1305 under scrypt(passphrase, salt) with the nonce zero, since no salt is used twice, and with
 * the file's purpose and key as associated data. No message of this file shows a secret.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import { type KeyPair, keyPairFromSeed, SEED_BYTES, seedOf } from '../runtime/codec/ed25519.ts';
import { canonicalJson } from '../runtime/codec/json.ts';
import { fromBase64url, toBase64url, utf8 } from '../runtime/core/bytes.ts';
import { CodedError, hasCode } from '../runtime/core/errors.ts';
import type { Random } from '../runtime/core/random.ts';
import { unwrap } from '../runtime/core/result.ts';
import { thisUser } from '../runtime/core/system.ts';
import { cipherKey, counterNonce, decrypt, encrypt, stretch, TAG_BYTES } from './cipher.ts';
import { bytes, didKey } from './fields.ts';
import { writeNewFile } from './new-file.ts';
import { type Of, object, oneOf, readStrict } from './strict-json.ts';

/** What a key signs; `account`: what a broker's callout answers. A node's log key is kept by its log (`log.key`). */
export type KeyPurpose = 'agent' | 'agent-next' | 'sponsor' | 'node' | 'login' | 'operator' | 'witness' | 'account';

const SALT_BYTES = 16;
const FILE_BYTES_MAX = 1024;

/** A key about to be written, and the passphrase that it is to be encrypted under. */
export type NewKey = { readonly purpose: KeyPurpose; readonly pair: KeyPair; readonly passphrase?: string };

/** What a key file says without being opened. `flaw`: why it would not be used as it lies there. */
export type KeyFacts = {
  readonly key: Did;
  readonly purpose: KeyPurpose;
  readonly isEncrypted: boolean;
  /** The permission bits, such as `600`. */
  readonly mode: string;
  readonly flaw: string | undefined;
};

/**
 * Writes a key to a new file, on disk when it returns. Takes about half a second with a passphrase, by design.
 * @throws {CodedError} `key.exists`: there is a file of that name (K2)
 */
export function writeKeyFile(path: string, file: NewKey, random: Random): void {
  writeNewFile(path, keyFileText(file, random), random);
}

/** The text of a key file. A secret. */
export function keyFileText({ purpose, pair, passphrase }: NewKey, random: Random): string {
  const key = formatDidKey(pair.publicKey);
  const content =
    passphrase === undefined
      ? { key, purpose, seed: toBase64url(seedOf(pair)) }
      : sealedContent({ key, purpose, pair, passphrase }, random);
  return `${unwrap(canonicalJson(content), 'a key file is data')}\n`;
}

/**
 * What can be told of a key file to who may see it. Believes the public key that it names: nothing is opened.
 * @throws {CodedError} `key.not_found` · `key.not_plain` · `key.malformed`
 */
export function inspectKeyFile(path: string): KeyFacts {
  const { text, stats } = readPlain(path);
  const { key, purpose, ...rest } = parseKeyFile(path, text);
  const mode = (stats.mode & 0o777).toString(8);
  return { key, purpose, isEncrypted: 'sealed' in rest, mode, flaw: flawOf(path, stats) };
}

/**
 * The key in a file, if it is there for that purpose.
 * @throws {CodedError} `key.not_found` · `key.not_plain` and `key.exposed` (K1) · `key.malformed` · `key.wrong_purpose` (K3) ·
 *   `key.locked`: it needs a passphrase · `key.wrong_passphrase`: or the file was changed
 */
export function readKeyFile(path: string, purpose: KeyPurpose, passphrase?: string): KeyPair {
  const { text, stats } = readPlain(path);
  const flaw = flawOf(path, stats);
  if (flaw !== undefined) throw new CodedError('key.exposed', flaw);
  const value = parseKeyFile(path, text);
  if (value.purpose !== purpose) {
    throw new CodedError('key.wrong_purpose', `expected a key for ${purpose}, found one for ${value.purpose}: ${path}`);
  }
  const pair = keyPairFromSeed('seed' in value ? decoded(value.seed) : unseal(value, path, passphrase));
  if (formatDidKey(pair.publicKey) === value.key) return pair;
  throw new CodedError('key.malformed', `expected the key that the file names: ${path}`);
}

const MEMBERS = {
  key: didKey,
  purpose: oneOf('agent', 'agent-next', 'sponsor', 'node', 'login', 'operator', 'witness', 'account'),
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
  const sealed = encrypt(cipherKey(stretch(passphrase, salt)), counterNonce(0), message);
  return { key, kdf: 'scrypt-17-8-1', purpose, salt: toBase64url(salt), sealed: toBase64url(sealed) };
}

function unseal(
  file: { readonly key: Did; readonly purpose: KeyPurpose; readonly salt: string; readonly sealed: string },
  path: string,
  passphrase: string | undefined,
): Uint8Array {
  if (passphrase === undefined) throw new CodedError('key.locked', `expected a passphrase for ${path}`);
  const message = { sealed: decoded(file.sealed), associated: associated(file.purpose, file.key) };
  const seed = decrypt(cipherKey(stretch(passphrase, decoded(file.salt))), counterNonce(0), message);
  if (seed === undefined) throw new CodedError('key.wrong_passphrase', `expected the passphrase of ${path}`);
  return seed;
}

function associated(purpose: KeyPurpose, key: Did): Uint8Array {
  return utf8(`ringmesh-key/1\0${purpose}\0${key}`);
}

function decoded(text: string): Uint8Array {
  return fromBase64url(text) ?? new Uint8Array(0);
}

function parseKeyFile(path: string, text: string): Of<typeof PLAIN> | Of<typeof SEALED> {
  const line = utf8(text.replace(/\n$/, ''));
  const isSealed = text.includes('"kdf"');
  const read = isSealed ? readStrict(line, SEALED, 'key.malformed') : readStrict(line, PLAIN, 'key.malformed');
  if (read.ok) return read.value;
  throw new CodedError('key.malformed', `expected a key file: ${path}: ${read.error.message}`);
}

/** Kind, mode and owner are asked of the very file that is read. Follows no link, and waits for no pipe. */
function readPlain(path: string): { readonly text: string; readonly stats: Stats } {
  const descriptor = open(path);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw notPlain(path);
    if (stats.size > FILE_BYTES_MAX)
      throw new CodedError('key.malformed', `expected at most ${FILE_BYTES_MAX} bytes: ${path}`);
    return { text: readFileSync(descriptor, 'utf8'), stats };
  } finally {
    closeSync(descriptor);
  }
}

/** Who else could have read or written the file (K1). */
function flawOf(path: string, { mode, uid }: Stats): string | undefined {
  if ((mode & 0o077) !== 0) {
    return `expected ${path} to be its owner's alone (0600), found ${(mode & 0o777).toString(8)}`;
  }
  const own = thisUser();
  return own !== undefined && uid !== own ? `expected ${path} to be this user's, found one of user ${uid}` : undefined;
}

function open(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw faultOf(path, error);
  }
}

function faultOf(path: string, cause: unknown): unknown {
  if (hasCode(cause, 'ELOOP') || hasCode(cause, 'ENXIO')) return notPlain(path, cause);
  if (!hasCode(cause, 'ENOENT')) return cause;
  return new CodedError('key.not_found', `expected a key file at ${path}, found none`, { cause });
}

function notPlain(path: string, cause?: Error): CodedError {
  return new CodedError('key.not_plain', `expected a plain file at ${path}, no link, folder or pipe`, { cause });
}
