/** What became of a revocation that was handed in to a node. */
import type { Revocable } from '../../mesh/revocation/revocation.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Refusal } from '../../runtime/core/result.ts';

export type TakenBack = {
  readonly target: Revocable;
  readonly by: readonly Did[];
  /** False if it was revoked before. */
  readonly isNews: boolean;
  /** Whether the node knows the target. If it does not, the target is worth nothing when it arrives. */
  readonly isKnown: boolean;
  /** Of the revocations in force there. */
  readonly epoch: number;
};

export function takenBackInWords({ target, isNews, isKnown, epoch }: TakenBack): string {
  const unknown = isKnown ? '' : '; nothing of that name is known here yet';
  return `${isNews ? 'revoked' : 'revoked before'}: ${target}, on record and in force, epoch ${epoch}${unknown}`;
}

/** Of a node that asks nobody for a delegation. */
export const NO_AUTHORITY: Refusal = {
  code: 'revocation.no_authority',
  message: 'expected a node that asks for delegations, found none in its swarm file',
};
