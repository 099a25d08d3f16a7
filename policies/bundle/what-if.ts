/**
 * What another bundle would have answered to requests that were really made: the effect of a change, before it is made.
 *
 * After the first difference within a group (a task, a turn), what followed might not have been asked at all; such requests
 * are counted apart and not compared, so that the numbers say what they can know.
 */
import type { PolicyDecision } from '../decision/decision.ts';
import type { PolicyRequest } from '../decision/request.ts';
import { compareVerdicts, type Verdict } from '../decision/verdict.ts';
import type { Bundle } from './bundle.ts';
import { decide } from './decide.ts';

/** An answer as far as a record of it goes. */
export type Answer = { readonly verdict: Verdict; readonly code: string; readonly rule?: string };

/** A request that was made, what was answered, what it belongs together with, and where its record is. */
export type Asked = {
  readonly request: PolicyRequest;
  readonly before: Answer;
  readonly group?: string | undefined;
  readonly index?: number;
};

export type Difference = {
  readonly request: string;
  readonly index?: number;
  readonly agent: string;
  readonly tool: string;
  readonly before: Answer;
  readonly after: PolicyDecision;
};

/** What would be answered with one verdict and was answered with another. */
export type Newly = {
  readonly count: number;
  /** Of the rules (or, without one, the codes) that make the new answer, the most frequent first. */
  readonly byRule: Readonly<Record<string, number>>;
  readonly byAgent: Readonly<Record<string, number>>;
};

export type WhatIf = {
  readonly compared: number;
  readonly same: number;
  /** Requests after the first difference of their group. */
  readonly counterfactual: number;
  readonly newly: Readonly<Record<Verdict, Newly>>;
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
  return compareAnswers(asked(requests, before), ({ request }) => decide(after, request));
}

/** Answers again what was asked, and tells the differences. */
export function compareAnswers<T extends Asked>(all: Iterable<T>, answer: (asked: T) => PolicyDecision): WhatIf {
  const newly = { deny: new Count(), escalate: new Count(), allow: new Count() };
  const diverged = new Set<string>();
  const differences: Difference[] = [];
  let [compared, same, counterfactual] = [0, 0, 0];
  let isLaxer = false;
  for (const one of all) {
    const { request, before, group, index } = one;
    if (group !== undefined && diverged.has(group)) {
      counterfactual++;
      continue;
    }
    compared++;
    const after = answer(one);
    if (before.verdict === after.verdict) {
      same++;
      continue;
    }
    if (group !== undefined) diverged.add(group);
    newly[after.verdict].add(after, request.subject.name);
    isLaxer ||= compareVerdicts(after.verdict, before.verdict) > 0;
    if (differences.length < DIFFERENCES_MAX) {
      const { subject, action, id } = request;
      const at = index === undefined ? {} : { index };
      differences.push({ request: id, ...at, agent: subject.name, tool: action.tool, before, after });
    }
  }
  const [deny, escalate, allow] = [newly.deny.told, newly.escalate.told, newly.allow.told];
  return { compared, same, counterfactual, newly: { deny, escalate, allow }, isLaxer, differences };
}

function* asked(requests: Iterable<PolicyRequest>, bundle: Bundle | undefined): Generator<Asked> {
  for (const request of requests) yield { request, before: decide(bundle, request), group: request.task?.id };
}

class Count {
  #count = 0;
  readonly #byRule = new Map<string, number>();
  readonly #byAgent = new Map<string, number>();

  add({ determining, code }: PolicyDecision, agent: string): void {
    this.#count++;
    const reasons = determining.length > 0 ? determining.map(({ rule }) => rule) : [code];
    for (const reason of reasons) count(this.#byRule, reason);
    count(this.#byAgent, agent);
  }

  get told(): Newly {
    return { count: this.#count, byRule: sorted(this.#byRule), byAgent: sorted(this.#byAgent) };
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sorted(counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}
