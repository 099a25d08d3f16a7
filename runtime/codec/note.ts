/**
 * Signed notes, c2sp.org/signed-note: a text and the signatures of named keys over it, readable and checkable by anyone.
 *
 * N1. What is verified is the received bytes, cut but never re-encoded.
 * N2. A note is opened by at least one known key. An unknown key is ignored, even if it shares the name or the id of a known
 *     one; a known key whose signature is wrong refuses the whole note.
 * N3. A key counts once, however many lines it signs: whoever counts signatures for a quorum counts keys.
 *
 * Only Ed25519 (type 0x01) is built here. Cosignatures (type 0x04) sign a text of their own making: another `Verifier`.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { assert } from '../core/assert.ts';
import { concat, utf8, view } from '../core/bytes.ts';
import { NOTE_BYTES_MAX } from '../core/limits.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';
import { sha256 } from './digest.ts';
import {
  admitKey,
  type KeyPair,
  keyPairFromSeed,
  type PublicKey,
  SEED_BYTES,
  seedOf,
  sign,
  verify,
} from './ed25519.ts';

/** One known key: what its signature lines are called, and whether one of them is good. Never throws on peer input. */
export type Verifier = {
  readonly name: string;
  /** An unsigned 32-bit integer: a hint which key to try, not an identity. */
  readonly id: number;
  readonly key: PublicKey;
  readonly verify: (text: Uint8Array, signature: Uint8Array) => boolean;
};

/** A verifier that can also sign. */
export type Signer = Verifier & { readonly pair: KeyPair; readonly sign: (text: Uint8Array) => Uint8Array };

/** What a note says, and the known keys that say so, each once (N3), in the order of their lines. */
export type OpenedNote = {
  readonly text: string;
  readonly signatures: readonly { readonly verifier: Verifier; readonly signature: Uint8Array }[];
};

/** The specification asks for at least 16; golang.org/x/mod/sumdb/note, from which it came, stops here. */
const SIGNATURES_MAX = 100;

/** The note that says `text`, which ends in a newline. */
export function signNote(text: string, signer: Signer): Uint8Array {
  const bytes = utf8(text);
  assert(text.endsWith('\n') && text.isWellFormed() && controlAt(bytes) === -1, 'signNote: lines of plain text');
  const signature = signer.sign(bytes);
  // Two signatures over one text of which one was computed wrongly give an Ed25519 key away.
  assert(signer.verify(bytes, signature), 'signNote: a signature that verifies');
  const line = `— ${signer.name} ${toBase64(concat(idBytes(signer.id), signature))}\n`;
  const note = concat(bytes, utf8(`\n${line}`));
  assert(note.length <= NOTE_BYTES_MAX, 'signNote: a note of at most NOTE_BYTES_MAX bytes');
  return note;
}

/** What `bytes` say and who of `known` says it, or why they are not to be believed (N1–N3). */
export function openNote(bytes: Uint8Array, known: readonly Verifier[]): Result<OpenedNote, Refusal> {
  const note = splitNote(bytes);
  if (!note.ok) return note;
  const { text, lines } = note.value;
  const signatures = new Map<Verifier, Uint8Array>();
  for (const { name, id, signature, offset } of lines) {
    const candidates = known.filter((verifier) => verifier.name === name && verifier.id === id);
    if (candidates.length === 0) continue;
    const verifier = candidates.find((candidate) => candidate.verify(text, signature));
    if (verifier === undefined) {
      return err({ code: 'note.bad_signature', message: 'expected a known key to have signed this text', offset });
    }
    if (!signatures.has(verifier)) signatures.set(verifier, signature);
  }
  if (signatures.size === 0) {
    return err({ code: 'note.unsigned', message: 'expected a signature of a known key, found only others' });
  }
  return ok({
    text: view(text).toString('utf8'),
    signatures: Array.from(signatures, ([verifier, signature]) => ({ verifier, signature })),
  });
}

/** The verifier of an Ed25519 key under a name. */
export function noteVerifier(name: string, key: PublicKey): Verifier {
  assert(isKeyName(name), 'noteVerifier: a name without spaces and plus signs');
  return { name, id: keyId(name, key.bytes), key, verify: (text, signature) => verify(key, text, signature) };
}

export function noteSigner(name: string, pair: KeyPair): Signer {
  return { ...noteVerifier(name, pair.publicKey), pair, sign: (text) => sign(pair, text) };
}

/** A verifier as one line of text, `<name>+<id>+<key>`, as golang.org/x/mod/sumdb/note writes it. Public. */
export function formatVerifierKey(name: string, key: PublicKey): string {
  return formatKey(name, keyId(name, key.bytes), key.bytes);
}

/** A signer as one line of text, `PRIVATE+KEY+<name>+<id>+<seed>`. Secret. */
export function formatSignerKey(name: string, pair: KeyPair): string {
  return PRIVATE_KEY + formatKey(name, keyId(name, pair.publicKey.bytes), seedOf(pair));
}

/** Accepts exactly what `formatVerifierKey` writes. The key is admitted. */
export function parseVerifierKey(line: string): Result<Verifier, Refusal> {
  const parsed = parseKey(line);
  if (!parsed.ok) return parsed;
  const { name, id, bytes } = parsed.value;
  const key = admitKey(bytes);
  if (!key.ok) return key;
  return withId(noteVerifier(name, key.value), id);
}

