/**
 * The delegations that a node knows, each with the chain above it.
 *
 * S1. One is taken only if its chain holds together: its parent is known, and at the top stands a root. So nobody fills this
 *     but who was given something, and of one issuer there is a bounded share.
 * S2. A chain is put together once per revocation epoch, and kept with its last link: the content id of the last link
 *     commits to all of them. Keys in force and everything about the act are asked at every use.
 */
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import { CHAINS_TRIED_MAX, DELEGATIONS_MAX, DELEGATIONS_PER_ISSUER_MAX } from '../limits.ts';
import {
  type Authority,
  type Composed,
  composeChain,
  type DelegationView,
  type Grant,
  type Invocation,
  verifyUse,
} from './chain.ts';
import { covers } from './command.ts';
import { type Delegation, readDelegation } from './delegation.ts';
import { satisfies } from './predicate.ts';

type Kept = {
  readonly chain: readonly Delegation[];
  composed: { readonly epoch: number; readonly result: Result<Composed, Refusal> };
};

export type DelegationsParts = Authority & {
  /** Whether chains may begin with this DID for any command at all. */
  readonly mayBegin: (did: Did) => boolean;
  /** Moves with every revocation (S2). */
  readonly epoch: () => number;
};

export class Delegations {
  readonly #parts: DelegationsParts;
  readonly #kept = new Map<Cid, Kept>();
  readonly #byAudience = new Map<Did, Set<Cid>>();
  readonly #perIssuer = new Map<Did, number>();
  readonly #max: { readonly all: number; readonly perIssuer: number };

  constructor(parts: DelegationsParts, max = { all: DELEGATIONS_MAX, perIssuer: DELEGATIONS_PER_ISSUER_MAX }) {
    this.#parts = parts;
    this.#max = max;
  }

