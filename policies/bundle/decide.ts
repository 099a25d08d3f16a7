/**
 * The decision: a pure, total function of a bundle and a request.
 *
 * D1. It never throws, waits or reads a clock. Whatever goes wrong inside is a denial with a code.
 * D2. No bundle, an unknown tool, a request that is malformed or too large: denied before any rule is asked.
 * D3. One rule that denies, denies. A layer that lists what is allowed and does not list this, denies. Otherwise one rule
 *     that escalates, escalates. Only then is it allowed, and only if some layer lists it.
 * D4. A condition that is unknown holds for a rule that denies, escalates or obliges, and does not for one that allows.
 *     A rule that escalates because something is unknown holds back and lists nothing; and what a rule that allows asks for
 *     in return (an approval, a rate) is owed also where only another rule surely allows. So hiding something gains nothing.
 * D5. Neither the order of rules nor of documents has an effect on anything in the answer.
 */
import { messageOf } from '../../runtime/core/errors.ts';
import { type Determining, denial, type PolicyDecision } from '../decision/decision.ts';
import { combineObligations, type Obligation } from '../decision/obligation.ts';
import { isWithinLimits, POINTS, type PolicyRequest } from '../decision/request.ts';
import { LAYERS } from '../decision/verdict.ts';
import { type Manifest, resolveAct } from '../document/manifest.ts';
import { STEPS_MAX } from '../expression/compile.ts';
import type { Context } from '../expression/fields.ts';
import type { Bundle } from './bundle.ts';
import type { Clause } from './clause.ts';

export function decide(bundle: Bundle | undefined, request: PolicyRequest): PolicyDecision {
  if (bundle === undefined) return denial('policy.missing', 'expected a policy bundle, found none: nothing is allowed');
  try {
    const refused = refuse(bundle, request);
    return refused ?? weigh(bundle, contextOf(bundle, request), (c, visit) => bundle.index.scan(c, visit));
  } catch (error) {
    return denial('policy.failed', `the decision failed: ${messageOf(error)}`, { bundle: bundle.digest });
  }
}

/**
 * Whether what came back from an act, or leaves an agent, may be seen: at `post_tool` and `output`. No list has to name it,
 * since the act itself was allowed; the rules that name the point have their say, and only those. The others were asked of
 * the same arguments before the act, and would now ask people again, or count twice.
 */
export function decideReturned(bundle: Bundle | undefined, request: PolicyRequest): PolicyDecision {
  if (bundle === undefined) return denial('policy.missing', 'expected a policy bundle, found none: nothing is allowed');
  if (!bundle.index.names(request.point)) return passed(bundle, [], 0);
  try {
    const scan: Scan = (c, visit) => bundle.index.scanNamed(c, visit);
    return refuse(bundle, request) ?? weigh(bundle, contextOf(bundle, request), scan, 'returned');
  } catch (error) {
    return denial('policy.failed', `the decision failed: ${messageOf(error)}`, { bundle: bundle.digest });
  }
}

/** Brings rules to be asked. */
export type Scan = (context: Context, visit: (clause: Clause) => boolean) => void;

export function contextOf(bundle: Bundle, request: PolicyRequest): Context {
  return { request, act: resolveAct(request, manifestOf(bundle, request)), locals: [], steps: STEPS_MAX };
}

/** What is wrong before any rule is asked (D2). */
export function refuse(bundle: Bundle, request: PolicyRequest): PolicyDecision | undefined {
  const where = { bundle: bundle.digest };
  if (!isWellFormed(request)) return denial('policy.request_malformed', 'expected a request of version 1', where);
  if (!isWithinLimits(request)) return denial('policy.request_too_large', 'expected a smaller request', where);
  if (!isToolUse(request)) return undefined;
  const manifest = manifestOf(bundle, request);
  const { tool, manifest: held } = request.action;
  if (manifest === undefined) {
    return denial('policy.unknown_tool', `expected a tool that a manifest describes, found ${tool}`, where);
  }
  if (manifest.digests.some((digest) => digest !== held)) {
    return denial('policy.manifest_changed', `expected ${tool} as it was approved, found it changed`, where);
  }
  return undefined;
}

