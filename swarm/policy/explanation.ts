/** Why a recorded decision is what it is, as data: `ringmesh policy explain` tells it in words. */
import type { Bundle } from '../../policies/bundle/bundle.ts';
import { type ExplainedRule, explain } from '../../policies/bundle/explain.ts';
import type { Determining, RuleRef } from '../../policies/decision/decision.ts';
import type { PolicyRequest } from '../../policies/decision/request.ts';
import type { Layer } from '../../policies/decision/verdict.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import { RING_LIMITS, RING_LINES } from '../../runtime/kernel/ring.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { type Again, decideAgain, endedBefore } from './decide-again.ts';
import { activations } from './policy-journal.ts';
import type { Decided } from './recorded-decisions.ts';

/** A rule and the file that it was read from, where a text of it is at hand. */
type Placed<T extends RuleRef> = T & { readonly file?: string };

export type DecisionReport = {
  readonly schema: 'ringmesh.policy-explain/v1';
  readonly event: { readonly index: number; readonly id: string; readonly stream: string; readonly type: string };
  readonly verdict: 'allow' | 'deny' | 'escalate';
  readonly code: string;
  /** Which gate decided. */
  readonly gate: string;
  /** What the author was told, if anything but yes. */
  readonly told: { readonly [name: string]: unknown } | null;
  readonly request: PolicyRequest;
  /** What was known of the agent; `exact` unless it is told by what the log said before. */
  readonly basis: {
    readonly ring: number;
    readonly trust: number;
    readonly asOf: number | null;
    readonly exact: boolean;
  };
  readonly bundle: {
    readonly digest: DigestText;
    readonly version: number | null;
    /** The event since which it decided. */
    readonly since: number | null;
  } | null;
  readonly determining: readonly Placed<Determining>[];
  /** The layers that list what is allowed for this request. */
  readonly listing: readonly Layer[];
  /** Every rule that concerns the request; empty where the policy was not asked. */
  readonly rules: readonly Placed<ExplainedRule>[];
  /** The numbers of a gate that is not policy. */
  readonly limits: RingNumbers | BudgetNumbers | null;
  /** The decision made again from the log, and whether it is the same. */
  readonly again: Again;
};

type RingNumbers = { readonly gate: 'ring'; readonly ring: number; readonly trust: number; readonly opens: object };
type BudgetNumbers = {
  readonly gate: 'budget';
  readonly ring: number;
  readonly requests: { readonly count: number; readonly periodMs: number; readonly burst: number } | null;
  readonly effectsAtOnce: number | null;
  /** What the log has of the agent within that period before it. */
  readonly recordedInPeriod: number | null;
  readonly retryAfterMs: number | null;
};

export function explainDecided(
  log: EventLog,
  decided: Decided,
  bundleOf: (digest: DigestText) => Bundle | undefined,
): DecisionReport {
  const { record, decision, refused, request, standing, asOf, isExact, isWhole } = decided;
  const { policy } = decision;
  const bundle = policy === undefined ? undefined : bundleOf(policy);
  const isAsked = endedBefore(decided) === undefined && isWhole && (policy === undefined) === (bundle === undefined);
  const facts = bundle === undefined ? request.facts : decided.facts(bundle).read(request);
  const asked = facts === undefined ? request : { ...request, facts };
  const found = isAsked ? explain(bundle, asked) : undefined;
  const { index, id, stream, type } = record;
  return {
    schema: 'ringmesh.policy-explain/v1',
    event: { index, id, stream, type },
    verdict: decision.verdict,
    code: decision.code,
    gate: refused?.gate ?? 'policy',
    told: refused?.outcome?.outcome ?? null,
    request,
    basis: { ring: standing.ring, trust: standing.trust, asOf: asOf ?? null, exact: isExact },
    bundle: policy === undefined ? null : { digest: policy, ...inForce(log, policy, index) },
    determining: (found?.decision.determining ?? []).map((rule) => placed(rule, bundle)),
    listing: found?.listing ?? [],
    rules: (found?.rules ?? []).map((rule) => placed(rule, bundle)),
    limits: limitsOf(log, decided),
    again: decideAgain(decided, bundleOf),
  };
}

function inForce(log: EventLog, digest: DigestText, before: number) {
  const activation = activations(log).findLast((one) => one.digest === digest && one.index < before);
  return { version: activation?.version ?? null, since: activation?.index ?? null };
}

/** A bundle that was read from the log has no lines; one that was compiled from files has. */
function placed<T extends RuleRef>(rule: T, bundle: Bundle | undefined): Placed<T> {
  if (rule.line === undefined) return rule;
  const document = bundle?.documents.find(({ name }) => rule.rule.startsWith(`${name}/`));
  return document === undefined ? rule : { ...rule, file: document.source.file };
}

function limitsOf(log: EventLog, decided: Decided): DecisionReport['limits'] {
  const { refused, standing } = decided;
  const { ring, trust } = standing;
  if (refused?.gate === 'ring') return { gate: 'ring', ring, trust, opens: RING_LINES };
  if (refused?.gate !== 'budget') return null;
  const { requests, concurrentEffectsMax } = RING_LIMITS[ring];
  const { outcome } = refused.outcome ?? {};
  return {
    gate: 'budget',
    ring,
    requests:
      requests === undefined ? null : { count: requests.count, periodMs: requests.periodMs, burst: requests.burst },
    effectsAtOnce: concurrentEffectsMax ?? null,
    recordedInPeriod: requests === undefined ? null : allowedWithin(log, decided, requests.periodMs),
    retryAfterMs: outcome?.type === 'busy' ? outcome.retryAfterMs : null,
  };
}

/** How much the agent was allowed in the period before. */
function allowedWithin(log: EventLog, { record, asked }: Decided, periodMs: number): number {
  const within = [...log.readStream(record.stream)].filter(
    ({ index, wallMs, decision }) =>
      index < record.index && wallMs > asked.at - periodMs && decision?.verdict === 'allow',
  );
  return within.length;
}
