/**
 * Whether to let an envelope in. Cheap checks first, and nothing from the wire is parsed before its signature holds:
 *
 *     size → head → signature → claims → replay → certificate → body → answer → the checks of higher floors
 *
 * A1. Never throws on what a peer sent, and changes nothing before the signature holds.
 * A2. A refusal says whether it is authenticated. Before the signature anybody may have sent the bytes: such refusals are
 *     counted, blame nobody and lower nobody's trust.
 * A3. The same bytes are verified, hashed and parsed; nothing is written again.
 * A4. One frame is admitted at most once, whichever node it reaches and however often that node restarts.
 */

import type { Cid } from '../runtime/codec/cid.ts';
import type { Did } from '../runtime/codec/did.ts';
import type { PublicKey } from '../runtime/codec/ed25519.ts';
import { type DigestText, digestText } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { equalBytes } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { splitBundle } from './bundle.ts';
import { type Claims, decodeClaims, messageId } from './claims.ts';
import { type Covered, coveredOf, type Parts, SALT_BYTES, splitFrame, verifyBatch, verifyFrame } from './frame.ts';
import { type Epoch, type Head, isAnswer, type Kind, NO_EPOCH, NO_SESSION } from './head.ts';
import { checkCertificate, type Hosting, type Subject } from './hosting.ts';
import { DEADLINE_MS_MAX, FRESH_MS_MAX, SKEW_MS } from './limits.ts';
import { bodyDigest, nodeDid } from './message.ts';
import type { Awaited } from './pending.ts';
import type { Session } from './session.ts';
import type { Sessionless } from './sessionless.ts';
import type { Statement } from './statement.ts';
import { type NodeToken, nodeToken } from './subject.ts';

/** An envelope that has passed every check. */
export type Admitted = {
  readonly head: Head;
  readonly claims: Claims;
  readonly content: Uint8Array;
  /** The node that signed. */
  readonly node: PublicKey;
  /** Of the claims: names the message, in answers and in the log. */
  readonly message: DigestText;
  /** Of head and claims: names this sealing. */
  readonly envelope: DigestText;
  /** Where there is none, only commands without lasting effect may be obeyed. */
  readonly session: Session | undefined;
  readonly certificate: Statement<Hosting> | undefined;
};

/** Why an envelope was not let in (A2). */
export type EnvelopeRefusal = Refusal &
  (
    | { readonly authenticated: false }
    /** The node that certainly sent it, the message, this sealing of it, and its claims if they could be read. */
    | {
        readonly authenticated: true;
        readonly from: Did;
        readonly message: DigestText;
        readonly envelope: DigestText;
        readonly kind: Kind;
        readonly claims: Claims | undefined;
      }
  );

/** What a higher floor has to say: revocation, delegation, trust. Pure, given the moment. */
export type Check = (admitted: Admitted, at: Millis) => Refusal | undefined;

/** What the node knows, as admission needs it. */
export type NodeView = {
  readonly key: PublicKey;
  readonly epoch: Epoch;
  readonly session: (id: Uint8Array) => Session | undefined;
  readonly sessionless: Sessionless | undefined;
  /** Whether the node hosts this agent. */
  readonly isHosted: (agent: Did) => boolean;
  readonly subject: (agent: Did) => Subject | undefined;
  readonly certificate: (certificate: Cid) => Statement<Hosting> | undefined;
  readonly isWithdrawn: (certificate: Cid) => boolean;
  readonly awaited: (request: DigestText) => Awaited | undefined;
  /** In the order in which they are asked. */
  readonly checks: readonly Check[];
};

/** The envelope in `frame`, or why it is not let in (A1). `carriedFrom` is whom the carrier vouches for, where it does. */
export function admit(
  frame: Uint8Array,
  at: Millis,
  view: NodeView,
  carriedFrom?: NodeToken,
): Result<Admitted, EnvelopeRefusal> {
  const split = splitFrame(frame);
  if (!split.ok) return unauthenticated(split.error);
  const sender = checkHead(split.value, at, view, carriedFrom);
  if (!sender.ok) return unauthenticated(sender.error);
  const covered = coveredOf(split.value);
  if (!verifyFrame(split.value, sender.value.key, covered)) return badSignature();
  return admitAuthentic({ parts: split.value, covered, sender: sender.value }, at, view);
}

