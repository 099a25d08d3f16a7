/** What a bundle answers: a verdict, why, by which rules, and what the host owes before it acts. */
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Obligation } from './obligation.ts';
import type { Layer, Verdict } from './verdict.ts';

/** Every reason there is. Text for people goes into `message`; programs match on these. */
export const REASONS = [
  'policy.allowed',
  'policy.denied',
  'policy.escalated',
  'policy.no_permit',
  'policy.outside_layer',
  'policy.missing',
  'policy.unknown_tool',
  'policy.manifest_changed',
  'policy.request_malformed',
  'policy.request_too_large',
  'policy.obligation_conflict',
  'policy.obligation_unsupported',
  'policy.rate_exceeded',
  'policy.failed',
] as const;
export type ReasonCode = (typeof REASONS)[number];

/** A rule by name: `<document>/<rule>`, and where it was written. */
export type RuleRef = {
  readonly rule: string;
  readonly layer: Layer;
  /** From 1; absent for rules that were not read from a text. */
  readonly line?: number;
};

/** A rule that decided, and whether its condition held or could not be known. */
export type Determining = RuleRef & { readonly because: 'match' | 'unknown' };

export type PolicyDecision = {
  readonly verdict: Verdict;
  readonly code: ReasonCode;
  /** For people. */
  readonly message: string;
  /** Sorted, each once. Empty for a denial: whoever is denied owes nothing. */
  readonly obligations: readonly Obligation[];
  /** The rules that made the verdict, sorted; for a denial the first one found, since one is enough. */
  readonly determining: readonly Determining[];
  /** The bundle that decided; absent where there was none. */
  readonly bundle?: DigestText;
  /** Rules looked at. */
  readonly evaluated: number;
};

export function denial(code: ReasonCode, message: string, rest: Partial<PolicyDecision> = {}): PolicyDecision {
  return { verdict: 'deny', code, message, obligations: [], determining: [], evaluated: 0, ...rest };
}
