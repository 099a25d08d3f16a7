/** Trust where messages of other nodes are admitted: the message's risk class says what it takes, and its contract may want
 *  more (`needs.trust`); this node's own log says what the sender has, and the ceilings of the chain that it names bound it. */
import type { Check } from '../../mesh/admit.ts';
import type { Delegations } from '../../mesh/delegation/delegations.ts';
import type { Asked } from '../../mesh/delegation/gate.ts';
import { isAnswer } from '../../mesh/head.ts';
import { readCommand } from '../../mesh/link/words.ts';
import { trustNeeded } from '../../mesh/trust/gate.ts';
import type { Trust } from '../../mesh/trust/trust.ts';
import { type Contract, riskOfMessage } from '../../runtime/actor/contract.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Risk } from '../../runtime/kernel/action.ts';

/** What an agent of this node answers. */
export type ContractOf = (agent: Did) => Contract | undefined;

/** The risk class of obeying a message; `undefined` for what nodes say among themselves. Of an agent that answers nothing
 *  known here, or not that, it is the highest. */
export function riskOfAsked({ command, to }: Asked, contractOf: ContractOf): Risk | undefined {
  if (command.startsWith('/mesh/')) return undefined;
  const [contract, said] = [contractOf(to), readCommand(command)];
  if (contract === undefined || said?.contract !== contract.name) return 4;
  return riskOfMessage(contract, said.name);
}

/** The trust that obeying it takes. */
export function trustForAsked(asked: Asked, contractOf: ContractOf): number {
  return trustNeeded(riskOfAsked(asked, contractOf) ?? 0, contractOf(asked.to)?.spec.needs?.trust);
}

export function trustCheck(
  trust: Pick<Trust, 'verifyPeer'>,
  delegations: Pick<Delegations, 'chain'>,
  contractOf: ContractOf,
): Check {
  return ({ claims, head }, at) => {
    const required = isAnswer(head.kind) || head.kind === 'present' ? 0 : trustForAsked(claims, contractOf);
    if (required === 0) return undefined;
    const last = claims.delegation.at(-1);
    const chain = last === undefined ? [] : (delegations.chain(last) ?? []);
    const verified = trust.verifyPeer(claims.from, { required, at, ceilings: chain.map((link) => link.claims.tcl) });
    return verified.ok ? undefined : verified.error;
  };
}
