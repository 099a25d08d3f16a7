/**
 * How two nodes begin a session: three messages, hello, welcome and confirm.
 *
 *     "IATH" ‖ version 1 ‖ step 1, 2 or 3 ‖ length of the payload, 2 bytes ‖ payload, canonical JSON ‖ signature (steps 2, 3)
 *
 * H1. The responder signs hello and its own payload; the initiator signs all that went before and its own payload. So both
 *     have signed everything either said: what was offered, demanded and chosen, both names, both boot epochs, both
 *     ephemeral keys. Change a byte anywhere and one signature is wrong.
 * H2. The two signatures have different domains: nobody's own words can be played back to him.
 * H3. The choice follows from what both offered, by a rule without preference or chance, and the initiator computes it
 *     again: a responder cannot choose less than both can.
 * H4. A side keeps what it needs in a value of its own for 10 s. A hello costs the responder one signature; who bounds how
 *     many is `HalfOpen`. A responder under load first demands a cookie (step 4, unsigned): a stateless word that only who
 *     hears what is sent to the initiator can repeat. It costs a hash, and proves nothing but that.
 * H5. Nothing that a peer says of itself here is believed but its key: heads, contracts and demands are statements.
 *
 * The session's id and keys come from the transcript. Compare SIGMA (Krawczyk 2003) and Noise KK: here both sides sign,
 * because the transcript is kept as evidence.
 */
import { Buffer } from 'node:buffer';
import type { Did } from '../runtime/codec/did.ts';
import { parseDidKey } from '../runtime/codec/did-key.ts';
import type { Digest } from '../runtime/codec/digest.ts';
import type { PublicKey } from '../runtime/codec/ed25519.ts';
import { canonicalJson, type JsonValue } from '../runtime/codec/json.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { concat, fromBase64url, toBase64url, utf8, view } from '../runtime/core/bytes.ts';
import type { Random } from '../runtime/core/random.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import { agree, deriveKey, type Ephemeral, newEphemeral } from './cipher.ts';
import { hashIn, signIn, verifyIn } from './domain.ts';
import { bytes, didKey, digest, millis } from './fields.ts';
import { EPOCH_BYTES, type Epoch, SESSION_BYTES, VERSION } from './head.ts';
import { FRESH_MS_MAX, HANDSHAKE_BYTES_MAX, HANDSHAKE_MS_MAX, SESSION_MS_MAX, SKEW_MS } from './limits.ts';
import { nodeDid, type SealingNode } from './message.ts';
import { type PeerStatement, Session, type SessionKeys } from './session.ts';
import { integer, list, type Of, object, oneOf, optional, readStrict, type Shape } from './strict-json.ts';

/** Whether a side encrypts bodies: not at all, if the other does too, or in any case. */
export type Encryption = 'none' | 'offered' | 'required';

/** What a node says of itself. */
export type Terms = PeerStatement & { readonly encryption: Encryption };

/** What the initiator keeps between hello and confirm. */
export type Greeting = {
  readonly hello: Uint8Array;
  readonly said: Introduction;
  readonly ephemeral: Ephemeral;
  readonly terms: Terms;
  readonly to: Did;
  readonly expires: Millis;
};

/** What the responder keeps between welcome and the session. */
export type Welcoming = {
  readonly peer: Did;
  readonly agreed: Agreed;
  readonly expires: Millis;
};

/** Both messages so far, and what follows from them for one side. */
type Agreed = {
  readonly said: Uint8Array;
  readonly peerKey: PublicKey;
  readonly peerEpoch: Epoch;
  readonly stated: PeerStatement;
  readonly keys: SessionKeys | undefined;
};

/** Begins a handshake with the node `to`. */
export function sayHello(
  node: SealingNode,
  hello: { readonly to: Did; readonly terms: Terms; readonly at: Millis },
  random: Random,
): { readonly greeting: Greeting; readonly frame: Uint8Array } {
  const { to, terms, at } = hello;
  const ephemeral = newEphemeral(random);
  const said = introduction(node, { to, terms, at, ephemeral }, random);
  const frame = join(HELLO, said);
  return { greeting: { hello: frame, said, ephemeral, terms, to, expires: (at + HANDSHAKE_MS_MAX) as Millis }, frame };
}

/** The same hello once more with the cookie that `frame` demands, if it is such a demand and answers this hello. */
export function repeatHello(greeting: Greeting, frame: Uint8Array): Result<Greeting, Refusal> {
  const read = readStep(frame, DEMAND, DEMAND_SHAPE);
  if (!read.ok) return read;
  const { cookie, nonce } = read.value.payload;
  if (nonce !== greeting.said.nonce || 'cookie' in greeting.said) {
    return refuse('handshake.wrong_peer', 'expected a demand for the hello that was said, once');
  }
  const said = { ...greeting.said, cookie };
  return ok({ ...greeting, said, hello: join(HELLO, said) });
}

