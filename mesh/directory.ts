/**
 * What a node knows of others: histories, certificates, withdrawals and cards, folded from signed statements, whoever brought
 * them. Every entry has been verified; nothing is ever fetched.
 *
 * D1. A statement is taken only if what it builds on is known: a history begins with its inception, a certificate or card
 *     needs the identity that signed it. Whoever presents brings both, in order.
 * D2. Learning is monotone: a revocation or withdrawal stays, whatever comes later; a history only grows.
 * D3. The directory is bounded, in all, per agent, and per node that is the first to tell of an identity, so that none keeps
 *     another out. When it is full, what is new is
 *     refused; ended certificates make room by themselves, and of one agent's the oldest makes room for a newer.
 */
import type { Cid } from '../runtime/codec/cid.ts';
import type { Did } from '../runtime/codec/did.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { type AgentCard, checkCard, readCard } from './agent-card.ts';
import { isDidMesh } from './did-mesh.ts';
import {
  checkWithdrawal,
  type Hosting,
  isSignedInForce,
  keySubject,
  readCertificate,
  readWithdrawal,
  type Subject,
} from './hosting.ts';
import { type Identity, incept, learn, statementSubject } from './identity.ts';
import { CERTIFICATE_MS_MAX, DIRECTORY_MAX, IDENTITIES_PER_NODE_MAX, PER_AGENT_MAX } from './limits.ts';
import { claimedType, type Statement } from './statement.ts';
import type { NodeToken } from './subject.ts';

/** What a statement taught. */
export type Learned = {
  readonly type: 'identity' | 'certificate' | 'withdrawal' | 'card';
  readonly about: Did;
  /** False if all of it was known. */
  readonly isNews: boolean;
  /** Which certificate, where it taught one. */
  readonly certificate?: Cid;
};

export class Directory {
  readonly #identities = new Map<Did, Identity>();
  readonly #certificates = new Map<Cid, Statement<Hosting>>();
  /** Until when the certificate could have been used: after that, neither matters. */
  readonly #withdrawn = new Map<Cid, { readonly agent: Did; readonly until: Millis }>();
  readonly #cards = new Map<Did, Statement<AgentCard>>();
  /** How many identities each node was the first to tell of. */
  readonly #perNodeMax: number;
  readonly #toldBy = new Map<NodeToken, number>();
  readonly #onIdentity: (did: Did, statement: Uint8Array) => void;

  /** `onIdentity` hears of every statement that changed what is known of an identity, in their order. */
  constructor(
    onIdentity: (did: Did, statement: Uint8Array) => void = () => undefined,
    identitiesPerNodeMax = IDENTITIES_PER_NODE_MAX,
  ) {
    this.#onIdentity = onIdentity;
    this.#perNodeMax = identitiesPerNodeMax;
  }

  /** Takes one statement in (D1); `from`: the node that shows it, if it is another (D3). */
  learn(statement: Uint8Array, at: Millis, from?: NodeToken): Result<Learned, Refusal> {
    switch (claimedType(statement)) {
      case 'did-mesh/1/inception':
        return this.#learnInception(statement, from);
      case 'did-mesh/1/rotation':
      case 'did-mesh/1/revocation':
        return this.#learnMore(statement);
      case 'iatp-mesh/1/hosting':
        return this.#learnCertificate(statement, at);
      case 'iatp-mesh/1/withdrawal':
        return this.#learnWithdrawal(statement, at);
      case 'iatp-mesh/1/card':
        return this.#learnCard(statement, at);
      default:
        return err({ code: 'statement.malformed', message: 'expected a signed statement of a known type' });
    }
  }

  /** Whom a DID names: a did:key itself, a did:mesh by its history. */
  subject(did: Did): Subject | undefined {
    if (!isDidMesh(did)) {
      const key = keySubject(did);
      return key.ok ? key.value : undefined;
    }
    const identity = this.#identities.get(did);
    return identity === undefined ? undefined : { type: 'mesh', identity };
  }

  certificate(certificate: Cid): Statement<Hosting> | undefined {
    return this.#certificates.get(certificate);
  }

