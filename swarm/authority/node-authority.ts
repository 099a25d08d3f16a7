/**
 * The authority of one node: what was given to whom and what was taken back, as far as it knows; how far it trusts whom; and
 * the gates and checks that are made of it.
 *
 * A1. What it knows is on record (`authority-journal.ts`), and verified anew at the next start.
 * A2. Keys of agents stay here: an agent that wants to give something asks for it, and gives a part of what it has.
 * A3. A delegation is on disk before anybody is told of it.
 * A4. What has ended is remembered for a while, so that whoever comes late is told that it has ended.
 * A5. Nobody whom the realm's roster does not name is put on record.
 * A6. What is handed in to be taken back counts by its own signature, whoever hands it in. What is refused is on record, ten a
 *     minute.
 */
import type { Check } from '../../mesh/admit.ts';
import { realmAuthority, restoreAuthority } from '../../mesh/delegation/authority.ts';
import type { Delegation } from '../../mesh/delegation/delegation.ts';
import { Delegations, type DelegationsParts } from '../../mesh/delegation/delegations.ts';
import { type DelegationParts, delegationCheck, delegationGate } from '../../mesh/delegation/gate.ts';
import { Ledger } from '../../mesh/delegation/ledger.ts';
import { learnDelegations } from '../../mesh/delegation/presentation.ts';
import { Directory } from '../../mesh/directory.ts';
import type { Chains } from '../../mesh/link/chains.ts';
import { Buckets } from '../../mesh/link/tally.ts';
import { revocationCheck } from '../../mesh/revocation/check.ts';
import { RevocationFeed } from '../../mesh/revocation/feed.ts';
import { readRevocation } from '../../mesh/revocation/revocation.ts';
import { type RevocationHead, type RevocationLearned, Revocations } from '../../mesh/revocation/revocations.ts';
import { doubtIn, isKnown } from '../../mesh/revocation/standing.ts';
import { classOf, trustNeeded } from '../../mesh/trust/gate.ts';
import { type Required, Trust, type Verified } from '../../mesh/trust/trust.ts';
import { delegate } from '../../runtime/actor/delegate-tool.ts';
import type { Pay } from '../../runtime/actor/remote.ts';
import { type ProvidedTool, provide, ToolError } from '../../runtime/actor/tool.ts';
import { type Cid, parseCid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { EventId, StreamId } from '../../runtime/codec/record.ts';
import { assert } from '../../runtime/core/assert.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { EventLog, NewEvent } from '../../runtime/log/event-log.ts';
import { AuthorityJournal } from './authority-journal.ts';
import { type Grant, mintFrom, type Signer } from './mint-from.ts';
import type { TakenBack } from './taken-back.ts';
import { type ContractOf, riskOfAsked, trustCheck, trustForAsked } from './trust-check.ts';

export type NodeAuthorityParts = {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  /** Who begins chains. */
  readonly operator: Did;
  /** The agents of the realm. */
  readonly members: ReadonlyMap<string, Did>;
  /** The agents of this node whose keys it keeps. */
  readonly signers: ReadonlyMap<string, Signer>;
  /** The nodes whose word on revocations is the realm's. Default: this one, which is then never behind. */
  readonly sources?: ReadonlySet<Did>;
  /** This node. */
  readonly node: Did;
};

/** A6. */
const REFUSED_RATE = { count: 10, periodMs: 60_000, burst: 10 } as const;
/** A4. */
const LAPSED_KEPT_MS = 24 * 60 * 60_000;
const SWEEP_MS = 60_000;
const NOTHING_PAID = ok([]);

export class NodeAuthority {
  readonly directory: Directory;
  readonly revocations = new Revocations(() => true); // whom the roster lets in is known
  readonly delegations: Delegations;
  readonly ledger = new Ledger();
  /** Before every act of this node's agents. */
  readonly gate: ReturnType<typeof delegationGate>;
  /** `authority.delegate`, for its agents. */
  readonly tool: ProvidedTool;
  readonly #parts: NodeAuthorityParts;
  readonly #journal: AuthorityJournal;
  readonly #authority: DelegationsParts;
  readonly #feed: RevocationFeed;
  readonly #isSource: boolean;
  readonly #onKnown = new Map<Did, () => void>();
  readonly #refusals = new Buckets<'anybody'>(REFUSED_RATE);
  #trust: Trust | undefined;
  #send: (content: Uint8Array) => void = () => undefined;
  #sweptAt = 0;

  private constructor(parts: NodeAuthorityParts) {
    const { log, operator, members, sources = new Set([parts.node]) } = parts;
    this.#parts = parts;
    this.#journal = new AuthorityJournal(log, parts);
    const dids = new Set(members.values());
    this.directory = new Directory((did, statement) => {
      if (!dids.has(did)) return; // A5
      this.#journal.identity(did, statement);
      this.#onKnown.get(did)?.();
      this.#onKnown.delete(did);
    });
    this.#authority = realmAuthority({
      subject: (did) => this.directory.subject(did),
      operators: new Set([operator]),
      revocations: this.revocations,
    });
    this.delegations = new Delegations(this.#authority);
    this.#isSource = sources.has(parts.node);
    this.#feed = new RevocationFeed({
      revocations: this.revocations,
      isAuthority: (node) => sources.has(node),
      send: (content) => this.#send(content),
      onNews: (learned, statement) => this.#journal.revoked(learned, statement),
    });
    this.gate = delegationGate({
      ...this.#view,
      trustFor: (action) => trustNeeded(classOf(action, action.risk), action.needs?.trust),
    });
    this.tool = provide(delegate, async (grant, { agent }) => {
      const given = await this.delegate(agent, grant);
      if (given.ok) return given.value;
      throw new ToolError(given.error.code, given.error.message);
    });
  }

  /** Folds what the log has (A1), and puts on record whom this node hosts. */
  static async open(parts: NodeAuthorityParts): Promise<NodeAuthority> {
    const authority = new NodeAuthority(parts);
    await authority.#restore();
    return authority;
  }

  async #restore(): Promise<void> {
    const { log, clock, signers } = this.#parts;
    const at = clock.now();
    for (const statement of this.#journal.statements()) this.directory.learn(statement, at);
    for (const { identity } of signers.values()) {
      for (const statement of identity.history) this.directory.learn(statement, at);
    }
    await this.recorded();
    await restoreAuthority(log, this, (at - LAPSED_KEPT_MS) as Millis);
    this.#trust = new Trust(log, (change) => this.#journal.tier(change));
  }

  get trust(): Trust {
    assert(this.#trust !== undefined, 'an authority that was opened');
    return this.#trust;
  }

  /** Whether somebody, of this node or another, is trusted enough now, as this node's log has it.
   *  `trust.unsponsored` · `trust.too_low` · `trust.too_exposed` */
  verifyPeer(did: Did, required: Omit<Required, 'at'>): Result<Verified, Refusal> {
    return this.trust.verifyPeer(did, { ...required, at: this.#parts.clock.now() });
  }

  /** An agent of the realm, by name. */
  didOf(agent: string): Did | undefined {
    return this.#parts.members.get(agent);
  }

  /** Whether an operator has given the agent everything, until then at least. */
  hasRoot(agent: string, until: Millis): boolean {
    const did = this.didOf(agent);
    return did !== undefined && this.delegations.to(did).some((cid) => this.#isRoot(cid, until));
  }

  #isRoot(cid: Cid, until: Millis): boolean {
    const { operator } = this.#parts;
    const [link, ...more] = this.delegations.chain(cid) ?? [];
    if (link === undefined || more.length > 0 || link.claims.iss !== operator || link.claims.cmd !== '/') return false;
    return link.claims.exp * 1000 >= until && !this.isTakenBack(cid);
  }

  /** Whether the operator has revoked it, known here or not. */
  isTakenBack(delegation: Cid): boolean {
    return [...this.revocations.revokersOf(delegation)].includes(this.#parts.operator);
  }

  /** Puts on record what can be said of an agent as soon as its identity is: at once, or when it is. */
  recordOf(agent: string, stream: StreamId, event: NewEvent): void {
    const did = this.didOf(agent);
    const record = (): void => this.#journal.also(stream, event);
    if (did === undefined || this.directory.subject(did) !== undefined) record();
    else this.#onKnown.set(did, record);
  }

  /** Takes tokens in, root first, as an operator gives them.
   *  @throws {CodedError} `delegation.*` · `jwt.*` */
  async learn(tokens: readonly string[]): Promise<void> {
    for (const token of tokens) {
      const learned = await this.#take(token);
      if (!learned.ok) throw new CodedError(learned.error.code, learned.error.message);
    }
    await this.recorded();
  }

  /** Cuts a delegation out of what an agent of this node has (A2). */
  async delegate(
    by: string,
    grant: Grant,
  ): Promise<Result<{ readonly delegation: Cid; readonly expires: number }, Refusal>> {
    const { signers, clock, random } = this.#parts;
    const audience = this.didOf(grant.to);
    const signer = signers.get(by);
    this.#sweep();
    const minted = await mintFrom({ signer, audience, grant, delegations: this.delegations, at: clock.now(), random });
    if (!minted.ok) return minted;
    const learned = await this.#take(minted.value.token);
    if (!learned.ok) return learned;
    await this.recorded(); // A3
    return { ok: true, value: { delegation: learned.value.cid, expires: minted.value.expires } };
  }

  /** The same for a child, as a node of agents asks for it. */
  async endow(parent: string, child: string, grant: Omit<Grant, 'to'>): Promise<Outcome> {
    const given = await this.delegate(parent, { ...grant, to: child });
    return given.ok ? { type: 'ok', value: given.value } : { type: 'failed', ...given.error };
  }

  /** A revocation made here, or handed in by an operator: it is in force, and on its way to every node. */
  revoke(statement: Uint8Array): Result<RevocationLearned, Refusal> {
    return this.#feed.announce(statement);
  }

  /** A statement that somebody hands in: taken if its own signature says that it is worth something, and on disk when this
   *  resolves, with its effect or with why it has none (A6).
   *  `statement.*` · `revocation.not_entitled` · `revocation.unknown_signer` · `revocation.full` */
  async takeBack(statement: Uint8Array): Promise<Result<TakenBack, Refusal>> {
    const taken = this.#takeBack(statement);
    if (!taken.ok && this.#refusals.take('anybody', this.#parts.clock.now())) {
      const read = readRevocation(statement);
      const whose = read.ok ? { by: [...read.value.signers.keys()], target: read.value.value.target } : undefined;
      this.#journal.revocationRefused(taken.error, whose);
    }
    await this.recorded();
    return taken;
  }

  #takeBack(statement: Uint8Array): Result<TakenBack, Refusal> {
    const read = readRevocation(statement);
    if (!read.ok) return read;
    const { value, signers } = read.value;
    const { target } = value;
    const by = [...signers.keys()];
    const parts = { authority: this.#authority, delegations: this.delegations, members: this.#parts.members.values() };
    const refused = doubtIn(by, target, parts);
    if (refused !== undefined) return err(refused);
    const learned = this.revoke(statement);
    if (!learned.ok) return learned;
    const { isNews } = learned.value;
    return ok({ target, by, isNews, isKnown: isKnown(target, parts), epoch: this.revocations.epoch });
  }

  /** What another node sent about revocations. */
  hearRevocations(content: Uint8Array): void {
    this.#feed.arrived(content);
  }

  /** How revocations leave for every other node. */
  sendRevocationsBy(send: (content: Uint8Array) => void): void {
    this.#send = send;
  }

  /** For heartbeats. */
  get heartbeat(): {
    readonly head: () => RevocationHead;
    readonly beat: (node: Did, head: RevocationHead, at: Millis) => void;
  } {
    return {
      head: () => this.revocations.head(),
      beat: (node, head, at) => this.#feed.beat(node, head, at),
    };
  }

  /** What is asked of every envelope, and what is shown with messages and taken from those of others. `contractOf`: what an
   *  agent of this node answers, and so what trust it wants. */
  linkParts(contractOf: ContractOf): {
    readonly directory: Directory;
    readonly checks: readonly Check[];
    readonly chains: Chains;
  } {
    const { check, debit } = delegationCheck({
      ...this.#view,
      riskOf: (asked) => riskOfAsked(asked, contractOf),
      trustFor: (asked) => trustForAsked(asked, contractOf),
    });
    const checks: Check[] = [
      revocationCheck(this.#authority),
      check,
      trustCheck(this.trust, this.delegations, contractOf),
    ];
    return {
      directory: this.directory,
      checks,
      chains: {
        toShow: ({ delegations, from }, to) => this.#toShow(delegations ?? [], from.did, to),
        learn: (content, at) => this.#hearDelegations(content, at),
        recorded: () => this.recorded(),
        pay: (admitted, at) =>
          this.#payOnce(eventIdOf('debited', admitted.claims.from, admitted.claims.id), () => debit(admitted, at)),
      },
    };
  }

  /** What a message between two agents of this node takes of the chain that it was allowed under (`NodeParts.pay`). */
  pay(action: Action, chain: readonly string[]): ReturnType<Pay> {
    const at = this.#parts.clock.now();
    const id = eventIdOf('debited', action.actor, action.key);
    return this.#payOnce(id, () => this.gate.debit(action, chain as readonly Cid[], at));
  }

  #payOnce(id: EventId, debit: () => ReturnType<NodeAuthority['gate']['debit']>): ReturnType<Pay> {
    if (this.#parts.log.find(id) !== undefined) return NOTHING_PAID; // by a version that paid before it accepted
    const debited = debit();
    if (!debited.ok) return debited;
    return debited.value === undefined ? NOTHING_PAID : ok([this.#journal.debited(debited.value, id)]);
  }

  /** Resolves when all that it learned is on disk. */
  async recorded(): Promise<void> {
    if (this.#trust !== undefined) void this.#trust.asOf; // what the last events mean is part of it
    await this.#journal.recorded();
  }

  get #view(): DelegationParts {
    return {
      authority: this.#authority,
      delegations: this.delegations,
      ledger: this.ledger,
      heardAt: () => (this.#isSource ? this.#parts.clock.now() : this.revocations.heardAt),
    };
  }

  async #take(token: string): Promise<Result<Delegation, Refusal>> {
    const learned = await this.delegations.learn(token, this.#parts.clock.now());
    if (!learned.ok) return learned;
    const { delegation, isNews } = learned.value;
    if (isNews) this.#journal.granted(delegation);
    return { ok: true, value: delegation };
  }

  async #hearDelegations(content: Uint8Array, at: Millis): Promise<readonly Refusal[]> {
    this.#sweep();
    const refused: Refusal[] = [];
    for (const learned of await learnDelegations(content, this.delegations, at)) {
      if (!learned.ok) refused.push(learned.error);
      else if (learned.value.isNews) this.#journal.granted(learned.value.delegation);
    }
    return refused;
  }

  /** The chain that a message names, and all that its sender has given to whom it is for. */
  #toShow(named: readonly string[], from: Did, to: Did): readonly (readonly Delegation[])[] {
    const now = this.#parts.clock.now();
    const given = this.delegations.to(to).flatMap((cid) => {
      const chain = this.delegations.chain(cid);
      const isIts = chain?.at(-1)?.claims.iss === from;
      return isIts && chain.every(({ claims }) => now < claims.exp * 1000) ? [chain] : [];
    });
    const last = named.length === 0 ? undefined : parseCid(named.at(-1) ?? '');
    const chain = last?.ok === true ? this.delegations.chain(last.value) : undefined;
    return chain === undefined ? given : [chain, ...given];
  }

  /** A4. */
  #sweep(): void {
    const now = this.#parts.clock.now();
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    this.delegations.expire((now - LAPSED_KEPT_MS) as Millis);
    this.ledger.forget((cid) => this.delegations.chain(cid) !== undefined);
  }
}
