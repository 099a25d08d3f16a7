/**
 * Letters: a tell for a node that is away, with everything that is needed to verify it when it is read, up to a week later.
 *
 *     "IATL" ‖ 1 ‖ length of the statements (4) ‖ signed statements, as they are presented ‖ one frame, outside any session
 *     "IATL" ‖ 2 ‖ as 1, but before the frame: length of the delegations (4) ‖ delegations, as they are presented
 *
 * The frame is sealed as every other. What a window of 30 s keeps out elsewhere, a replay, is kept out here by the message's
 * id in the receiver's log; so a letter is admitted as of the moment in which it was sealed, and that moment must be the one
 * in which the carrier says that it was left.
 *
 * R1. Whoever has the node's key today cannot write letters of yesterday, as far as the carrier's clock is honest: a
 *     certificate that has ended since does not serve for it.
 * R2. What was revoked or withdrawn since is refused, and so is a letter after its message's deadline.
 * R3. Only a tell, and only one that the receiver lets wait (risk class 0 or 1): who leaves a letter gets no answer.
 * R4. What a letter shows of itself is believed for this letter and remembered nowhere; but for delegations, which hold by
 *     themselves: whoever asks for a chain takes them in (`delegationsIn`) once the letter's signature holds.
 */
import { Buffer } from 'node:buffer';
import type { PublicKey } from '../runtime/codec/ed25519.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { concat, view } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { type Admitted, admit, type EnvelopeRefusal, type NodeView } from './admit.ts';
import type { Claims } from './claims.ts';
import { Directory } from './directory.ts';
import { splitFrame } from './frame.ts';
import type { Head } from './head.ts';
import { SKEW_MS } from './limits.ts';
import { type Letter, MAILBOX } from './mailbox.ts';
import { nodeDid } from './message.ts';
import { learnPresentation, writePresentation } from './presentation.ts';
import { Sessionless } from './sessionless.ts';

/** `statements`: the sender's history and its certificate, each after what it builds on. `delegations`: the chain that its
 *  message names, as it is presented. */
export function writeLetter(
  statements: readonly Uint8Array[],
  frame: Uint8Array,
  delegations: Uint8Array = NOTHING,
): Uint8Array {
  const presentation = writePresentation(statements);
  const shown = delegations.length === 0 ? [] : [lengthOf(delegations), delegations];
  const magic = shown.length === 0 ? MAGIC : MAGIC_2;
  const letter = concat(magic, lengthOf(presentation), presentation, ...shown, frame);
  assert(letter.length <= MAILBOX.letterBytesMax, 'writeLetter: at most letterBytesMax bytes');
  return letter;
}

/** The delegations that a letter shows, as another node would show them; none where it is no letter. They prove nothing about
 *  the letter. */
export function delegationsIn({ bytes }: Pick<Letter, 'bytes'>): Uint8Array {
  const parts = split(bytes);
  return parts.ok ? parts.value.delegations : NOTHING;
}

export type LetterReader = {
  readonly view: NodeView;
  /** The nodes of the realm, by their raw keys. */
  readonly peer: (key: Uint8Array) => PublicKey | undefined;
  /** Whether this message may have waited: its risk class is 0 or 1 (R3). */
  readonly mayWait: (claims: Claims) => boolean;
};

/** The message in a letter, or why it is not let in (R1-R4). Whether it is known already is for the receiver's log to say. */
export function admitLetter(letter: Letter, at: Millis, reader: LetterReader): Result<Admitted, EnvelopeRefusal> {
  const parts = split(letter.bytes);
  if (!parts.ok) return unauthenticated(parts.error);
  const frame = splitFrame(parts.value.frame);
  if (!frame.ok) return unauthenticated(frame.error);
  const { head } = frame.value;
  if (head.issued > at + SKEW_MS) {
    return unauthenticated({ code: 'envelope.future', message: `expected to be issued before ${at}` });
  }
  if (letter.leftAt < head.issued - SKEW_MS || letter.leftAt > head.expires + SKEW_MS) {
    return unauthenticated({ code: 'letter.other_time', message: 'expected a letter left when it was sealed' }); // R1
  }
  const view = viewOfThen(reader, parts.value.presentation, head);
  const admitted = admit(parts.value.frame, head.issued, view, letter.from);
  if (!admitted.ok) return admitted;
  const refusal = faultOf(admitted.value, at, reader);
  if (refusal === undefined) return admitted;
  const { claims, message, envelope, node } = admitted.value;
  return err({ ...refusal, authenticated: true, from: nodeDid(node), message, envelope, kind: head.kind, claims });
}