/** A responder's demand that a hello be repeated with this cookie (H4). */
export function demandCookie(nonce: string, cookie: Uint8Array): Uint8Array {
  return join(DEMAND, { cookie: toBase64url(cookie), nonce });
}

/** Answers a hello. `mayMeet` says whether this node talks with that one at all. */
export function answerHello(
  node: SealingNode,
  hello: {
    readonly frame: Uint8Array;
    readonly terms: Terms;
    readonly at: Millis;
    readonly mayMeet: (node: Did) => boolean;
  },
  random: Random,
): Result<{ readonly welcoming: Welcoming; readonly frame: Uint8Array }, Refusal> {
  const { frame, terms, at } = hello;
  const read = readStep(frame, HELLO, HELLO_SHAPE);
  if (!read.ok) return read;
  const theirs = read.value.payload;
  const fault = faultOfIntroduction(theirs, nodeDid(node.pair.publicKey), at);
  if (fault !== undefined) return err(fault);
  if (!hello.mayMeet(theirs.from))
    return refuse('handshake.unknown_node', `expected a known node, found ${theirs.from}`);
  const key = parseDidKey(theirs.from);
  if (!key.ok) return key;
  const chosen = choose([VERSION], theirs.versions, terms.encryption, theirs.encryption);
  if (!chosen.ok) return chosen;
  const ephemeral = newEphemeral(random);
  const introduced = introduction(node, { to: theirs.from, terms, at, ephemeral }, random);
  const payload = join(WELCOME, { ...introduced, ...chosen.value });
  const signature = signIn('iatp-mesh/1/handshake/responder', node.pair, transcript(frame, payload));
  const welcome = concat(payload, signature);
  const secret = agree(ephemeral, fromBase64url(theirs.ephemeral) ?? EMPTY);
  if (secret === undefined) return refuse('handshake.bad_ephemeral', 'expected an X25519 key of large order');
  const said = concat(frame, welcome);
  const keys = chosen.value.suite === 'signed' ? undefined : sessionKeys(secret, said, 'responder');
  const agreed: Agreed = { said, peerKey: key.value, peerEpoch: epochOf(theirs), stated: theirs, keys };
  const welcoming: Welcoming = { peer: theirs.from, agreed, expires: (at + HANDSHAKE_MS_MAX) as Millis };
  return ok({ welcoming, frame: welcome });
}

/** Accepts a welcome: the initiator's session, and the confirm that gives the responder its own. */
export function answerWelcome(
  node: SealingNode,
  greeting: Greeting,
  { frame, at }: { readonly frame: Uint8Array; readonly at: Millis },
): Result<{ readonly session: Session; readonly frame: Uint8Array }, Refusal> {
  if (at > greeting.expires) return refuse('handshake.expired', 'expected a welcome within 10 s');
  const read = readStep(frame, WELCOME, WELCOME_SHAPE);
  if (!read.ok) return read;
  const { payload: theirs, signed, signature } = read.value;
  if (theirs.from !== greeting.to)
    return refuse('handshake.wrong_peer', `expected ${greeting.to}, found ${theirs.from}`);
  const key = parseDidKey(theirs.from);
  if (!key.ok) return key;
  if (!verifyIn('iatp-mesh/1/handshake/responder', key.value, transcript(greeting.hello, signed), signature)) {
    return refuse('handshake.bad_signature', `expected ${theirs.from} to have signed what this node said`);
  }
  const fault = faultOfIntroduction(theirs, nodeDid(node.pair.publicKey), at);
  if (fault !== undefined) return err(fault);
  const chosen = choose([VERSION], theirs.versions, greeting.terms.encryption, theirs.encryption);
  if (!chosen.ok) return chosen;
  if (chosen.value.version !== theirs.version || chosen.value.suite !== theirs.suite) {
    return refuse('handshake.downgraded', 'expected the best that both sides offered'); // H3
  }
  const secret = agree(greeting.ephemeral, fromBase64url(theirs.ephemeral) ?? EMPTY);
  if (secret === undefined) return refuse('handshake.bad_ephemeral', 'expected an X25519 key of large order');
  const said = concat(greeting.hello, frame);
  const keys = theirs.suite === 'signed' ? undefined : sessionKeys(secret, said, 'initiator');
  const agreed: Agreed = { said, peerKey: key.value, peerEpoch: epochOf(theirs), stated: theirs, keys };
  const payload = join(CONFIRM, { session: toBase64url(sessionId(said)) });
  const confirmation = signIn('iatp-mesh/1/handshake/initiator', node.pair, transcript(said, payload));
  return ok({ session: begin(node, agreed, at), frame: concat(payload, confirmation) });
}

