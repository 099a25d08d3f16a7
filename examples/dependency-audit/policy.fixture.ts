/** The rules of an audit, by themselves; and for agents that are known well enough: no rings, no rates. */
import { readFileSync } from 'node:fs';
import { type Bundle, compileBundle, parsePolicy, policyGate } from 'ringmesh/policies';
import type { Gates } from 'ringmesh/runtime';

export const auditBundle = compiled();

export function auditPolicy(): Gates {
  return { policy: policyGate({ bundle: () => auditBundle, subjectOf: () => ({ ring: 2, trust: 650 }) }) };
}

function compiled(): Bundle {
  const document = parsePolicy(readFileSync(new URL('./policy.yaml', import.meta.url), 'utf8'), 'policy.yaml');
  const bundle = document.ok ? compileBundle([document.value]) : document;
  if (!bundle.ok) throw new Error(`expected a policy without faults, found ${JSON.stringify(bundle.error)}`);
  return bundle.value;
}
