/** Trust where messages of other nodes are admitted: a contract says what it takes (`needs.trust`), this node's own log what
 *  the sender has, and the ceilings of the chain that it names bound it. */
import type { Check } from '../../mesh/admit.ts';
import type { Delegations } from '../../mesh/delegation/delegations.ts';
import { isAnswer } from '../../mesh/head.ts';
import type { Trust } from '../../mesh/trust/trust.ts';
import type { Contract } from '../../runtime/actor/contract.ts';
import type { Did } from '../../runtime/codec/did.ts';

export function trustCheck(
  trust: Pick<Trust, 'verifyPeer'>,
  delegations: Pick<Delegations, 'chain'>,
  contractOf: (agent: Did) => Contract | undefined,
): Check {
  return ({ claims, head }, at) => {
    const required = isAnswer(head.kind) ? undefined : contractOf(claims.to)?.spec.needs?.trust;
    if (required === undefined) return undefined;
    const last = claims.delegation.at(-1);
    const chain = last === undefined ? [] : (delegations.chain(last) ?? []);
    const verified = trust.verifyPeer(claims.from, { required, at, ceilings: chain.map((link) => link.claims.tcl) });
    return verified.ok ? undefined : verified.error;
  };
}
