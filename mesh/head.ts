/**
 * The head of an envelope: 128 binary bytes at fixed places, so that whatever can be refused cheaply is refused before
 * anything is parsed or verified. All integers are unsigned and big-endian.
 *
 *     0    4  "IATP"
 *     4    1  version, 1
 *     5    1  kind
 *     6    2  flags: bit 0 the body is encrypted; all others zero
 *     8   32  to: the recipient node's public key
 *    40   32  from: the sending node's public key
 *    72    8  the recipient's boot epoch; zero outside a session
 *    80    8  the sender's boot epoch
 *    88   16  session; zero outside a session
 *   104    8  sequence in the session and direction, from 0
 *   112    8  issued, milliseconds since 1970
 *   120    8  expires
 *
 * A node's key is its did:key without the prefix, so a head names both nodes without a table.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../runtime/core/assert.ts';
import type { Brand, Millis } from '../runtime/core/brand.ts';
import { view } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';

/** Eight random bytes that a node draws when it starts: what was meant for its last life is not meant for this one. */
export type Epoch = Brand<Uint8Array, 'Epoch'>;

/** What an envelope is. Requests: ask, tell, control, and present, by which a node shows certificates and histories.
 *  Answers: reply, failure, and accepted, which says that a tell is on disk. */
export type Kind = 'ask' | 'tell' | 'control' | 'present' | 'reply' | 'failure' | 'accepted';

export type Head = {
  readonly kind: Kind;
  readonly encrypted: boolean;
  readonly to: Uint8Array;
  readonly from: Uint8Array;
  readonly toEpoch: Epoch;
  readonly fromEpoch: Epoch;
  readonly session: Uint8Array;
  readonly sequence: number;
  readonly issued: Millis;
  readonly expires: Millis;
};

export const HEAD_BYTES = 128;
export const EPOCH_BYTES = 8;
export const SESSION_BYTES = 16;
export const VERSION = 1;

/** The codes on the wire are the places in this list, from 1. Append only. */
const KINDS: readonly Kind[] = ['ask', 'tell', 'control', 'present', 'reply', 'failure', 'accepted'];
const MAGIC = Buffer.from('IATP', 'latin1');
const ENCRYPTED = 1;
const KEY_BYTES = 32;

/** Outside a session: no such epoch, no such session. */
export const NO_EPOCH = new Uint8Array(EPOCH_BYTES) as Epoch;
export const NO_SESSION = new Uint8Array(SESSION_BYTES);

export function encodeHead(head: Head): Uint8Array {
  const { to, from, toEpoch, fromEpoch, session, sequence, issued, expires } = head;
  assert(to.length === KEY_BYTES && from.length === KEY_BYTES, 'encodeHead: keys of 32 bytes');
  assert(toEpoch.length === EPOCH_BYTES && fromEpoch.length === EPOCH_BYTES, 'encodeHead: epochs of 8 bytes');
  assert(session.length === SESSION_BYTES && Number.isSafeInteger(sequence), 'encodeHead: a session and a sequence');
  const bytes = Buffer.alloc(HEAD_BYTES);
  bytes.set(MAGIC, 0);
  bytes[4] = VERSION;
  bytes[5] = KINDS.indexOf(head.kind) + 1;
  bytes.writeUInt16BE(head.encrypted ? ENCRYPTED : 0, 6);
  bytes.set(to, 8);
  bytes.set(from, 40);
  bytes.set(toEpoch, 72);
  bytes.set(fromEpoch, 80);
  bytes.set(session, 88);
  writeInteger(bytes, sequence, 104);
  writeInteger(bytes, issued, 112);
  writeInteger(bytes, expires, 120);
  return bytes;
}

/** The head in the first 128 bytes. Its byte fields are views of `bytes`, not copies. */
export function decodeHead(bytes: Uint8Array): Result<Head, Refusal> {
  if (bytes.length < HEAD_BYTES) return malformed(`${HEAD_BYTES} bytes`, bytes.length);
  const buffer = view(bytes);
  if (buffer.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) return malformed('IATP', 0);
  if (buffer[4] !== VERSION) {
    return err({
      code: 'envelope.unsupported_version',
      message: `expected version ${VERSION}, found ${buffer[4]}`,
      offset: 4,
    });
  }
  const kind = KINDS[(buffer[5] ?? 0) - 1];
  if (kind === undefined) return malformed('a kind', 5);
  const flags = buffer.readUInt16BE(6);
  if ((flags & ~ENCRYPTED) !== 0) return malformed('no flag but the one of encryption', 6);
  const sequence = readInteger(buffer, 104);
  const issued = readInteger(buffer, 112);
  const expires = readInteger(buffer, 120);
  if (sequence === undefined || issued === undefined || expires === undefined)
    return malformed('integers below 2^53', 104);
  return ok({
    kind,
    encrypted: flags === ENCRYPTED,
    to: buffer.subarray(8, 40),
    from: buffer.subarray(40, 72),
    toEpoch: buffer.subarray(72, 80) as Uint8Array as Epoch,
    fromEpoch: buffer.subarray(80, 88) as Uint8Array as Epoch,
    session: buffer.subarray(88, 104),
    sequence,
    issued: issued as Millis,
    expires: expires as Millis,
  });
}

/** Answers bind the digest of what they answer; requests do not. */
export function isAnswer(kind: Kind): boolean {
  return kind === 'reply' || kind === 'failure' || kind === 'accepted';
}

/** By halves, since a bigint per field would cost more than the rest of the head. */
function writeInteger(bytes: Buffer, value: number, at: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'writeInteger: an integer of 0 to 2^53 - 1');
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  bytes.writeUInt32BE(value % 2 ** 32, at + 4);
}

function readInteger(bytes: Buffer, at: number): number | undefined {
  const high = bytes.readUInt32BE(at);
  return high < 2 ** 21 ? high * 2 ** 32 + bytes.readUInt32BE(at + 4) : undefined;
}

function malformed(expected: string, offset: number): Result<never, Refusal> {
  return err({ code: 'envelope.malformed', message: `expected ${expected}`, offset });
}