/** What the node knows, without sessions, and with what the letter shows (R4). That is read once it is asked for, which is
 *  after the signature. */
function viewOfThen({ view, peer }: LetterReader, presentation: Uint8Array, head: Head): NodeView {
  const sender = peer(head.from);
  let learned: Directory | undefined;
  const shown = (): Directory => {
    if (learned !== undefined) return learned;
    learned = new Directory();
    learnPresentation(presentation, learned, head.issued);
    return learned;
  };
  return {
    ...view,
    session: () => undefined,
    sessionless: new Sessionless(EARLIEST, sender === undefined ? [] : [sender]),
    subject: (agent) => view.subject(agent) ?? shown().subject(agent),
    certificate: (cid) => view.certificate(cid) ?? shown().certificate(cid),
    isWithdrawn: (cid) => view.isWithdrawn(cid) || shown().isWithdrawn(cid),
    checks: [],
  };
}

/** What is wrong with it now, though it was right when it was sealed (R2, R3). */
function faultOf(admitted: Admitted, at: Millis, { view, mayWait }: LetterReader): Refusal | undefined {
  const { head, claims } = admitted;
  if (head.kind !== 'tell') return { code: 'letter.not_a_tell', message: `expected a tell, found ${head.kind}` };
  if (at > claims.deadline) return { code: 'envelope.past_deadline', message: `expected a deadline after ${at}` };
  if (!mayWait(claims)) {
    return { code: 'letter.too_risky', message: `expected ${claims.command} to be of risk class 0 or 1` };
  }
  for (const check of view.checks) {
    const refusal = check(admitted, at);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

type Parts = { readonly presentation: Uint8Array; readonly delegations: Uint8Array; readonly frame: Uint8Array };

function split(bytes: Uint8Array): Result<Parts, Refusal> {
  const buffer = view(bytes);
  const isKnown = [MAGIC, MAGIC_2].some((magic) => buffer.subarray(0, magic.length).equals(magic));
  if (buffer.length > MAILBOX.letterBytesMax || !isKnown) return malformed(0);
  const presentation = partAt(buffer, MAGIC.length);
  if (presentation === undefined) return malformed(MAGIC.length);
  const end = MAGIC.length + LENGTH_BYTES + presentation.length;
  if (buffer.subarray(0, MAGIC.length).equals(MAGIC)) {
    return ok({ presentation, delegations: NOTHING, frame: buffer.subarray(end) });
  }
  const delegations = partAt(buffer, end);
  if (delegations === undefined || delegations.length === 0) return malformed(end); // one letter, one writing
  return ok({ presentation, delegations, frame: buffer.subarray(end + LENGTH_BYTES + delegations.length) });
}

/** What stands behind its length, if all of it is there. */
function partAt(buffer: Buffer, at: number): Buffer | undefined {
  if (at + LENGTH_BYTES > buffer.length) return undefined;
  const begin = at + LENGTH_BYTES;
  const end = begin + buffer.readUInt32BE(at);
  return end > buffer.length ? undefined : buffer.subarray(begin, end);
}

function lengthOf(part: Uint8Array): Uint8Array {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(part.length, 0);
  return length;
}

const MAGIC = Buffer.from('IATL\u0001', 'latin1');
const MAGIC_2 = Buffer.from('IATL\u0002', 'latin1');
const LENGTH_BYTES = 4;
const NOTHING = new Uint8Array(0);
const EARLIEST = 0 as Millis;

function malformed(offset: number): Result<never, Refusal> {
  return err({ code: 'letter.malformed', message: 'expected a letter of at most 512 KiB', offset });
}

function unauthenticated(refusal: Refusal): Result<never, EnvelopeRefusal> {
  return err({ ...refusal, authenticated: false });
}