/** Accepts a confirm: the responder's session. */
export function answerConfirm(
  node: SealingNode,
  welcoming: Welcoming,
  { frame, at }: { readonly frame: Uint8Array; readonly at: Millis },
): Result<Session, Refusal> {
  if (at > welcoming.expires) return refuse('handshake.expired', 'expected a confirm within 10 s');
  const read = readStep(frame, CONFIRM, CONFIRM_SHAPE);
  if (!read.ok) return read;
  const { signed, signature } = read.value;
  const { said, peerKey } = welcoming.agreed;
  if (!verifyIn('iatp-mesh/1/handshake/initiator', peerKey, transcript(said, signed), signature)) {
    return refuse('handshake.bad_signature', `expected ${welcoming.peer} to have signed what was said`);
  }
  if (read.value.payload.session !== toBase64url(sessionId(said))) {
    return refuse('handshake.other_session', 'expected a confirm of this handshake');
  }
  return ok(begin(node, welcoming.agreed, at));
}

/** What a hello says of itself, before anything about it is believed; to bound how many are under way. */
export function claimsOfHello(
  frame: Uint8Array,
): { readonly from: Did; readonly nonce: string; readonly cookie: Uint8Array | undefined } | undefined {
  const read = readStep(frame, HELLO, HELLO_SHAPE);
  if (!read.ok) return undefined;
  const { from, nonce, cookie } = read.value.payload;
  return { from, nonce, cookie: cookie === undefined ? undefined : fromBase64url(cookie) };
}

/** Which step of a handshake a frame says it is; 4 is a demand for a cookie. */
export function stepOf(frame: Uint8Array): 1 | 2 | 3 | 4 | undefined {
  const step = view(frame).subarray(0, 4).equals(MAGIC) ? frame[5] : undefined;
  return step === HELLO || step === WELCOME || step === CONFIRM || step === DEMAND ? step : undefined;
}

const MAGIC = Buffer.from('IATH', 'latin1');
const HELLO = 1;
const WELCOME = 2;
const CONFIRM = 3;
const DEMAND = 4;
const PREFIX_BYTES = 8;
const SIGNATURE_BYTES = 64;
const EMPTY = new Uint8Array(0);

const MEMBERS = {
  contracts: list(digest, 64),
  encryption: oneOf('none', 'offered', 'required'),
  ephemeral: bytes(32),
  epoch: bytes(EPOCH_BYTES),
  from: didKey,
  head: object({ origin: digest, root: digest, size: integer(0) }),
  issued: millis,
  nonce: bytes(32),
  to: didKey,
  versions: list(integer(1, 255), 8),
} as const;
const INTRODUCTION = object(MEMBERS);
const HELLO_SHAPE = object({ ...MEMBERS, cookie: optional(bytes(32)) });
const WELCOME_SHAPE = object({
  ...MEMBERS,
  suite: oneOf('signed', 'chacha20poly1305'),
  version: integer(1, 255),
});
const DEMAND_SHAPE = object({ cookie: bytes(32), nonce: bytes(32) });
const CONFIRM_SHAPE = object({ session: bytes(SESSION_BYTES) });

type Introduction = Of<typeof INTRODUCTION> & { readonly cookie?: string };
type Choice = { readonly suite: 'signed' | 'chacha20poly1305'; readonly version: number };

function introduction(
  node: SealingNode,
  { to, terms, at, ephemeral }: { to: Did; terms: Terms; at: Millis; ephemeral: Ephemeral },
  random: Random,
): Introduction {
  return {
    contracts: terms.contracts as readonly DigestText[],
    encryption: terms.encryption,
    ephemeral: toBase64url(ephemeral.publicKey),
    epoch: toBase64url(node.epoch),
    from: nodeDid(node.pair.publicKey),
    head: terms.head as Introduction['head'],
    issued: at,
    nonce: toBase64url(random.bytes(32)),
    to,
    versions: [VERSION],
  };
}

