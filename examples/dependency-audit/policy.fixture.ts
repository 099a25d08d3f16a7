/** The rules of an audit for agents that are known well enough: no rings, no rates. */
import { policyGate } from 'ringmesh/policies';
import type { Gates } from 'ringmesh/runtime';
import { loadPolicy, POLICY_FILE } from './policy.ts';

const bundle = await loadPolicy(POLICY_FILE);

export function auditPolicy(): Gates {
  return { policy: policyGate({ bundle: () => bundle, subjectOf: () => ({ ring: 2, trust: 650 }) }) };
}
