/** `ringmesh/policies`: rules that people write, and the decisions that follow from them. */

// Deciding, and looking at decisions
export { redact } from '../runtime/kernel/obligation.ts';
// Bundles
export { type Bundle, bundle, compileBundle } from './bundle/bundle.ts';
export {
  BundleHolder,
  type Loaded,
  POLICY_EVENTS,
  type PolicyActivated,
  type PolicyRejected,
} from './bundle/bundle-holder.ts';
export { decide, decideReturned } from './bundle/decide.ts';
export { type Explanation, explain } from './bundle/explain.ts';
export { type BundleKeys, type BundleRefusal, openBundle, signBundle } from './bundle/signed.ts';
export { type WhatIf, whatIf } from './bundle/what-if.ts';
export type { Determining, PolicyDecision, ReasonCode, RuleRef } from './decision/decision.ts';
export type { Obligation, ObligationKind } from './decision/obligation.ts';
export type { Effect, Integrity, Point, PolicyRequest, Reversibility, Subject } from './decision/request.ts';
export { type Layer, meet, type Verdict } from './decision/verdict.ts';
// Writing policies
export { type PolicyDocument, parsePolicy, parsePolicyData, policy } from './document/document.ts';
export { formatFault, PolicyError, type PolicyFault } from './document/fault.ts';
export type { DocumentInput, ManifestInput, RuleInput, SugarInput } from './document/shape.ts';
export { rateLimit, readOnly, requireApproval } from './document/sugar.ts';

// Behind the kernel's gate
export { type Buckets, RateBuckets } from './gate/buckets.ts';
export { FactMonitors } from './gate/fact-monitors.ts';
export { type PolicyGate, type PolicyHost, policyGate } from './gate/policy-gate.ts';

// Testing policies
export { type CaseResult, parseTable, runTable, type Table } from './table/table.ts';
