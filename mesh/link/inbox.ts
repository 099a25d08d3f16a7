/**
 * Requests of others: from an envelope that was admitted to a message for an agent of this node, and which are under way.
 *
 * X1. What is handed over names its sender by the name in its DID, and only if that name means nobody else here.
 * X2. A message that arrives again while it is under way is not handed over again; each writing of it is answered.
 */

import type { Incoming } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import type { Admitted } from '../admit.ts';
import { JSON_MEDIA, readBody } from './bodies.ts';
import { INBOX_MAX, INBOX_PER_NODE_MAX } from './limits.ts';
import type { Names } from './names.ts';
import { readCommand } from './words.ts';

/** The message in an envelope, as agents of this node may see it. */
export function incomingOf(admitted: Admitted, names: Names, at: Millis): Result<Incoming, Refusal> {
  const { claims, head, envelope } = admitted;
  if (head.kind !== 'ask' && head.kind !== 'tell') return refuse('claims.malformed', 'expected an ask or a tell');
  const from = senderOf(claims.from, names, at);
  if (!from.ok) return from;
  const to = names.nameOf(claims.to);
  if (to === undefined) return refuse('envelope.no_such_agent', 'expected an agent with a name');
  const command = readCommand(claims.command);
  if (command === undefined) return refuse('claims.malformed', `expected /contract/message, found ${claims.command}`);
  const chain = claims.chain.map((did) => names.nameOf(did));
  if (!chain.every((name) => name !== undefined))
    return refuse('name.missing', 'expected a call chain of named agents');
  if (claims.body.media !== JSON_MEDIA) {
    return refuse('body.malformed', `expected ${JSON_MEDIA}, found ${claims.body.media}`);
  }
  const body = readBody(admitted.content);
  if (!body.ok) return body;
  const { cause } = claims;
  const incoming: { -readonly [K in keyof Incoming]: Incoming[K] } = {
    message: claims.id,
    kind: head.kind,
    from: { agent: from.value, did: claims.from },
    to,
    name: command.name,
    body: body.value,
    chain,
    deadline: claims.deadline,
    correlation: claims.correlation,
    envelope,
    delegation: claims.delegation,
  };
  if (cause !== undefined) incoming.cause = { origin: claims.head.origin, index: cause.index, leaf: cause.leaf };
  return ok(incoming);
}

/** X1. */
function senderOf(did: Did, names: Names, at: Millis): Result<string, Refusal> {
  const name = names.nameOf(did);
  if (name === undefined) return refuse('name.missing', `expected a sender with a name, found ${did}`);
  const meant = names.didOf(name, at);
  if (meant === undefined || meant === did) return ok(name);
  return refuse('name.taken', `expected ${name} to be ${meant}, found ${did}`);
}

/** Requests under way here, by sender and id. */
export class Inbox {
  readonly #underWay = new Map<string, DigestText[]>();
  readonly #byNode = new Map<Did | undefined, number>();

  get size(): number {
    return this.#underWay.size;
  }

  /** `new` if it is to be handed over; `known` if it is under way (X2); `full` if there is no room. */
  begin({ claims, message, session }: Admitted): 'new' | 'known' | 'full' {
    const key = `${claims.from} ${claims.id}`;
    const known = this.#underWay.get(key);
    if (known !== undefined) {
      if (known.length < WRITINGS_MAX && !known.includes(message)) known.push(message);
      return 'known';
    }
    const ofNode = this.#byNode.get(session?.peerDid) ?? 0;
    if (this.#underWay.size >= INBOX_MAX || ofNode >= INBOX_PER_NODE_MAX) return 'full';
    this.#byNode.set(session?.peerDid, ofNode + 1);
    this.#underWay.set(key, [message]);
    return 'new';
  }

  /** It is over: the writings of it that are to be answered. */
  end({ claims, session }: Admitted): readonly DigestText[] {
    const key = `${claims.from} ${claims.id}`;
    const known = this.#underWay.get(key);
    if (known === undefined) return [];
    this.#underWay.delete(key);
    const left = (this.#byNode.get(session?.peerDid) ?? 1) - 1;
    if (left === 0) this.#byNode.delete(session?.peerDid);
    else this.#byNode.set(session?.peerDid, left);
    return known;
  }
}

/** A message is written again when its certificate has ended: not often. */
const WRITINGS_MAX = 4;

function refuse(code: string, message: string): Result<never, Refusal> {
  return err({ code, message });
}
