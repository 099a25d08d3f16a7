/**
 * A rule, ready to run: what it is about as tests, its condition as a closure, and the keys that an index finds it by.
 *
 * C1. What is not known of the subject (its tenant, its roles) is a match for a rule that makes an answer stricter and none
 *     for a rule that allows, as with unknowns in a condition. What a rule that allows asks for in return makes an answer
 *     stricter: in doubt it is owed, and nothing is allowed.
 * C2. Only a rule that surely matches is its layer's consent: one that escalates because something is unknown holds an act
 *     back, and does not list it.
 */

import type { RuleRef } from '../decision/decision.ts';
import type { Obligation } from '../decision/obligation.ts';
import type { PolicyDocument } from '../document/document.ts';
import { type ArgumentCheck, compileArguments } from '../document/manifest.ts';
import type { ParsedRule, RuleEffect } from '../document/rule.ts';
import type { ManifestInput } from '../document/shape.ts';
import { type Condition, compileCondition } from '../expression/compile.ts';
import { type Context, FIELDS, memberOf, type Value } from '../expression/fields.ts';
import { pathOf, type Term } from '../expression/term.ts';

export type Clause = {
  readonly ref: RuleRef;
  readonly effect: RuleEffect;
  /** The layer as a bit. */
  readonly layer: number;
  /** Where an index files it. */
  readonly keys: ClauseKeys;
  /** Whether the rule is about the request. Always asked: an index only brings likely ones. */
  readonly concerns: (context: Context) => boolean;
  /** The same, without the benefit of the doubt (C2). */
  readonly surelyConcerns: (context: Context) => boolean;
  readonly condition: Condition | undefined;
  /** The condition, for who explains it. */
  readonly term: Term | undefined;
  readonly text: string | undefined;
  readonly obligations: readonly Obligation[];
  readonly message: string;
  /** Says more of a match than `message`; asked after the fact. */
  readonly detail?: (context: Context) => string | undefined;
};

/** `undefined`: whatever it may be. */
export type ClauseKeys = {
  readonly points: readonly string[] | undefined;
  readonly tools: readonly string[] | undefined;
  readonly effects: readonly string[] | undefined;
  readonly agents: readonly string[] | undefined;
  readonly tenants: readonly string[] | undefined;
  /** The condition holds only if the value at the path is one of these texts (or is no text). */
  readonly text:
    | { readonly path: string; readonly read: (c: Context) => Value; readonly values: readonly string[] }
    | undefined;
  /** The condition holds only if the number at the path is from `from` to `to` (or is no whole number). */
  readonly bounds: Bounds | undefined;
};

type Bounds = {
  readonly path: string;
  readonly read: (c: Context) => Value;
  readonly from: number;
  readonly to: number;
};

export type Selector = PolicyDocument['scope'];

type Written = {
  readonly rule: ParsedRule;
  readonly document: PolicyDocument;
  readonly layer: number;
  readonly line: number | undefined;
};

export function clauseOf(written: Written, term: Term | undefined): Clause {
  const { rule, document, layer, line } = written;
  const ref = { rule: `${document.name}/${rule.id}`, layer: document.layer, ...(line === undefined ? {} : { line }) };
  const isStrict = rule.effect !== 'allow' || rule.obligations.length > 0;
  return {
    ref,
    effect: rule.effect,
    layer,
    keys: {
      points: rule.head.point,
      tools: rule.head.tool,
      effects: rule.head.effect,
      agents: exact(rule.head.agent) ?? exact(document.scope.agent),
      tenants: rule.head.tenant ?? document.scope.tenant,
      text: term === undefined ? undefined : textKey(term),
      bounds: term === undefined ? undefined : boundsKey(term),
    },
    concerns: selectorTest([document.scope, rule.head], isStrict),
    surelyConcerns: selectorTest([document.scope, rule.head], false),
    condition: term === undefined ? undefined : compileCondition(term),
    term,
    text: rule.when?.text,
    obligations: rule.obligations,
    message: rule.because ?? `${ref.rule} says so`,
  };
}

/** Denies arguments that are not as a manifest has them. */
export function argumentsClause(
  written: Omit<Written, 'rule'>,
  tool: string,
  parameters: NonNullable<ManifestInput['parameters']>,
): Clause {
  const check: ArgumentCheck = compileArguments(parameters);
  const clause = clauseOf(
    {
      ...written,
      rule: {
        id: `${tool}.parameters`,
        head: { point: ['pre_tool'], tool: [tool] },
        effect: 'deny',
        obligations: [],
        path: [],
      },
    },
    undefined,
  );
  return {
    ...clause,
    condition: (c) => check(c.request.args) !== undefined,
    text: `the arguments are not as the manifest of ${tool} says`,
    message: `the arguments of ${tool} are not as its manifest says`,
    detail: (c) => check(c.request.args),
  };
}

/** Whether all of several selectors choose the request; unknown parts count as `whenUnknown` (C1). */
export function selectorTest(selectors: readonly Selector[], whenUnknown: boolean): (context: Context) => boolean {
  const tests = selectors.flatMap((selector) => testsOf(selector, whenUnknown));
  const [first, second] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  return (c) => {
    for (const test of tests) if (!test(c)) return false;
    return true;
  };
}

