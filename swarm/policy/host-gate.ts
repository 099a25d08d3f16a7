/** A node's policy gate, the same one when it decides and when what it decided is decided again. Flow it is not given: to rules
 *  it is unknown, both times. Whoever gives it to one has to give it to the other. */
import type { Bundle } from '../../policies/bundle/bundle.ts';
import { type Buckets, RateBuckets } from '../../policies/gate/buckets.ts';
import type { FactMonitors } from '../../policies/gate/fact-monitors.ts';
import { type PolicyGate, policyGate } from '../../policies/gate/policy-gate.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import type { Ring, Score } from '../../runtime/kernel/ring.ts';

/** What is known of an agent when it acts: the fold of the log, or what a record says of it. */
export type Standing = { readonly ring: Ring; readonly trust: Score };

/** What was counted before an act. */
export type Facts = Pick<FactMonitors, 'read' | 'count'>;

export function hostGate(
  bundle: () => Bundle | undefined,
  standingOf: (action: Action, at: number) => Standing,
  facts: () => Facts,
  buckets: Buckets = new RateBuckets(),
): PolicyGate {
  return policyGate({ bundle, buckets, facts, subjectOf: standingOf });
}
