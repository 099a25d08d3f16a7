/**
 * Why a decision is what it is, by deciding again and looking: every rule, whether it concerned the request, whether its
 * condition held, and what each part of the condition saw. Costs nothing while deciding, since a request can be decided
 * again for ever.
 */
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { PolicyDecision, RuleRef } from '../decision/decision.ts';
import type { PolicyRequest } from '../decision/request.ts';
import { LAYERS, type Layer } from '../decision/verdict.ts';
import type { RuleEffect } from '../document/rule.ts';
import { compile, compileCondition, STEPS_MAX } from '../expression/compile.ts';
import type { Context, Value } from '../expression/fields.ts';
import type { Term } from '../expression/term.ts';
import type { Bundle } from './bundle.ts';
import type { Clause } from './clause.ts';
import { contextOf, decide, refuse } from './decide.ts';

export type Truth = 'true' | 'false' | 'unknown';

export type ExplainedRule = RuleRef & {
  readonly effect: RuleEffect;
  readonly condition?: string;
  readonly holds: Truth;
  /** The parts of the condition, as written, and what each was; the value where a part is one. */
  readonly parts: readonly { readonly text: string; readonly holds: Truth; readonly values: readonly ReadValue[] }[];
};

/** A path and what stood there; `unknown` where nothing did. */
export type ReadValue = { readonly path: string; readonly value: JsonValue | 'unknown' };

export type Explanation = {
  readonly decision: PolicyDecision;
  /** Layers that list what is allowed for this request. */
  readonly listing: readonly Layer[];
  /** The rules that concern the request, sorted by name. */
  readonly rules: readonly ExplainedRule[];
};

export function explain(bundle: Bundle | undefined, request: PolicyRequest): Explanation {
  const decision = decide(bundle, request);
  const bare: Explanation = { decision, listing: [], rules: [] };
  if (bundle === undefined || refuse(bundle, request) !== undefined || decision.code === 'policy.failed') return bare;
  const context = contextOf(bundle, request);
  const concerned = bundle.clauses.filter((clause) => clause.concerns(context));
  const listing = bundle.grants(context);
  return {
    decision,
    listing: LAYERS.filter((_, n) => (listing & (1 << n)) !== 0),
    rules: concerned
      .toSorted((a, b) => (a.ref.rule < b.ref.rule ? -1 : 1))
      .map((clause) => explainRule(clause, context)),
  };
}

function explainRule(clause: Clause, context: Context): ExplainedRule {
  const { ref, effect, text, term, condition } = clause;
  const fresh = (): Context => ({ ...context, locals: [], steps: STEPS_MAX });
  const parts =
    term === undefined || text === undefined ? [] : partsOf(term).map((part) => explainPart(part, text, fresh()));
  return {
    ...ref,
    effect,
    ...(text === undefined ? {} : { condition: text }),
    holds: condition === undefined ? 'true' : truthOf(condition(fresh())),
    parts,
  };
}

function explainPart(part: Term, text: string, context: Context): ExplainedRule['parts'][number] {
  const values = readsOf(part).map((read): ReadValue => {
    const value: Value = compile(read)(context);
    return { path: text.slice(read.start, read.end), value: value === undefined ? 'unknown' : value };
  });
  return { text: text.slice(part.start, part.end), holds: truthOf(compileCondition(part)(context)), values };
}

/** The smallest parts that are conditions themselves. */
function partsOf(term: Term): readonly Term[] {
  switch (term.node) {
    case 'and':
    case 'or':
      return term.terms.flatMap(partsOf);
    case 'not':
      return partsOf(term.term);
    default:
      return [term];
  }
}

/** What a part reads from the request. A list's members are not told one by one. */
function readsOf(term: Term): readonly Term[] {
  switch (term.node) {
    case 'field':
    case 'fact':
    case 'flow':
      return [term];
    case 'relation':
    case 'sum':
      return [...readsOf(term.left), ...readsOf(term.right)];
    case 'call':
      return term.args.flatMap(readsOf);
    case 'has':
      return readsOf(term.of);
    case 'any':
    case 'all':
      return readsOf(term.list);
    case 'not':
    case 'negate':
      return readsOf(term.term);
    case 'and':
    case 'or':
      return term.terms.flatMap(readsOf);
    case 'list':
      return term.items.flatMap(readsOf);
    case 'literal':
    case 'local':
      return [];
  }
}

function truthOf(value: boolean | undefined): Truth {
  return value === undefined ? 'unknown' : value ? 'true' : 'false';
}