/** Accepts exactly what `formatSignerKey` writes. A refusal says nothing of the secret. */
export function parseSignerKey(line: string): Result<Signer, Refusal> {
  if (!line.startsWith(PRIVATE_KEY)) return malformedKey('PRIVATE+KEY+ at the beginning');
  const parsed = parseKey(line.slice(PRIVATE_KEY.length));
  if (!parsed.ok) return parsed;
  const { name, id, bytes } = parsed.value;
  return withId(noteSigner(name, keyPairFromSeed(bytes)), id);
}

type SignatureLine = {
  readonly name: string;
  readonly id: number;
  readonly signature: Uint8Array;
  readonly offset: number;
};

/** The text, and the lines after the last blank one. */
function splitNote(bytes: Uint8Array): Result<{ text: Uint8Array; lines: readonly SignatureLine[] }, Refusal> {
  const length = bytes.length;
  if (length > NOTE_BYTES_MAX) return malformed(`expected at most ${NOTE_BYTES_MAX} bytes, found ${length}`);
  if (!isUtf8(bytes)) return malformed('expected UTF-8');
  const control = controlAt(bytes);
  if (control !== -1) return malformed('expected no control character but newline', control);
  const note = view(bytes);
  if (note.at(-1) !== NEWLINE) return malformed('expected a newline at the end', length);
  const blank = note.lastIndexOf('\n\n');
  if (blank === -1) return malformed('expected a blank line before the signatures');
  let offset = blank + 2;
  const lines: SignatureLine[] = [];
  for (const text of note.toString('utf8', offset, length - 1).split('\n')) {
    if (lines.length === SIGNATURES_MAX) return malformed(`expected at most ${SIGNATURES_MAX} signatures`, offset);
    const line = parseSignatureLine(text, offset);
    if (line === undefined) return malformed('expected a line `— <name> <base64 of id and signature>`', offset);
    lines.push(line);
    offset += Buffer.byteLength(text) + 1;
  }
  return ok({ text: bytes.subarray(0, blank + 1), lines });
}

function parseSignatureLine(line: string, offset: number): SignatureLine | undefined {
  const [, name, base64] = SIGNATURE_LINE.exec(line) ?? [];
  const bytes = base64 === undefined ? undefined : fromBase64(base64);
  if (name === undefined || bytes === undefined || bytes.length <= ID_BYTES) return undefined;
  return { name, id: view(bytes).readUInt32BE(), signature: bytes.subarray(ID_BYTES), offset };
}

const NEWLINE = 0x0a;
const ID_BYTES = 4;
const SIGNATURE_LINE = /^— ([^\p{White_Space}+]+) ([A-Za-z0-9+/]+=*)$/u;
const KEY_NAME = /^[^\p{White_Space}+]+$/u;
const KEY_LINE = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/;
const PRIVATE_KEY = 'PRIVATE+KEY+';
const ED25519 = Uint8Array.of(0x01);

/** SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4], big-endian. */
function keyId(name: string, publicKey: Uint8Array): number {
  return view(sha256(utf8(`${name}\n`), ED25519, publicKey)).readUInt32BE();
}

function idBytes(id: number): Uint8Array {
  const bytes = Buffer.alloc(ID_BYTES);
  bytes.writeUInt32BE(id);
  return bytes;
}

function formatKey(name: string, id: number, bytes: Uint8Array): string {
  assert(isKeyName(name), 'formatKey: a name without spaces and plus signs');
  return `${name}+${view(idBytes(id)).toString('hex')}+${toBase64(concat(ED25519, bytes))}`;
}

/** Name, id and the 32 bytes after the type: of a public key or a seed. The id is not yet compared with the key. */
function parseKey(line: string): Result<{ name: string; id: number; bytes: Uint8Array }, Refusal> {
  const [, name, id, base64] = KEY_LINE.exec(line) ?? [];
  if (name === undefined || id === undefined || base64 === undefined) return malformedKey('<name>+<id>+<base64>');
  if (!isKeyName(name)) return malformedKey('a name without spaces');
  const typed = fromBase64(base64);
  if (typed?.length !== ED25519.length + SEED_BYTES || typed[0] !== ED25519[0]) return malformedKey('an Ed25519 key');
  return ok({ name, id: Number.parseInt(id, 16), bytes: typed.subarray(ED25519.length) });
}

function withId<V extends Verifier>(verifier: V, id: number): Result<V, Refusal> {
  return verifier.id === id ? ok(verifier) : malformedKey('the id of the name and key');
}

function isKeyName(name: string): boolean {
  return KEY_NAME.test(name) && name.isWellFormed() && controlAt(utf8(name)) === -1;
}

/** Where the first ASCII control character other than newline stands, or -1. */
function controlAt(bytes: Uint8Array): number {
  return bytes.findIndex((byte) => byte < 0x20 && byte !== NEWLINE);
}

/** RFC 4648 section 4, the base64 of all C2SP documents. */
export function toBase64(bytes: Uint8Array): string {
  return view(bytes).toString('base64');
}

/** The bytes, or `undefined` where `text` is not what `toBase64` writes for them. */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function malformed(message: string, offset?: number): Result<never, Refusal> {
  return err({ code: 'note.malformed', message, ...(offset === undefined ? {} : { offset }) });
}

function malformedKey(expected: string): Result<never, Refusal> {
  return err({ code: 'note.malformed_key', message: `expected ${expected}` });
}
