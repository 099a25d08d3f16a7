/** A node's policy gate, the same one when it decides and when what it decided is decided again. Facts and flow it is not
 *  given: to rules they are unknown, both times. Whoever gives them to one has to give them to the other. */
import type { Bundle } from '../../policies/bundle/bundle.ts';
import { type Buckets, RateBuckets } from '../../policies/gate/buckets.ts';
import { type PolicyGate, policyGate } from '../../policies/gate/policy-gate.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import type { Ring, Score } from '../../runtime/kernel/ring.ts';

/** What is known of an agent when it acts: the fold of the log, or what a record says of it. */
export type Standing = { readonly ring: Ring; readonly trust: Score };

export function hostGate(
  bundle: () => Bundle | undefined,
  standingOf: (action: Action, at: number) => Standing,
  buckets: Buckets = new RateBuckets(),
): PolicyGate {
  return policyGate({ bundle, buckets, subjectOf: standingOf });
}
