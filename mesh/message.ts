/**
 * A message and its sealings. The message is what an agent said: claims, salt, content, and the digest that names it. A
 * sealing is one signed frame of it, for one recipient node, over one session, fresh for 30 s. Sending again seals again.
 */
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import type { Digest } from '../runtime/codec/digest.ts';
import type { KeyPair, PublicKey } from '../runtime/codec/ed25519.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { concat } from '../runtime/core/bytes.ts';
import type { Random } from '../runtime/core/random.ts';
import { sealBundle } from './bundle.ts';
import { type Claims, encodeClaims, messageDigest } from './claims.ts';
import { hashTextIn } from './domain.ts';
import { SALT_BYTES, sealBatch, type Unsealed } from './frame.ts';
import { type Epoch, encodeHead, isAnswer, type Kind, NO_EPOCH, NO_SESSION } from './head.ts';
import { BODY_BYTES_MAX, DEADLINE_MS_MAX, FRESH_MS_MAX } from './limits.ts';
import type { Session } from './session.ts';

/** What an agent said, for good. */
export type Message = {
  readonly kind: Kind;
  readonly claims: Uint8Array;
  readonly salt: Uint8Array;
  readonly content: Uint8Array;
  readonly deadline: Millis;
  /** SHA-256 of the claims. */
  readonly digest: Digest;
};

/** Where a sealing goes: over a session, or to a node that is known and with which there is none. */
export type Route =
  | { readonly type: 'session'; readonly session: Session }
  | { readonly type: 'sessionless'; readonly to: PublicKey };

/** The node that seals: its message key and its life. */
export type SealingNode = { readonly pair: KeyPair; readonly epoch: Epoch };

/** The message with these claims and this content; the claims about the body are made here. */
export function composeMessage(
  message: {
    readonly kind: Kind;
    readonly claims: Said;
    readonly media: string;
    readonly content: Uint8Array;
  },
  random: Random,
): Message {
  const { kind, media, content } = message;
  assert(content.length <= BODY_BYTES_MAX, 'composeMessage: at most BODY_BYTES_MAX bytes');
  assert(
    isAnswer(kind) === (message.claims.answer !== undefined),
    'composeMessage: answers and only they bind a request',
  );
  const salt = random.bytes(SALT_BYTES);
  const digest = bodyDigest(salt, content);
  const claims = encodeClaims(claimsOf(message.claims, { digest, length: content.length, media }));
  return new Composed({ kind, claims, salt, content, deadline: message.claims.deadline });
}

type Optional = 'answer' | 'budget' | 'cause' | 'certificate' | 'contract' | 'trace';

/** Claims but for those about the body; what is `undefined` is not said. */
export type Said = Omit<Claims, Optional | 'body'> & { readonly [K in Optional]?: Claims[K] | undefined };

/** Member by member in the order of their names: what is sorted is written natively. */
function claimsOf(said: Said, body: Claims['body']): Claims {
  const claims: { -readonly [K in keyof Claims]?: Claims[K] } = {};
  if (said.answer !== undefined) claims.answer = said.answer;
  claims.body = body;
  if (said.budget !== undefined) claims.budget = said.budget;
  if (said.cause !== undefined) claims.cause = said.cause;
  if (said.certificate !== undefined) claims.certificate = said.certificate;
  claims.chain = said.chain;
  claims.command = said.command;
  if (said.contract !== undefined) claims.contract = said.contract;
  claims.correlation = said.correlation;
  claims.deadline = said.deadline;
  claims.delegation = said.delegation;
  claims.from = said.from;
  claims.head = said.head;
  claims.id = said.id;
  claims.to = said.to;
  if (said.trace !== undefined) claims.trace = said.trace;
  return claims as Claims;
}

/** Its digest is made when it is asked for: nobody asks for that of an answer. */
class Composed implements Message {
  readonly kind: Kind;
  readonly claims: Uint8Array;
  readonly salt: Uint8Array;
  readonly content: Uint8Array;
  readonly deadline: Millis;
  #digest: Digest | undefined;

  constructor({ kind, claims, salt, content, deadline }: Omit<Message, 'digest'>) {
    this.kind = kind;
    this.claims = claims;
    this.salt = salt;
    this.content = content;
    this.deadline = deadline;
  }

  get digest(): Digest {
    this.#digest ??= messageDigest(this.claims);
    return this.#digest;
  }
}

/** One frame per message, all under one signature, fresh from `at` on. Sequence numbers are drawn in order. */
export function sealMessages(
  batch: readonly { readonly message: Message; readonly route: Route }[],
  node: SealingNode,
  at: Millis,
): readonly Uint8Array[] {
  return sealBatch(
    batch.map(({ message, route }) => unsealed(message, route, node, at)),
    node.pair,
  );
}

/** The same in one message, for one node: a bundle. */
export function sealMessagesAsBundle(
  batch: readonly { readonly message: Message; readonly route: Route }[],
  node: SealingNode,
  at: Millis,
): Uint8Array {
  return sealBundle(
    batch.map(({ message, route }) => unsealed(message, route, node, at)),
    node.pair,
  );
}

/** What the claims say of a body, given its parts: salt, content. The salt keeps short or likely contents from being guessed by
 *  whoever holds the claims. */
export function bodyDigest(...parts: readonly Uint8Array[]): DigestText {
  return hashTextIn('iatp-mesh/1/body', ...parts);
}

/** The DID of a node is its key. */
export function nodeDid(key: PublicKey): Did {
  return formatDidKey(key);
}

function unsealed(message: Message, route: Route, node: SealingNode, at: Millis): Unsealed {
  assert(at <= message.deadline && message.deadline <= at + DEADLINE_MS_MAX, 'sealMessages: before the deadline');
  const session = route.type === 'session' ? route.session : undefined;
  const to = route.type === 'session' ? route.session.peer : route.to;
  assert(session === undefined || session.isUsable(at), 'sealMessages: a session that is not over');
  const sequence = session?.nextSequence() ?? 0;
  const head = encodeHead({
    kind: message.kind,
    encrypted: session?.isEncrypted ?? false,
    to: to.bytes,
    from: node.pair.publicKey.bytes,
    toEpoch: session?.peerEpoch ?? NO_EPOCH,
    fromEpoch: node.epoch,
    session: session?.id ?? NO_SESSION,
    sequence,
    issued: at,
    expires: Math.min(at + FRESH_MS_MAX, message.deadline) as Millis,
  });
  const covered = concat(head, message.claims);
  const plaintext = concat(message.salt, message.content);
  const body = session?.isEncrypted ? session.encrypt(sequence, plaintext, covered) : plaintext;
  return { head: covered.subarray(0, head.length), claims: covered.subarray(head.length), body };
}