type Test = (context: Context) => boolean;

function testsOf(s: Selector, whenUnknown: boolean): readonly Test[] {
  const tests: Test[] = [];
  if (s.point !== undefined) tests.push(among(s.point, (c) => c.request.point));
  if (s.verb !== undefined) tests.push(among(s.verb, (c) => c.request.action.verb));
  if (s.reversibility !== undefined) tests.push(among(s.reversibility, (c) => c.act.reversibility));
  if (s.effect !== undefined) {
    const wanted: readonly string[] = s.effect;
    tests.push((c) => c.act.effects.some((effect) => wanted.includes(effect)));
  }
  if (s.tool !== undefined) {
    const matches = patternsTest(s.tool);
    tests.push((c) => matches(c.request.action.tool));
  }
  if (s.agent !== undefined) {
    const matches = patternsTest(s.agent);
    tests.push((c) => matches(c.request.subject.name) || matches(c.request.subject.id));
  }
  if (s.tenant !== undefined) tests.push(among(s.tenant, (c) => c.request.subject.tenant, whenUnknown));
  if (s.team !== undefined) tests.push(among(s.team, (c) => c.request.subject.team, whenUnknown));
  if (s.mesh !== undefined) tests.push(among(s.mesh, (c) => c.request.subject.mesh, whenUnknown));
  if (s.task !== undefined) tests.push(among(s.task, (c) => c.request.task?.id, whenUnknown));
  if (s.role !== undefined) {
    const wanted = s.role;
    tests.push((c) => c.request.subject.roles?.some((role) => wanted.includes(role)) ?? whenUnknown);
  }
  return tests;
}

function among(wanted: readonly string[], read: (c: Context) => string | undefined, whenUnknown = false): Test {
  const [only] = wanted;
  if (wanted.length === 1) {
    return (c) => {
      const found = read(c);
      return found === undefined ? whenUnknown : found === only;
    };
  }
  const set = new Set<string>(wanted);
  return (c) => {
    const found = read(c);
    return found === undefined ? whenUnknown : set.has(found);
  };
}

/** Names, and prefixes that end in a separator and a star: `fs.*` is not `fs`. */
export function patternsTest(patterns: readonly string[]): (name: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !pattern.endsWith('*')));
  const prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  if (prefixes.length === 0) return (name) => names.has(name);
  return (name) => names.has(name) || prefixes.some((prefix) => name.length > prefix.length && name.startsWith(prefix));
}

function exact(patterns: readonly string[] | undefined): readonly string[] | undefined {
  return patterns?.some((pattern) => pattern.endsWith('*')) ? undefined : patterns;
}

/** The first `path == "text"` or `path in ["text", …]` that must hold for the condition to hold. */
function textKey(term: Term): ClauseKeys['text'] {
  if (term.node === 'and') {
    for (const each of term.terms) {
      const key = textKey(each);
      if (key !== undefined) return key;
    }
    return undefined;
  }
  if (term.node !== 'relation' || (term.relation !== '==' && term.relation !== 'in')) return undefined;
  const { left, right } = term;
  const path = pathOf(left);
  const literals = right.node === 'list' ? right.items : [right];
  const values = literals.flatMap((item) =>
    item.node === 'literal' && typeof item.value === 'string' ? [item.value] : [],
  );
  if (path === undefined || left.node !== 'field' || values.length !== literals.length) return undefined;
  if (term.relation === 'in' && right.node !== 'list') return undefined;
  return { path, values, read: readerOf(left) };
}

/** The bounds of the first path that is compared with a number and must hold for the condition to hold. */
function boundsKey(term: Term): Bounds | undefined {
  if (term.node === 'and') {
    const all = term.terms.flatMap((each) => boundsKey(each) ?? []);
    const [first] = all;
    return all.reduce((met, next) => (next.path === met?.path ? meet(met, next) : met), first);
  }
  if (term.node !== 'relation') return undefined;
  const { left, right, relation } = term;
  const path = pathOf(left);
  if (path === undefined || left.node !== 'field' || right.node !== 'literal') return undefined;
  const { value } = right;
  if (typeof value !== 'number') return undefined;
  const bounds = BOUNDS[relation]?.(value);
  return bounds === undefined ? undefined : { path, read: readerOf(left), ...bounds };
}

const [LEAST, MOST] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

/** Of whole numbers. */
const BOUNDS: { readonly [relation: string]: ((value: number) => Pick<Bounds, 'from' | 'to'>) | undefined } = {
  '==': (value) => ({ from: value, to: value }),
  '>=': (value) => ({ from: value, to: MOST }),
  '>': (value) => ({ from: value + 1, to: MOST }),
  '<=': (value) => ({ from: LEAST, to: value }),
  '<': (value) => ({ from: LEAST, to: value - 1 }),
};

function meet(a: Bounds, b: Bounds): Bounds {
  return { ...a, from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) };
}

function readerOf({ field, members }: Term & { readonly node: 'field' }): (c: Context) => Value {
  const read = FIELDS.get(field)?.read ?? (() => undefined);
  return (c) => members.reduce<Value>((value, member) => memberOf(value, member), read(c));
}