  /** The newest certificate of an agent that was not withdrawn and has not ended: where it is. */
  newestCertificate(agent: Did, at: Millis): Statement<Hosting> | undefined {
    return this.#certificates
      .values()
      .filter(({ cid, value }) => value.agent === agent && at <= value.expires && !this.#withdrawn.has(cid))
      .reduce<Statement<Hosting> | undefined>(
        (newest, next) => (newest === undefined || next.value.issued >= newest.value.issued ? next : newest),
        undefined,
      );
  }

  isWithdrawn(certificate: Cid): boolean {
    return this.#withdrawn.has(certificate);
  }

  card(agent: Did): Statement<AgentCard> | undefined {
    return this.#cards.get(agent);
  }

  /** Cards in the order in which their agents became known. */
  cards(): Iterable<Statement<AgentCard>> {
    return this.#cards.values();
  }

  /** Forgets certificates and withdrawals that time has made meaningless. */
  expire(at: Millis): void {
    for (const [cid, { value }] of this.#certificates) if (at > value.expires) this.#certificates.delete(cid);
    for (const [cid, { until }] of this.#withdrawn) if (at > until) this.#withdrawn.delete(cid);
  }

  /** Whether one more of an agent's may be kept (D3). Counting is linear, and statements are rare: one an hour and agent. */
  #hasRoom<T>(kept: ReadonlyMap<Cid, T>, isOfAgent: (value: T) => boolean, at: Millis): boolean {
    const isFull = (): boolean =>
      kept.size >= DIRECTORY_MAX ||
      kept.values().filter(isOfAgent).take(PER_AGENT_MAX).toArray().length >= PER_AGENT_MAX;
    if (isFull()) this.expire(at);
    return !isFull();
  }

  /** A node that starts again and again gets a certificate each time: the newest are the ones in use. */
  #oldestOf(agent: Did): Statement<Hosting> | undefined {
    const kept = this.#certificates.values().filter(({ value }) => value.agent === agent);
    return kept.reduce<Statement<Hosting> | undefined>(
      (oldest, next) => (oldest === undefined || next.value.issued < oldest.value.issued ? next : oldest),
      undefined,
    );
  }

  #learnInception(statement: Uint8Array, from: NodeToken | undefined): Result<Learned, Refusal> {
    const incepted = incept(statement);
    if (!incepted.ok) return incepted;
    const { did } = incepted.value;
    if (this.#identities.has(did)) return ok({ type: 'identity', about: did, isNews: false });
    const told = from === undefined ? 0 : (this.#toldBy.get(from) ?? 0);
    if (this.#identities.size >= DIRECTORY_MAX || told >= this.#perNodeMax) return full();
    if (from !== undefined) this.#toldBy.set(from, told + 1);
    this.#identities.set(did, incepted.value);
    this.#onIdentity(did, statement);
    return ok({ type: 'identity', about: did, isNews: true });
  }

  #learnMore(statement: Uint8Array): Result<Learned, Refusal> {
    const about = statementSubject(statement);
    if (!about.ok) return about;
    const identity = this.#identities.get(about.value);
    if (identity === undefined) return unknown(about.value);
    const learned = learn(identity, statement);
    if (!learned.ok) return learned;
    const isNews = learned.value !== identity;
    this.#identities.set(about.value, learned.value);
    if (isNews) this.#onIdentity(about.value, statement);
    return ok({ type: 'identity', about: about.value, isNews });
  }

  #learnCertificate(statement: Uint8Array, at: Millis): Result<Learned, Refusal> {
    const read = readCertificate(statement);
    if (!read.ok) return read;
    const { agent } = read.value.value;
    const subject = this.subject(agent);
    if (subject === undefined) return unknown(agent);
    if (at > read.value.value.expires)
      return err({ code: 'certificate.expired', message: `expected one in force at ${at}` });
    if (!isSignedInForce(read.value, subject)) {
      return err({
        code: 'certificate.wrong_key',
        message: `expected the key of ${agent} that is in force to have signed`,
      });
    }
    const learned = { type: 'certificate', about: agent, certificate: read.value.cid } as const;
    if (this.#certificates.has(read.value.cid)) return ok({ ...learned, isNews: false });
    const isOfAgent = ({ value }: Statement<Hosting>): boolean => value.agent === agent;
    if (!this.#hasRoom(this.#certificates, isOfAgent, at)) {
      const oldest = this.#oldestOf(agent);
      if (oldest === undefined || oldest.value.issued >= read.value.value.issued) return full();
      this.#certificates.delete(oldest.cid);
    }
    this.#certificates.set(read.value.cid, read.value);
    return ok({ ...learned, isNews: true });
  }

  #learnWithdrawal(statement: Uint8Array, at: Millis): Result<Learned, Refusal> {
    const read = readWithdrawal(statement);
    if (!read.ok) return read;
    const { agent, certificate } = read.value.value;
    const subject = this.subject(agent);
    if (subject === undefined) return unknown(agent);
    const entitled = checkWithdrawal(read.value.signers.keys(), subject);
    if (!entitled.ok) return entitled;
    const known = this.#certificates.get(certificate);
    if (known !== undefined && known.value.agent !== agent) {
      return err({ code: 'certificate.other_agent', message: `expected a certificate of ${agent}` });
    }
    if (this.#withdrawn.has(certificate)) return ok({ type: 'withdrawal', about: agent, isNews: false });
    if (!this.#hasRoom(this.#withdrawn, (other) => other.agent === agent, at)) return full();
    const until = known?.value.expires ?? ((at + CERTIFICATE_MS_MAX) as Millis);
    this.#withdrawn.set(certificate, { agent, until });
    return ok({ type: 'withdrawal', about: agent, isNews: true });
  }

  #learnCard(statement: Uint8Array, at: Millis): Result<Learned, Refusal> {
    const read = readCard(statement);
    if (!read.ok) return read;
    const { agent, revision } = read.value.value;
    const subject = this.subject(agent);
    if (subject === undefined) return unknown(agent);
    const checked = checkCard(read.value, subject, at);
    if (!checked.ok) return checked;
    const known = this.#cards.get(agent);
    if (known === undefined && this.#cards.size >= DIRECTORY_MAX) return full();
    const isNews = known === undefined || revision > known.value.revision;
    if (isNews) this.#cards.set(agent, read.value);
    return ok({ type: 'card', about: agent, isNews });
  }
}

function unknown(did: Did): Result<never, Refusal> {
  return err({ code: 'did.unknown', message: `expected the history of ${did} first` });
}

function full(): Result<never, Refusal> {
  return err({ code: 'directory.full', message: `expected at most ${DIRECTORY_MAX} entries` });
}