/** Asks the rules that `scan` brings, and combines what they say (D3). */
export function weigh(bundle: Bundle, context: Context, scan: Scan, what: 'act' | 'returned' = 'act'): PolicyDecision {
  const matching = new Set<Clause>(); // a rule may be filed, and brought, more than once
  const unknown = new Set<Clause>();
  let denied: Clause | undefined;
  let evaluated = 0;
  scan(context, (clause) => {
    if (!clause.concerns(context)) return false;
    evaluated++;
    const holds = clause.condition === undefined ? true : clause.condition(context);
    if (holds === false || (holds === undefined && isMereConsent(clause))) return false; // D4
    if (clause.effect === 'deny') {
      denied = clause;
      if (holds === undefined) unknown.add(clause);
      return true;
    }
    matching.add(clause);
    if (holds === undefined) unknown.add(clause);
    return false;
  });
  const { digest } = bundle;
  if (denied !== undefined) {
    const message = messageFor(denied, context, unknown.has(denied));
    return denial('policy.denied', message, {
      bundle: digest,
      determining: [determining(denied, unknown)],
      evaluated,
    });
  }

  const matched = [...matching];
  let answered = 0;
  let escalating: Clause | undefined;
  for (const clause of matched) {
    if (clause.effect === 'oblige') continue;
    if (isMereConsent(clause) || isSure(clause, context, unknown)) answered |= clause.layer;
    if (clause.effect === 'escalate' && (escalating === undefined || clause.ref.rule < escalating.ref.rule)) {
      escalating = clause;
    }
  }
  const permits = bundle.grants(context, 'surely') !== 0;
  const silent = bundle.grants(context) & ~answered;
  if (what === 'act' && (!permits || silent !== 0)) return notListed(bundle, context, { permits, silent, evaluated });

  const obligations = obligationsOf(matched);
  if (obligations === undefined) {
    return denial('policy.obligation_conflict', 'two rules ask for things that exclude each other', {
      bundle: digest,
      determining: sortedRefs(matched, unknown),
      evaluated,
    });
  }
  const asker = escalating ?? matched.find((clause) => clause.obligations.some(({ kind }) => kind === 'approve'));
  if (asker !== undefined) {
    return {
      verdict: 'escalate',
      code: 'policy.escalated',
      message: messageFor(asker, context, unknown.has(asker)),
      obligations,
      determining: sortedRefs(
        matched.filter(
          ({ effect, obligations: own }) => effect === 'escalate' || own.some(({ kind }) => kind === 'approve'),
        ),
        unknown,
      ),
      bundle: digest,
      evaluated,
    };
  }
  const allowing = matched.filter((clause) => clause.effect === 'allow' && isSure(clause, context, unknown));
  return { ...passed(bundle, obligations, evaluated), determining: sortedRefs(allowing, unknown) };
}

function passed({ digest }: Bundle, obligations: readonly Obligation[], evaluated: number): PolicyDecision {
  return {
    verdict: 'allow',
    code: 'policy.allowed',
    message: 'allowed',
    obligations,
    determining: [],
    bundle: digest,
    evaluated,
  };
}

/** Allows and asks for nothing: has no say where it is in doubt. */
function isMereConsent({ effect, obligations }: Clause): boolean {
  return effect === 'allow' && obligations.length === 0;
}

function isSure(clause: Clause, context: Context, unknown: ReadonlySet<Clause>): boolean {
  return !unknown.has(clause) && clause.surelyConcerns(context);
}

function manifestOf(bundle: Bundle, request: PolicyRequest): Manifest | undefined {
  return isToolUse(request) ? bundle.tools.get(request.action.tool) : undefined;
}

function isToolUse({ point, action }: PolicyRequest): boolean {
  return point === 'pre_tool' || point === 'post_tool' || action.verb === 'use';
}

const KNOWN_POINTS: ReadonlySet<unknown> = new Set(POINTS);

/** Enough for everything below to be about values of the right kind; whoever reads requests from outside parses them. */
function isWellFormed(request: PolicyRequest): boolean {
  if (typeof request !== 'object' || request === null) return false;
  const { v, point, at, subject, action, args } = request;
  return (
    v === 1 &&
    KNOWN_POINTS.has(point) &&
    Number.isSafeInteger(at) &&
    typeof subject?.id === 'string' &&
    typeof subject.name === 'string' &&
    typeof action?.tool === 'string' &&
    typeof action.verb === 'string' &&
    args !== undefined
  );
}

function notListed(
  bundle: Bundle,
  context: Context,
  found: { readonly permits: boolean; readonly silent: number; readonly evaluated: number },
): PolicyDecision {
  const { tool, verb } = context.request.action;
  const rest = { bundle: bundle.digest, evaluated: found.evaluated };
  if (!found.permits)
    return denial('policy.no_permit', `expected a rule that allows to ${verb} ${tool}, found none`, rest);
  const layers = LAYERS.filter((_, n) => (found.silent & (1 << n)) !== 0);
  const message = `expected ${tool} among what the ${layers.join(' and the ')} layer allows ${context.request.subject.name}`;
  return denial('policy.outside_layer', message, rest);
}

function obligationsOf(matched: readonly Clause[]): readonly Obligation[] | undefined {
  let all: Obligation[] | undefined;
  for (const { obligations } of matched) {
    if (obligations.length > 0) all = all === undefined ? [...obligations] : [...all, ...obligations];
  }
  return all === undefined ? NOTHING : combineObligations(all);
}

const NOTHING: readonly Obligation[] = [];

function messageFor(clause: Clause, context: Context, isUnknown: boolean): string {
  if (isUnknown) return `${clause.message} (its condition is unknown for this request)`;
  const detail = clause.detail?.(context);
  return detail === undefined ? clause.message : `${clause.message}: ${detail}`;
}

function sortedRefs(clauses: readonly Clause[], unknown: ReadonlySet<Clause>): readonly Determining[] {
  const refs = clauses.map((clause) => determining(clause, unknown));
  return refs.length < 2 ? refs : refs.sort((a, b) => (a.rule < b.rule ? -1 : 1));
}

function determining(clause: Clause, unknown: ReadonlySet<Clause>): Determining {
  return { ...clause.ref, because: unknown.has(clause) ? 'unknown' : 'match' };
}
