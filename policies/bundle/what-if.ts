/**
 * What another bundle would have answered to requests that were really made: the effect of a change, before it is made.
 *
 * After the first difference within a task, what followed might not have been asked at all; such requests are counted
 * apart and not compared, so that the numbers say what they can know.
 */
import type { PolicyDecision } from '../decision/decision.ts';
import type { PolicyRequest } from '../decision/request.ts';
import { compareVerdicts, type Verdict } from '../decision/verdict.ts';
import type { Bundle } from './bundle.ts';
import { decide } from './decide.ts';

export type Difference = {
  readonly request: string;
  readonly agent: string;
  readonly tool: string;
  readonly before: PolicyDecision;
  readonly after: PolicyDecision;
};

export type WhatIf = {
  readonly compared: number;
  readonly same: number;
  /** Requests after the first difference of their task. */
  readonly counterfactual: number;
  readonly newly: Readonly<Record<Verdict, number>>;
  /** Of the rules (or, without one, the codes) that make the new answer. */
  readonly byRule: Readonly<Record<string, number>>;
  readonly byAgent: Readonly<Record<string, number>>;
  /** Whether anything would be answered more freely than it was. */
  readonly isLaxer: boolean;
  /** The first ones, in order. */
  readonly differences: readonly Difference[];
};

const DIFFERENCES_MAX = 1_000;

export function whatIf(
  requests: Iterable<PolicyRequest>,
  before: Bundle | undefined,
  after: Bundle | undefined,
): WhatIf {
  const newly = { deny: 0, escalate: 0, allow: 0 };
  const [byRule, byAgent] = [new Map<string, number>(), new Map<string, number>()];
  const diverged = new Set<string>();
  const differences: Difference[] = [];
  let [compared, same, counterfactual] = [0, 0, 0];
  let isLaxer = false;
  for (const request of requests) {
    const task = request.task?.id;
    if (task !== undefined && diverged.has(task)) {
      counterfactual++;
      continue;
    }
    compared++;
    const [was, is] = [decide(before, request), decide(after, request)];
    if (was.verdict === is.verdict) {
      same++;
      continue;
    }
    if (task !== undefined) diverged.add(task);
    newly[is.verdict]++;
    isLaxer ||= compareVerdicts(is.verdict, was.verdict) > 0;
    const reasons = is.determining.length > 0 ? is.determining.map(({ rule }) => rule) : [is.code];
    for (const reason of reasons) count(byRule, reason);
    count(byAgent, request.subject.name);
    if (differences.length < DIFFERENCES_MAX) {
      const { subject, action, id } = request;
      differences.push({ request: id, agent: subject.name, tool: action.tool, before: was, after: is });
    }
  }
  return {
    compared,
    same,
    counterfactual,
    newly,
    byRule: sorted(byRule),
    byAgent: sorted(byAgent),
    isLaxer,
    differences,
  };
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The most frequent first. */
function sorted(counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}