/** The envelopes in a bundle, each admitted or refused for itself, under one verification of their one signature. A bundle
 *  that cannot be taken apart is one refusal. */
export function admitBundle(
  bundle: Uint8Array,
  at: Millis,
  view: NodeView,
  carriedFrom?: NodeToken,
): readonly Result<Admitted, EnvelopeRefusal>[] {
  return [...admitEach(bundle, at, view, carriedFrom)];
}

/** The same one by one. An envelope is looked at when it is asked for, so what the ones before it have shown (certificates)
 *  can be known by then. */
export function* admitEach(
  bundle: Uint8Array,
  at: Millis,
  view: NodeView,
  carriedFrom?: NodeToken,
): Generator<Result<Admitted, EnvelopeRefusal>, void, undefined> {
  const split = splitBundle(bundle);
  if (!split.ok) return yield unauthenticated(split.error);
  const { items, signature } = split.value;
  const senders = items.map((parts) => checkHead(parts, at, view, carriedFrom));
  const key = senders.find((sender) => sender.ok)?.value.key;
  const allCovered = key === undefined ? [] : items.map(coveredOf);
  const isSigned = key !== undefined && verifyBatch(allCovered, signature, key);
  for (const [index, parts] of items.entries()) {
    const [sender, covered] = [senders[index], allCovered[index]];
    if (sender === undefined || !sender.ok) yield unauthenticated(sender?.error ?? MISSING);
    else if (!isSigned || covered === undefined || !equalBytes(sender.value.key.bytes, key.bytes)) yield badSignature();
    else yield admitAuthentic({ parts, covered, sender: sender.value }, at, view);
  }
}

/** Who a head says it is from: the key to verify with, and the session if there is one. */
type Sender = { readonly key: PublicKey; readonly session: Session | undefined };

/** All that can be said before the signature. Looks, and changes nothing. */
function checkHead(parts: Parts, at: Millis, view: NodeView, carriedFrom?: NodeToken): Result<Sender, Refusal> {
  const { head } = parts;
  if (!equalBytes(head.to, view.key.bytes)) return refuse('envelope.misdirected', 'expected this node as recipient');
  const sender = equalBytes(head.session, NO_SESSION) ? findPeer(parts, view) : findSession(head, at, view);
  if (!sender.ok) return sender;
  const { key, session } = sender.value;
  if (carriedFrom !== undefined && carriedFrom !== (session?.peerToken ?? nodeToken(nodeDid(key)))) {
    return refuse('envelope.wrong_carrier', 'expected the carrier and the head to name one sender');
  }
  if (head.issued > at + SKEW_MS) {
    return refuse('envelope.future', `expected to be issued before ${at}, found ${head.issued - at} ms after`);
  }
  if (at > head.expires) {
    return refuse(
      'envelope.expired',
      `expected to last until ${at}, found to have ended ${at - head.expires} ms before`,
    );
  }
  if (head.expires < head.issued || head.expires - head.issued > FRESH_MS_MAX) {
    return refuse('envelope.too_long', `expected a window of at most ${FRESH_MS_MAX} ms`);
  }
  return sender;
}

function findSession(head: Head, at: Millis, view: NodeView): Result<Sender, Refusal> {
  const session = view.session(head.session);
  if (session === undefined) return refuse('envelope.unknown_session', 'expected a session of this life of the node');
  if (!equalBytes(head.from, session.peer.bytes))
    return refuse('envelope.wrong_peer', 'expected the peer of the session');
  if (!equalBytes(head.toEpoch, view.epoch) || !equalBytes(head.fromEpoch, session.peerEpoch)) {
    return refuse('envelope.wrong_epoch', 'expected the boot epochs of the session');
  }
  if (at > session.expires) return refuse('envelope.session_over', 'expected a session that is not over');
  if (head.encrypted !== session.isEncrypted)
    return refuse('envelope.wrong_suite', 'expected the suite of the session');
  if (session.window.hasSeen(head.sequence)) return refuse('envelope.replayed', 'expected a new sequence number');
  return ok({ key: session.peer, session });
}