function faultOfIntroduction(theirs: Introduction, self: Did, at: Millis): Refusal | undefined {
  if (theirs.to !== self) return { code: 'handshake.misdirected', message: `expected ${self}, found ${theirs.to}` };
  if (theirs.from === self) return { code: 'handshake.reflected', message: 'expected another node, found this one' };
  if (theirs.issued > at + SKEW_MS || at > theirs.issued + FRESH_MS_MAX) {
    return { code: 'handshake.stale', message: `expected to be issued around ${at}, found ${theirs.issued}` };
  }
  return undefined;
}

/** The highest version of both; encryption iff both can and one at least demands it or both offer it (H3). */
function choose(
  ours: readonly number[],
  theirs: readonly number[],
  ourEncryption: Encryption,
  theirEncryption: Encryption,
): Result<Choice, Refusal> {
  const version = Math.max(...ours.filter((candidate) => theirs.includes(candidate)));
  if (!Number.isFinite(version)) return refuse('handshake.no_common_version', `expected one of ${ours.join(', ')}`);
  const wishes = [ourEncryption, theirEncryption];
  if (!wishes.includes('none')) return ok({ suite: 'chacha20poly1305', version });
  if (!wishes.includes('required')) return ok({ suite: 'signed', version });
  return refuse('handshake.no_common_suite', 'expected both sides to encrypt, or neither to demand it');
}

function begin(node: SealingNode, { said, peerKey, peerEpoch, stated, keys }: Agreed, at: Millis): Session {
  return new Session({
    id: sessionId(said),
    peer: peerKey,
    ownEpoch: node.epoch,
    peerEpoch,
    expires: (at + SESSION_MS_MAX) as Millis,
    stated: { contracts: stated.contracts, head: stated.head },
    ...(keys === undefined ? {} : { keys }),
  });
}

function epochOf(theirs: Introduction): Epoch {
  return (fromBase64url(theirs.epoch) ?? EMPTY) as Epoch;
}

/** What was said so far, as one digest. Messages carry their lengths, so their concatenation is unambiguous. */
function transcript(...said: readonly Uint8Array[]): Digest {
  return hashIn('iatp-mesh/1/transcript', ...said);
}

function sessionId(said: Uint8Array): Uint8Array {
  return hashIn('iatp-mesh/1/session', said).subarray(0, SESSION_BYTES);
}

function sessionKeys(secret: Uint8Array, said: Uint8Array, role: 'initiator' | 'responder'): SessionKeys {
  const salt = transcript(said);
  const forth = deriveKey(secret, salt, 'iatp-mesh/1 initiator to responder');
  const back = deriveKey(secret, salt, 'iatp-mesh/1 responder to initiator');
  return role === 'initiator' ? { sending: forth, receiving: back } : { sending: back, receiving: forth };
}

function join(step: number, payload: JsonValue): Uint8Array {
  const text = utf8(unwrap(canonicalJson(payload), 'a handshake is data'));
  assert(PREFIX_BYTES + text.length + SIGNATURE_BYTES <= HANDSHAKE_BYTES_MAX, 'join: HANDSHAKE_BYTES_MAX');
  return concat(MAGIC, Uint8Array.of(VERSION, step, text.length >> 8, text.length & 0xff), text);
}

/** The payload of a message of this step, the bytes that its signature follows, and the signature (none in a hello). */
function readStep<T>(
  frame: Uint8Array,
  step: number,
  shape: Shape<T>,
): Result<{ readonly payload: T; readonly signed: Uint8Array; readonly signature: Uint8Array }, Refusal> {
  const buffer = view(frame);
  if (buffer.length < PREFIX_BYTES || buffer.length > HANDSHAKE_BYTES_MAX) return malformed('8 to 16384 bytes', 0);
  if (!buffer.subarray(0, 4).equals(MAGIC)) return malformed('IATH', 0);
  if (buffer[4] !== VERSION) return refuse('handshake.unsupported_version', `expected ${VERSION}, found ${buffer[4]}`);
  if (buffer[5] !== step) return malformed(`step ${step}`, 5);
  const end = PREFIX_BYTES + buffer.readUInt16BE(6);
  const isSigned = step === WELCOME || step === CONFIRM;
  if (buffer.length !== end + (isSigned ? SIGNATURE_BYTES : 0)) return malformed('the stated length', 6);
  const payload = readStrict(buffer.subarray(PREFIX_BYTES, end), shape, 'handshake.malformed');
  if (!payload.ok) return payload;
  return ok({ payload: payload.value, signed: buffer.subarray(0, end), signature: buffer.subarray(end) });
}

function malformed(expected: string, offset: number): Result<never, Refusal> {
  return err({ code: 'handshake.malformed', message: `expected ${expected}`, offset });
}

function refuse(code: string, message: string): Result<never, Refusal> {
  return err({ code, message });
}
