/** Two nodes with an agent each, sponsored, certified and known to one another, and a session between them. */

import type { Cid } from '../runtime/codec/cid.ts';
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import { formatDigest, sha256 } from '../runtime/codec/digest.ts';
import { generateKeyPair, type KeyPair } from '../runtime/codec/ed25519.ts';
import type { DigestText, EventId } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { toHex, utf8 } from '../runtime/core/bytes.ts';
import type { Random } from '../runtime/core/random.ts';
import { type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import type { Check, NodeView } from './admit.ts';
import type { Claims } from './claims.ts';
import { Directory } from './directory.ts';
import { answerConfirm, answerHello, answerWelcome, type Encryption, sayHello, type Terms } from './handshake.ts';
import type { Epoch, Kind } from './head.ts';
import { readCertificate, writeCertificate } from './hosting.ts';
import { foldIdentity, type Identity, writeInception } from './identity.ts';
import { composeMessage, type Message, nodeDid, type SealingNode, sealMessages } from './message.ts';
import { Pending } from './pending.ts';
import { type Session, Sessions } from './session.ts';
import type { Sessionless } from './sessionless.ts';

export const NOW = 1_700_000_000_000 as Millis;

export function later(ms: number): Millis {
  return (NOW + ms) as Millis;
}

function aDigest(text: string): DigestText {
  return formatDigest(sha256(utf8(text))) as DigestText;
}

/** The code of a refusal; the whole value where there is none, so that a failing test shows it. */
export function codeOf(result: Result<unknown, Refusal>): unknown {
  return result.ok ? { admitted: result.value } : result.error.code;
}

export type Agent = {
  readonly identity: Identity;
  readonly did: Did;
  readonly key: KeyPair;
  readonly next: KeyPair;
  readonly sponsor: KeyPair;
};

export function anAgent(name: string, random: Random): Agent {
  const [key, next, sponsor] = [generateKeyPair(random), generateKeyPair(random), generateKeyPair(random)];
  const inception = writeInception({ name, key, next: next.publicKey, sponsor, at: NOW });
  const identity = unwrap(foldIdentity([inception]), 'an inception');
  return { identity, did: identity.did, key, next, sponsor };
}

/** A node, what it knows, and how it looks at frames. */
export class TestNode implements SealingNode {
  readonly pair: KeyPair;
  readonly epoch: Epoch;
  readonly directory = new Directory();
  readonly sessions = new Sessions(100);
  readonly pending = new Pending();
  readonly hosted = new Set<Did>();
  /** The certificates by which this node speaks. */
  readonly certificates = new Map<Did, Cid>();
  readonly checks: Check[] = [];
  readonly random: Random;
  sessionless: Sessionless | undefined;
  terms: Terms;

  constructor(random: Random, pair: KeyPair = generateKeyPair(random)) {
    this.random = random;
    this.pair = pair;
    this.epoch = random.bytes(8) as Epoch;
    this.terms = {
      contracts: [aDigest('contract')],
      encryption: 'none',
      head: { origin: aDigest('origin'), root: aDigest('root'), size: 7 },
    };
  }

  get did(): Did {
    return nodeDid(this.pair.publicKey);
  }

  /** The certificate by which this node speaks for the agent, known to `audience`. */
  host(agent: Agent, audience: readonly TestNode[], at: Millis = NOW): Cid {
    this.hosted.add(agent.did);
    const statement = writeCertificate(
      { agent: agent.did, node: this.did, epoch: this.epoch, issued: at, expires: (at + 3_600_000) as Millis },
      agent.key,
    );
    for (const node of audience) {
      for (const told of [...agent.identity.history, statement]) unwrap(node.directory.learn(told, at), 'a statement');
    }
    return unwrap(readCertificate(statement), 'a certificate').cid;
  }

  view(): NodeView {
    return {
      key: this.pair.publicKey,
      epoch: this.epoch,
      session: (id) => this.sessions.find(id),
      sessionless: this.sessionless,
      isHosted: (agent) => this.hosted.has(agent),
      subject: (did) => this.directory.subject(did),
      certificate: (cid) => this.directory.certificate(cid),
      isWithdrawn: (cid) => this.directory.isWithdrawn(cid),
      awaited: (request) => this.pending.find(request),
      checks: this.checks,
    };
  }
}

/** A session in each of two nodes. */
export function meet(a: TestNode, b: TestNode, at: Millis = NOW): { readonly ofA: Session; readonly ofB: Session } {
  const hello = sayHello(a, { to: b.did, terms: a.terms, at }, a.random);
  const answer = { frame: hello.frame, terms: b.terms, at, mayMeet: () => true };
  const welcome = unwrap(answerHello(b, answer, b.random), 'a hello');
  const confirm = unwrap(answerWelcome(a, hello.greeting, { frame: welcome.frame, at }), 'a welcome');
  const ofB = unwrap(answerConfirm(b, welcome.welcoming, { frame: confirm.frame, at }), 'a confirm');
  a.sessions.add(confirm.session, at);
  b.sessions.add(ofB, at);
  return { ofA: confirm.session, ofB };
}

export type World = {
  readonly random: Random;
  readonly a: TestNode;
  readonly b: TestNode;
  readonly ask: Agent;
  readonly quote: Agent;
  readonly certificate: Cid;
  readonly answering: Cid;
  readonly session: { readonly ofA: Session; readonly ofB: Session };
};

export function aWorld(seed: string, encryption: Encryption = 'none'): World {
  const random = seededRandom(seed);
  const [a, b] = [new TestNode(random), new TestNode(random)];
  for (const node of [a, b]) node.terms = { ...node.terms, encryption };
  const [ask, quote] = [anAgent('ask', random), anAgent('quote', random)];
  const certificate = a.host(ask, [a, b]);
  const answering = b.host(quote, [a, b]);
  return { random, a, b, ask, quote, certificate, answering, session: meet(a, b) };
}

function aUuid(random: Random): EventId {
  return toHex(random.bytes(16)).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') as EventId;
}

/** Claims of one agent to another, over the node that hosts it. */
export function aClaim(node: TestNode, from: Agent, to: Agent, at: Millis): Omit<Claims, 'body'> {
  const certificate = node.certificates.get(from.did);
  return {
    ...(certificate === undefined ? {} : { certificate }),
    chain: [],
    command: '/quote/price',
    correlation: aUuid(node.random),
    deadline: (at + 60_000) as Millis,
    delegation: [],
    from: from.did,
    head: { origin: aDigest('origin'), root: aDigest('root'), size: 7 },
    id: aUuid(node.random),
    to: to.did,
  };
}

/** Members to set; `undefined` leaves one out. */
export type Changes = { readonly [K in keyof Claims]?: Claims[K] | undefined };

/** Claims of `ask` to `quote`, over A. */
function someClaims(world: World, over: Changes = {}): Omit<Claims, 'body'> {
  const claims = {
    certificate: world.certificate,
    chain: [],
    command: '/quote/price',
    contract: aDigest('contract'),
    correlation: aUuid(world.random),
    deadline: later(60_000),
    delegation: [],
    from: world.ask.did,
    head: { origin: aDigest('origin'), root: aDigest('root'), size: 7 },
    id: aUuid(world.random),
    to: world.quote.did,
    ...over,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined)) as unknown as Omit<
    Claims,
    'body'
  >;
}

export function aMessage(
  world: World,
  over: { readonly kind?: Kind; readonly claims?: Changes; readonly content?: Uint8Array } = {},
): Message {
  const { kind = 'ask', content = utf8('{"sku":"7"}') } = over;
  const claims = someClaims(world, over.claims);
  return composeMessage({ kind, claims, media: 'application/json', content }, world.random);
}

/** One frame of a message from A to B, over their session. */
export function aFrame(world: World, message: Message = aMessage(world), at: Millis = NOW): Uint8Array {
  const [frame] = sealMessages([{ message, route: { type: 'session', session: world.session.ofA } }], world.a, at);
  if (frame === undefined) throw new Error('expected a frame');
  return frame;
}

export function didOf(pair: KeyPair): Did {
  return formatDidKey(pair.publicKey);
}