function findPeer(parts: Parts, view: NodeView): Result<Sender, Refusal> {
  const { head } = parts;
  const key = view.sessionless?.peer(head.from);
  if (view.sessionless === undefined || key === undefined)
    return refuse('envelope.unknown_sender', 'expected a known node');
  if (!equalBytes(head.toEpoch, NO_EPOCH) || head.sequence !== 0 || head.encrypted) {
    return refuse('envelope.malformed', 'expected no epoch, sequence or encryption outside a session');
  }
  if (view.sessionless.isOld(head.issued))
    return refuse('envelope.too_old', 'expected to be sealed in this life of the node');
  if (view.sessionless.hasSeen(coveredOf(parts).leaf)) return refuse('envelope.replayed', 'expected a new envelope');
  return ok({ key, session: undefined });
}

/** An envelope whose signature holds, and whose it is. */
type Authentic = { readonly parts: Parts; readonly covered: Covered; readonly sender: Sender };

/** From here on a fault has an author. */
function admitAuthentic(authentic: Authentic, at: Millis, view: NodeView): Result<Admitted, EnvelopeRefusal> {
  const admitted = checkContent(authentic, at, view);
  if (admitted.ok) return admitted;
  const { parts, covered, sender } = authentic;
  const claims = decodeClaims(parts.claims);
  return err({
    ...admitted.error,
    authenticated: true,
    from: didOf(sender),
    message: messageId(parts.claims),
    envelope: digestText(covered.leaf),
    kind: parts.head.kind,
    claims: claims.ok ? claims.value : undefined,
  });
}

function checkContent({ parts, covered, sender }: Authentic, at: Millis, view: NodeView): Result<Admitted, Refusal> {
  const { head } = parts;
  const claims = readClaims(parts, at);
  if (!claims.ok) return claims;
  const { leaf } = covered;
  const isNew = sender.session?.window.accept(head.sequence) ?? view.sessionless?.accept(leaf, head.expires, at);
  if (isNew !== true) return refuse('envelope.replayed', 'expected an envelope that was not admitted before');
  if (!view.isHosted(claims.value.to) && claims.value.to !== nodeDid(view.key)) {
    return refuse('envelope.no_such_agent', `expected an agent of this node, found ${claims.value.to}`);
  }
  const certificate = checkHosting(claims.value, head, at, { view, node: didOf(sender) });
  if (!certificate.ok) return certificate;
  const content = openBody(parts, covered, claims.value, sender.session);
  if (!content.ok) return content;
  const answer = checkAnswer(claims.value, head.kind, sender, view);
  if (!answer.ok) return answer;
  const admitted: Admitted = {
    head,
    claims: claims.value,
    content: content.value,
    node: sender.key,
    message: messageId(parts.claims),
    envelope: digestText(leaf),
    session: sender.session,
    certificate: certificate.value,
  };
  const refusal = faultOfChecks(admitted, at, view);
  return refusal === undefined ? ok(admitted) : err(refusal);
}

/** Why what was admitted before is not to be let in now: for a message of which a part came later. Its certificate may have
 *  ended since, as may everything that higher floors go by. */
export function faultSince(admitted: Admitted, at: Millis, view: NodeView): Refusal | undefined {
  const { claims, head, node: key, session } = admitted;
  const hosted = checkHosting(claims, head, at, { view, node: didOf({ key, session }) });
  return hosted.ok ? faultOfChecks(admitted, at, view) : hosted.error;
}

