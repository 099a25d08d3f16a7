/**
 * What a statement is worth that somebody hands in, as far as is known here. Every use asks that anew, with the chain at hand
 * (`delegation/chain.ts` R10, `check.ts`); this is so that whoever hands it in hears at once what it is worth.
 */
import type { Did } from '../../runtime/codec/did.ts';
import type { Refusal } from '../../runtime/core/result.ts';
import { type Authority, speaksFor } from '../delegation/chain.ts';
import type { Delegations } from '../delegation/delegations.ts';
import type { Revocable } from './revocation.ts';

export type StandingParts = {
  readonly authority: Authority;
  readonly delegations: Pick<Delegations, 'chain' | 'to'>;
  /** The agents of the realm. */
  readonly members: Iterable<Did>;
};

/** Why nobody of these may end the target. What is not known here may be known elsewhere: of that, whoever belongs to the realm
 *  may say that it is over, and who knows it asks whether he could.
 *  `revocation.not_entitled` · `revocation.unknown_signer` */
export function doubtIn(by: readonly Did[], target: Revocable, parts: StandingParts): Refusal | undefined {
  const { authority, delegations, members } = parts;
  const last = isDid(target) ? delegations.to(target) : [target];
  const links = last.flatMap((cid) => delegations.chain(cid) ?? []);
  const parties = new Set(links.flatMap(({ claims }) => [claims.iss, claims.aud]));
  if (isDid(target)) parties.add(target);
  const isOne = (signer: Did, of: Iterable<Did>): boolean => [...of].some((did) => speaksFor(signer, did, authority));
  if (by.some((signer) => authority.isOperator(signer) || isOne(signer, parties))) return undefined;
  if (isKnown(target, parts)) {
    const message = `expected a party of ${target}, its sponsor or an operator, found ${by.join(' and ')}`;
    return { code: 'revocation.not_entitled', message };
  }
  if (by.some((signer) => isOne(signer, members))) return undefined;
  return { code: 'revocation.unknown_signer', message: `expected a known signer, found ${by.join(' and ')}` };
}

/** Whether it is known here, in force or not. */
export function isKnown(target: Revocable, { authority, delegations }: Omit<StandingParts, 'members'>): boolean {
  return isDid(target) ? authority.subject(target) !== undefined : delegations.chain(target) !== undefined;
}

function isDid(target: Revocable): target is Did {
  return target.startsWith('did:');
}
