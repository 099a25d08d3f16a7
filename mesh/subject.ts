/**
 * NATS subjects, and the only place where they are built.
 *
 *     m1.<realm>.<lane>.<to>.<from>        one node to one node; to `all` where everybody listens
 *     _I.<self>.<lane>.<to>                the private inbox, where the broker says that nobody was listening
 *     _M.<realm>.<to>.<from>               a letter for a node that is away, kept by its mailbox: a stream of the broker
 *     $SRV.<verb>[.ringmesh[.<self>]]      service discovery (ADR-32 of NATS), answered to `_INBOX.…`
 *
 * A node's token is a hash of its DID in base32, so no text from outside is ever part of a subject: no dot, no wildcard, no
 * white space, no CR LF. The sender stands last, so that one rule of the broker pins it: whoever publishes for a node must
 * be logged in as that node.
 */
import { base32 } from 'multiformats/bases/base32';
import type { Did } from '../runtime/codec/did.ts';
import { sha256 } from '../runtime/codec/digest.ts';
import type { Brand } from '../runtime/core/brand.ts';
import { utf8 } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';

/** The name of a realm: 1 to 32 of `a-z 0-9` and inner hyphens. */
export type Realm = Brand<string, 'Realm'>;

/** 32 characters of lower-case base32: the first 20 bytes of SHA-256 of the DID. */
export type NodeToken = Brand<string, 'NodeToken'>;

/** A subject or pattern that this file has built. */
export type Subject = Brand<string, 'Subject'>;

/** What travels apart: handshakes and what is presented; requests; answers; pieces of large bodies; the control lane, which
 *  needs its own grant; heartbeats and revocations, which go to all. */
export type Lane = 'hand' | 'ask' | 'tell' | 'answer' | 'body' | 'control' | 'beat' | 'revoke';

export const LANES: readonly Lane[] = ['hand', 'ask', 'tell', 'answer', 'body', 'control', 'beat', 'revoke'];

/** Where a message is addressed when it is for everybody. Shorter than any token. */
export const ALL = 'all' as NodeToken;

export function parseRealm(text: string): Result<Realm, Refusal> {
  if (/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(text)) return ok(text as Realm);
  return err({ code: 'realm.malformed', message: 'expected 1 to 32 of a-z 0-9 and inner hyphens' });
}

export function nodeToken(did: Did): NodeToken {
  return base32.baseEncode(sha256(utf8(did)).subarray(0, 20)) as NodeToken;
}