function faultOfChecks(admitted: Admitted, at: Millis, { checks }: NodeView): Refusal | undefined {
  for (const check of checks) {
    const refusal = check(admitted, at);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function readClaims(parts: Parts, at: Millis): Result<Claims, Refusal> {
  const { head } = parts;
  const claims = decodeClaims(parts.claims);
  if (!claims.ok) return claims;
  if (isAnswer(head.kind) !== (claims.value.answer !== undefined)) {
    return refuse('claims.malformed', `expected answers and only answers to name a request, found ${head.kind}`);
  }
  if ((head.kind === 'failure') !== (claims.value.answer?.code !== undefined)) {
    return refuse('claims.malformed', 'expected failures and only failures to carry a code');
  }
  const { deadline } = claims.value;
  if (at > deadline) return refuse('envelope.past_deadline', `expected a deadline after ${at}, found ${deadline}`);
  if (deadline > head.issued + DEADLINE_MS_MAX)
    return refuse('claims.malformed', 'expected a deadline within seven days');
  return claims;
}

/** Whether the sending node may speak for the agent in whose name it speaks. */
function checkHosting(
  claims: Claims,
  head: Head,
  at: Millis,
  { view, node }: { readonly view: NodeView; readonly node: Did },
): Result<Statement<Hosting> | undefined, Refusal> {
  if (claims.certificate === undefined) {
    if (claims.from === node) return ok(undefined);
    return refuse('certificate.missing', `expected ${node} to show a certificate of ${claims.from}`);
  }
  const certificate = view.certificate(claims.certificate);
  if (certificate === undefined)
    return refuse('certificate.unknown', 'expected a certificate that was presented before');
  if (view.isWithdrawn(claims.certificate)) return refuse('certificate.withdrawn', 'expected a certificate in force');
  const subject = view.subject(claims.from);
  if (subject === undefined) return refuse('did.unknown', `expected the history of ${claims.from} to be known`);
  if (subject.type === 'mesh' && subject.identity.sponsor === undefined) {
    return refuse('did.unsponsored', `expected somebody to answer for ${claims.from}`);
  }
  const checked = checkCertificate(certificate, { subject, node, epoch: head.fromEpoch, at });
  return checked.ok ? ok(certificate) : checked;
}

/** The content, if it is what the claims say. */
function openBody(
  { head, body }: Parts,
  { bytes: associated }: Covered,
  claims: Claims,
  session: Session | undefined,
): Result<Uint8Array, Refusal> {
  const opened = head.encrypted ? session?.decrypt(head.sequence, body, associated) : body;
  if (opened === undefined) return refuse('body.undecipherable', 'expected a body under the key of the session');
  if (opened.length !== SALT_BYTES + claims.body.length) {
    return refuse('body.wrong_length', `expected ${claims.body.length} bytes and a salt, found ${opened.length}`);
  }
  if (bodyDigest(opened) !== claims.body.digest) {
    return refuse('body.wrong_digest', 'expected the body that was signed');
  }
  return ok(opened.subarray(SALT_BYTES));
}

/** Whether somebody awaits this answer, from that node and agent. A node may fail for an agent: it may have none such. */
function checkAnswer(claims: Claims, kind: Kind, sender: Sender, view: NodeView): Result<true, Refusal> {
  if (claims.answer === undefined) return ok(true);
  const awaited = view.awaited(claims.answer.request);
  if (awaited === undefined) return refuse('answer.unexpected', 'expected an answer to an open request');
  const mayAnswer = claims.from === awaited.asked || (kind === 'failure' && claims.from === didOf(sender));
  if (!equalBytes(awaited.node.bytes, sender.key.bytes) || !mayAnswer || awaited.asker !== claims.to) {
    return refuse('answer.wrong_peer', `expected an answer of ${awaited.asked}, found one of ${claims.from}`);
  }
  return ok(true);
}

/** Formatting a did:key takes as long as hashing the envelope; a session has it ready. */
function didOf({ key, session }: Sender): Did {
  return session?.peerDid ?? nodeDid(key);
}

const MISSING: Refusal = { code: 'envelope.malformed', message: 'expected a head' };

function badSignature(): Result<never, EnvelopeRefusal> {
  return unauthenticated({ code: 'envelope.bad_signature', message: 'expected the sending node to have signed' });
}

function unauthenticated(refusal: Refusal): Result<never, EnvelopeRefusal> {
  return err({ ...refusal, authenticated: false });
}

function refuse(code: string, message: string): Result<never, Refusal> {
  return err({ code, message });
}