  /** Takes one token in (S1). One that is known already is no news. */
  async learn(
    token: string,
    at: Millis,
  ): Promise<Result<{ readonly delegation: Delegation; readonly isNews: boolean }, Refusal>> {
    const read = await readDelegation(token, this.#parts.subject);
    if (!read.ok) return read;
    const delegation = read.value;
    const known = this.#kept.get(delegation.cid);
    if (known !== undefined) return ok({ delegation, isNews: false });
    const chain = this.#chainFor(delegation);
    if (!chain.ok) return chain;
    const result = composeChain(chain.value, this.#parts);
    if (!result.ok) return result;
    if (at >= result.value.expires) {
      return err({
        code: 'delegation.expired',
        message: `expected to be valid at ${at}, found until ${result.value.expires}`,
      });
    }
    if (!this.#hasRoom(delegation.claims.iss, at)) {
      return err({ code: 'delegation.full', message: `expected room for a delegation of ${delegation.claims.iss}` });
    }
    this.#keep(delegation, { chain: chain.value, composed: { epoch: this.#parts.epoch(), result } });
    return ok({ delegation, isNews: true });
  }

  /** The chain that ends in this delegation, root first. */
  chain(delegation: Cid): readonly Delegation[] | undefined {
    return this.#kept.get(delegation)?.chain;
  }

  /** Whether exactly this chain, root first, allows the act. */
  verify(cids: readonly Cid[], invocation: Invocation, at: Millis, view: DelegationView): Result<Grant, Refusal> {
    const last = cids.at(-1);
    if (last === undefined) return err({ code: 'delegation.none', message: 'expected a delegation, found none' });
    const kept = this.#kept.get(last);
    if (kept === undefined) {
      return err({
        code: 'delegation.unknown',
        message: `expected a delegation that was presented before, found ${last}`,
      });
    }
    const isExact = kept.chain.length === cids.length && kept.chain.every(({ cid }, n) => cid === cids[n]);
    if (!isExact) return err({ code: 'delegation.broken_chain', message: `expected the chain of ${last}, root first` });
    const composed = this.#composed(kept);
    return composed.ok ? verifyUse(composed.value, invocation, at, view) : composed;
  }

  /** The newest chain of the acting agent that allows the act; else why the nearest one does not. Nearest is one that would
   *  have allowed it, and has ended or is spent; then one for this command. */
  find(invocation: Invocation, at: Millis, view: DelegationView): Result<Grant, Refusal> {
    const none = `expected a delegation to ${invocation.agent}, found none`;
    let nearest: Refusal = { code: 'delegation.none', message: none };
    let nearness: Nearness = 0;
    let [tried, looked] = [0, 0];
    for (const cid of [...(this.#byAudience.get(invocation.agent) ?? [])].reverse()) {
      const kept = this.#kept.get(cid);
      if (kept === undefined) continue;
      const composed = this.#composed(kept);
      const verified = composed.ok ? verifyUse(composed.value, invocation, at, view) : composed;
      if (verified.ok) return verified;
      if (!isFor(kept.chain, invocation)) {
        if (nearest.code === 'delegation.none' && composed.ok) nearest = verified.error;
        continue;
      }
      looked += 1;
      if (composed.ok) tried += 1; // those that were revoked must not stand in the way
      const near = looked > CHAINS_TRIED_MAX ? 0 : nearnessOf(kept.chain, invocation, composed.ok);
      if (near > nearness) [nearest, nearness] = [verified.error, near];
      if (tried >= CHAINS_TRIED_MAX) break;
    }
    return err(nearest);
  }

  /** The delegations to an agent. */
  to(agent: Did): readonly Cid[] {
    return [...(this.#byAudience.get(agent) ?? [])];
  }

  /** Forgets what time has made worthless. */
  expire(at: Millis): void {
    for (const [cid, { chain }] of this.#kept) {
      if (chain.every(({ claims }) => at < claims.exp * 1000)) continue;
      this.#forget(cid, chain.at(-1));
    }
  }

  /** S2. What was revoked stays so. */
  #composed(kept: Kept): Result<Composed, Refusal> {
    const epoch = this.#parts.epoch();
    const { composed } = kept;
    const isOver = !composed.result.ok && composed.result.error.code === 'delegation.revoked';
    if (composed.epoch !== epoch && !isOver) {
      kept.composed = { epoch, result: composeChain(kept.chain, this.#parts) };
    }
    return kept.composed.result;
  }

  #chainFor(delegation: Delegation): Result<readonly Delegation[], Refusal> {
    const { prf, iss } = delegation.claims;
    if (prf === undefined) {
      if (this.#parts.mayBegin(iss)) return ok([delegation]);
      return err({ code: 'delegation.no_root', message: `expected a root, found ${iss}` });
    }
    const parent = this.#kept.get(prf);
    if (parent !== undefined) return ok([...parent.chain, delegation]);
    return err({ code: 'delegation.unknown', message: `expected the parent ${prf} first` });
  }

  #hasRoom(issuer: Did, at: Millis): boolean {
    const isFull = (): boolean =>
      this.#kept.size >= this.#max.all || (this.#perIssuer.get(issuer) ?? 0) >= this.#max.perIssuer;
    if (isFull()) this.expire(at);
    return !isFull();
  }

  #keep({ cid, claims }: Delegation, kept: Kept): void {
    this.#kept.set(cid, kept);
    this.#perIssuer.set(claims.iss, (this.#perIssuer.get(claims.iss) ?? 0) + 1);
    const ofAudience = this.#byAudience.get(claims.aud);
    if (ofAudience === undefined) this.#byAudience.set(claims.aud, new Set([cid]));
    else ofAudience.add(cid);
  }

  #forget(cid: Cid, last: Delegation | undefined): void {
    this.#kept.delete(cid);
    if (last === undefined) return;
    const { iss, aud } = last.claims;
    const left = (this.#perIssuer.get(iss) ?? 1) - 1;
    if (left === 0) this.#perIssuer.delete(iss);
    else this.#perIssuer.set(iss, left);
    const ofAudience = this.#byAudience.get(aud);
    ofAudience?.delete(cid);
    if (ofAudience?.size === 0) this.#byAudience.delete(aud);
  }
}

/** How near a chain comes to allowing an act: not at all, for its command, but for having ended or being spent. */
type Nearness = 0 | 1 | 2;

function nearnessOf(chain: readonly Delegation[], { args }: Invocation, isInForce: boolean): Nearness {
  const predicates = chain.flatMap(({ claims }) => claims.pol);
  if (satisfies(predicates, args).ok) return 2;
  return isInForce ? 1 : 0;
}

/** Whether every link covers the command. */
function isFor(chain: readonly Delegation[], { command }: Invocation): boolean {
  return chain.every(({ claims }) => covers(claims.cmd, command));
}