export const subject = {
  message: (realm: Realm, lane: Lane, { to, from }: { to: NodeToken; from: NodeToken }): Subject =>
    `m1.${realm}.${lane}.${to}.${from}` as Subject,
  /** Everything that is sent to one node, or to all. */
  arriving: (realm: Realm, to: NodeToken): Subject => `m1.${realm}.*.${to}.*` as Subject,
  /** Everything that one node may send over a lane: to any node, or to all. */
  leaving: (realm: Realm, lane: Lane, from: NodeToken): Subject =>
    `m1.${realm}.${lane}.${isForAll(lane) ? ALL : '*'}.${from}` as Subject,
  inboxPrefix: (self: NodeToken): Subject => `_I.${self}` as Subject,
  inbox: (self: NodeToken): Subject => `_I.${self}.>` as Subject,
  absence: (self: NodeToken, lane: Lane, to: NodeToken): Subject => `_I.${self}.${lane}.${to}` as Subject,
  /** Where the broker hands over what a mailbox holds. */
  pulled: (self: NodeToken, number: number): Subject => `_I.${self}.mailbox.${number}` as Subject,
  /** All requests to one node. */
  asked: (realm: Realm, self: NodeToken): Subject => `m1.${realm}.ask.${self}.*` as Subject,
  letter: (realm: Realm, { to, from }: { to: NodeToken; from: NodeToken }): Subject =>
    `_M.${realm}.${to}.${from}` as Subject,
  /** All letters to one node, and all that one node may leave anywhere. */
  letters: (realm: Realm, to: NodeToken): Subject => `_M.${realm}.${to}.*` as Subject,
  leaveLetters: (realm: Realm, from: NodeToken): Subject => `_M.${realm}.*.${from}` as Subject,
  /** JetStream's own subjects about one mailbox: its stream and the one consumer have these names. */
  streamName: (to: NodeToken): string => `mailbox-${to}`,
  consumerName: 'node',
  jetStream: (verb: string): Subject => `$JS.API.${verb}` as Subject,
  pull: (to: NodeToken): Subject => `$JS.API.CONSUMER.MSG.NEXT.mailbox-${to}.node` as Subject,
  acknowledge: (to: NodeToken): Subject => `$JS.ACK.mailbox-${to}.node.>` as Subject,
  /** How discovery calls every node of every realm. */
  serviceName: 'ringmesh',
  discovery: (verb: string, self: NodeToken): readonly Subject[] =>
    [`$SRV.${verb}`, `$SRV.${verb}.ringmesh`, `$SRV.${verb}.ringmesh.${self}`] as unknown as readonly Subject[],
  /** Where all nodes are asked, and where one asking tool is answered. */
  discoverNodes: (verb: string): Subject => `$SRV.${verb}.ringmesh` as Subject,
  operatorInbox: (name: string): Subject => `_INBOX.${name}` as Subject,
  /** Where a server asks who may log in. */
  authCallout: '$SYS.REQ.USER.AUTH' as Subject,
  discoveryAll: '$SRV.>' as Subject,
  /** Where answers to discovery go, and where only operators' tools listen. */
  operatorInboxes: '_INBOX.>' as Subject,
};

/** Who left a letter; `undefined` for a text that `subject.letter` would not have built. */
export function parseLetterSubject(text: string): { readonly to: NodeToken; readonly from: NodeToken } | undefined {
  const [, to, from] = LETTER.exec(text) ?? [];
  return to === undefined || from === undefined ? undefined : { to: to as NodeToken, from: from as NodeToken };
}

/** Whether it is the inbox of an operator's tool, and nothing else. */
export function isOperatorInbox(text: string): boolean {
  return OPERATOR_INBOX.test(text);
}

/** Heartbeats and revocations are for everybody; nothing else is. */
export function isForAll(lane: Lane): boolean {
  return lane === 'beat' || lane === 'revoke';
}

/** The parts of a message's subject; `undefined` for a text that `subject.message` would not have built. */
export function parseMessageSubject(
  text: string,
): { readonly lane: Lane; readonly to: NodeToken; readonly from: NodeToken } | undefined {
  const [, lane, to, from] = MESSAGE.exec(text) ?? [];
  if (lane === undefined || to === undefined || from === undefined || !isLane(lane)) return undefined;
  return { lane, to: to as NodeToken, from: from as NodeToken };
}

/** About whom the broker's word of absence is. */
export function parseAbsenceSubject(text: string): { readonly lane: Lane; readonly to: NodeToken } | undefined {
  const [, lane, to] = ABSENCE.exec(text) ?? [];
  return lane === undefined || to === undefined || !isLane(lane) ? undefined : { lane, to: to as NodeToken };
}

const MESSAGE = /^m1\.[a-z0-9-]{1,32}\.([a-z]+)\.([a-z2-7]{32}|all)\.([a-z2-7]{32})$/;
const LETTER = /^_M\.[a-z0-9-]{1,32}\.([a-z2-7]{32})\.([a-z2-7]{32})$/;
const OPERATOR_INBOX = /^_INBOX(?:\.[A-Za-z0-9_-]{1,64}){1,4}$/;
const ABSENCE = /^_I\.[a-z2-7]{32}\.([a-z]+)\.([a-z2-7]{32}|all)$/;

function isLane(text: string): text is Lane {
  return (LANES as readonly string[]).includes(text);
}
