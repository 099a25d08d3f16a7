/** A realm with an operator and agents, who delegate to one another. */
import type { Did } from '../../runtime/codec/did.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { generateKeyPair, type KeyPair } from '../../runtime/codec/ed25519.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Random } from '../../runtime/core/random.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { Directory } from '../directory.ts';
import type { Subject } from '../hosting.ts';
import { type Revocable, writeRevocationOf } from '../revocation/revocation.ts';
import { Revocations } from '../revocation/revocations.ts';
import { later, NOW } from '../world.fixture.ts';
import { realmAuthority } from './authority.ts';
import type { DelegationView, Invocation } from './chain.ts';
import { type Delegation, type DelegationClaims, readDelegation, writeDelegation } from './delegation.ts';
import { Delegations, type DelegationsParts } from './delegations.ts';
import type { DelegationParts } from './gate.ts';
import { Ledger } from './ledger.ts';
import { type DelegationTerms, mint } from './mint.ts';

/** Somebody with a key. */
export type Party = { readonly did: Did; readonly pair: KeyPair };

function aParty(random: Random): Party {
  const pair = generateKeyPair(random);
  return { did: formatDidKey(pair.publicKey), pair };
}

/** What one party says to the next, beside what a test changes. */
export const PLAIN = { command: '/tool', notBefore: NOW, expires: later(900_000), depth: 7 } as const;

export class Realm {
  readonly random: Random;
  readonly operator: Party;
  readonly directory = new Directory();
  readonly revocations = new Revocations(() => true);
  readonly ledger = new Ledger();
  readonly authority: DelegationsParts;
  readonly delegations: Delegations;
  heardAt: Millis = NOW;
  readonly #subjects = new Map<Did, Subject | undefined>();

  constructor(seed: string | number) {
    this.random = seededRandom(seed);
    this.operator = aParty(this.random);
    this.authority = realmAuthority({
      subject: (did) => this.subject(did),
      operators: new Set([this.operator.did]),
      revocations: this.revocations,
    });
    this.delegations = new Delegations(this.authority);
  }

  /** Admitting a did:key costs a millisecond: once is enough for a test. */
  subject(did: Did): Subject | undefined {
    if (did.startsWith('did:mesh:')) return this.directory.subject(did);
    if (!this.#subjects.has(did)) this.#subjects.set(did, this.directory.subject(did));
    return this.#subjects.get(did);
  }

  party(): Party {
    return aParty(this.random);
  }

  get parts(): DelegationParts {
    return {
      authority: this.authority,
      delegations: this.delegations,
      ledger: this.ledger,
      heardAt: () => this.heardAt,
    };
  }

  get view(): DelegationView {
    return { ...this.authority, heardAt: this.heardAt, spent: (cid) => this.ledger.spent(cid) };
  }

  /** A link as `mint` makes it. */
  async link(
    from: Party,
    to: Party,
    parent: readonly Delegation[] = [],
    over: Partial<DelegationTerms> = {},
  ): Promise<Delegation> {
    const depth = (parent.at(-1)?.claims.dep ?? PLAIN.depth + 1) - 1;
    const terms = { ...PLAIN, depth, issuer: from.did, audience: to.did, ...over };
    const token = unwrap(await mint(terms, parent, { pair: from.pair, random: this.random }), 'terms');
    return await this.read(token);
  }

  /** A link with any claims, as an enemy makes it. */
  async forged(claims: DelegationClaims, by: Party): Promise<Delegation> {
    return await this.read(await writeDelegation(claims, by.pair));
  }

  async read(token: string): Promise<Delegation> {
    return unwrap(await readDelegation(token, (did) => this.subject(did)), 'a delegation');
  }

  /** A chain of links from the operator on, one to each party. */
  async chain(
    parties: readonly Party[],
    over: readonly Partial<DelegationTerms>[] = [],
  ): Promise<readonly Delegation[]> {
    const chain: Delegation[] = [];
    let from = this.operator;
    for (const [n, to] of parties.entries()) {
      chain.push(await this.link(from, to, chain, over[n] ?? {}));
      from = to;
    }
    return chain;
  }

  async learn(chain: readonly Delegation[]): Promise<void> {
    for (const { token } of chain) unwrap(await this.delegations.learn(token, NOW), 'a delegation');
  }

  revoke(target: Revocable, by: Party): void {
    const statement = writeRevocationOf({ at: NOW, reason: 'lost', target }, by.pair);
    unwrap(this.revocations.learn(statement), 'a revocation');
  }
}

/** The use of a tool by `party`. */
export function anAct(party: Party, over: Partial<Invocation> = {}): Invocation {
  return { agent: party.did, command: '/tool/mail/send', args: { to: 'ann' }, risk: 1, cost: { calls: 1 }, ...over };
}
