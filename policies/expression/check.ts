/**
 * The type checker: what would be wrong for every request is refused when the rule is loaded, not when it is needed.
 *
 * A path must exist in the request, a member of the arguments in the tool's manifest where it lists them, a word in the set
 * that the field can have. What annotators say may only be asked in rules that make an answer stricter.
 */
import { pointerParts } from '../../runtime/kernel/obligation.ts';
import { INTEGRITIES } from '../decision/request.ts';
import { failAt } from './fault.ts';
import { BOOLEAN, describeType, FIELDS, INTEGER, JSON_VALUE, STRINGS, type ValueType } from './fields.ts';
import { BUILTINS, integrityRank, minorUnits, type Parameter } from './functions.ts';
import { nearest } from './nearest.ts';
import type { Span, Syntax } from './syntax.ts';
import type { Term } from './term.ts';

/** What a document declares to be counted: `facts.count("refunds")`. */
export type FactDeclaration = {
  readonly windowsMs: readonly number[];
  /** Paths that say for whom is counted. */
  readonly by: readonly string[];
  /** Whether something is summed, too. */
  readonly hasSum: boolean;
};

export type Scope = {
  /** Whether the rule can only make an answer stricter. */
  readonly isStrict: boolean;
  readonly facts: ReadonlyMap<string, FactDeclaration>;
  /** The arguments that the rule's tools have, where their manifests list them all. */
  readonly args?: ReadonlyMap<string, ValueType>;
};

type Locals = ReadonlyMap<string, { readonly slot: number; readonly type: ValueType }>;

/** Lists inside lists inside lists: no rule needs it, and each level multiplies the work. */
const LOCALS_MAX = 2;

/** The checked condition.
 *  @throws {ExpressionError} with the first place that cannot be right */
export function checkCondition(tree: Syntax, scope: Scope): Term {
  const term = new Checker(scope).check(tree, new Map());
  if (!isCondition(term.type)) failAt(term, `expected a condition, found ${describeType(term.type)}`);
  return term;
}

class Checker {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  check(tree: Syntax, locals: Locals): Term {
    const { start, end } = tree;
    const span = { start, end };
    switch (tree.type) {
      case 'literal':
        return { ...span, node: 'literal', value: tree.value, type: literalType(tree.value) };
      case 'list':
        return this.#list(tree.items, span, locals);
      case 'path':
        return this.#path(tree.parts, span, locals);
      case 'call':
        return this.#call(tree.name, tree.args, span, locals);
      case 'and':
      case 'or': {
        const terms = tree.terms.map((each) => this.#condition(each, locals));
        return { ...span, node: tree.type, terms, type: BOOLEAN };
      }
      case 'not':
        return { ...span, node: 'not', term: this.#condition(tree.term, locals), type: BOOLEAN };
      case 'negate':
        return { ...span, node: 'negate', term: this.#number(tree.term, locals), type: INTEGER };
      case 'sum': {
        const [left, right] = [this.#number(tree.left, locals), this.#number(tree.right, locals)];
        return { ...span, node: 'sum', operator: tree.operator, left, right, type: INTEGER };
      }
      case 'relation':
        return this.#relation(tree, locals);
      case 'any':
      case 'all':
        return this.#quantified(tree, locals);
    }
  }

  #condition(tree: Syntax, locals: Locals): Term {
    const term = this.check(tree, locals);
    if (!isCondition(term.type)) failAt(tree, `expected a condition, found ${describeType(term.type)}`);
    return term;
  }

  #number(tree: Syntax, locals: Locals): Term {
    const term = this.check(tree, locals);
    if (!fits(term.type, 'integer')) {
      failAt(tree, `expected a number, found ${describeType(term.type)}`, numberIn(term));
    }
    return term;
  }

  #list(items: readonly Syntax[], span: Span, locals: Locals): Term {
    if (items.length === 0) failAt(span, 'expected at least one value in a list, found none');
    const terms = items.map((item) => this.check(item, locals));
    const [first] = terms;
    const odd = terms.find(({ type }) => !isComparable(type, first?.type ?? JSON_VALUE));
    if (odd !== undefined) failAt(odd, `expected values of one kind in a list, found ${describeType(odd.type)}`);
    return { ...span, node: 'list', items: terms, type: { kind: 'list', of: widen(first?.type ?? JSON_VALUE) } };
  }

  #path(parts: readonly (string | number)[], span: Span, locals: Locals): Term {
    const [first = '', ...members] = parts;
    const local = locals.get(String(first));
    if (local !== undefined) {
      if (members.length > 0 && local.type.kind !== 'json') noMembers(span, String(first), local.type);
      return { ...span, node: 'local', slot: local.slot, members, type: members.length > 0 ? JSON_VALUE : local.type };
    }
    const { field, rest } = this.#field(parts, span);
    const type = FIELDS.get(field)?.type ?? JSON_VALUE;
    if (field === 'notes' && !this.#scope.isStrict) {
      failAt(
        span,
        'expected no notes in a rule that allows: nobody vouches for them, so they can only make it stricter',
      );
    }
    if (rest.length === 0) return { ...span, node: 'field', field, members: [], type };
    if (type.kind !== 'json') noMembers(span, field, type);
    return { ...span, node: 'field', field, members: rest, type: this.#memberType(field, rest, span) };
  }

  /** The field that a path begins with; the longest, since `resource.attrs` is one and `resource` none. */
  #field(parts: readonly (string | number)[], span: Span) {
    for (const length of [2, 1]) {
      const field = parts.slice(0, length).join('.');
      if (FIELDS.has(field)) return { field, rest: parts.slice(length) };
    }
    const written = parts.slice(0, 2).join('.');
    const names = [...FIELDS.keys()];
    const [group = ''] = parts;
    const inGroup = names.filter((name) => name.startsWith(`${group}.`));
    const meant = nearest(written, names) ?? nearest(String(group), names);
    const message = `expected a path of the request, found "${parts.join('.')}"`;
    return failAt(span, message, meant ?? (inGroup.length > 0 ? inGroup.join(', ') : undefined));
  }

  #memberType(field: string, members: readonly (string | number)[], span: Span): ValueType {
    const { args } = this.#scope;
    const [name = ''] = members;
    if (field !== 'args' || args === undefined) return JSON_VALUE;
    const type = args.get(String(name));
    if (type === undefined) {
      const message = `expected an argument of the tool, found "${name}"; it takes ${[...args.keys()].join(', ') || 'none'}`;
      const meant = nearest(String(name), args.keys());
      failAt(span, message, meant === undefined ? undefined : `args.${meant}`);
    }
    if (members.length === 1) return type;
    if (type.kind !== 'json') noMembers(span, `args.${name}`, type);
    return JSON_VALUE;
  }

  #call(name: string, args: readonly Syntax[], span: Span, locals: Locals): Term {
    switch (name) {
      case 'has':
        return this.#has(args, span, locals);
      case 'money':
        return this.#money(args, span);
      case 'integrity':
        return this.#integrity(args, span);
      case 'facts.count':
      case 'facts.sum':
        return this.#fact(name === 'facts.sum' ? 'sum' : 'count', args, span, locals);
      case 'flow.integrity':
      case 'flow.labels':
        return this.#flow(name === 'flow.labels' ? 'labels' : 'integrity', args, span);
    }
    const builtin = BUILTINS.get(name);
    if (builtin === undefined) {
      failAt(span, `expected a function, found "${name}"`, nearest(name, [...BUILTINS.keys(), ...SPECIAL]));
    }
    if (args.length !== builtin.parameters.length)
      failAt(span, `expected ${builtin.usage}, found ${args.length} values`);
    const terms = args.map((arg, n) => {
      const term = this.check(arg, locals);
      const parameter = builtin.parameters[n] ?? 'scalar';
      if (!fits(term.type, parameter)) failAt(arg, `expected ${builtin.usage}, found ${describeType(term.type)}`);
      return term;
    });
    return { ...span, node: 'call', name, builtin, args: terms, type: builtin.result };
  }

  #has(args: readonly Syntax[], span: Span, locals: Locals): Term {
    const [of] = args;
    if (args.length !== 1 || of?.type !== 'path') failAt(span, 'expected has(path)');
    return { ...span, node: 'has', of: this.check(of, locals), type: BOOLEAN };
  }

  #money(args: readonly Syntax[], span: Span): Term {
    const [text, digits] = args.map((arg) => (arg.type === 'literal' ? arg.value : undefined));
    const value =
      typeof text === 'string' && (args.length === 1 || (args.length === 2 && typeof digits === 'number'))
        ? minorUnits(text, typeof digits === 'number' ? digits : 2)
        : undefined;
    if (value === undefined) failAt(span, 'expected money("12.50"), or money("1250", 0) for a currency without cents');
    return { ...span, node: 'literal', value, type: INTEGER };
  }

  #integrity(args: readonly Syntax[], span: Span): Term {
    const [name] = args;
    const value = name?.type === 'literal' && typeof name.value === 'string' ? integrityRank(name.value) : undefined;
    if (value === undefined || args.length !== 1) failAt(span, `expected integrity("…") of ${INTEGRITIES.join(', ')}`);
    return { ...span, node: 'literal', value, type: INTEGER };
  }

  #flow(part: 'integrity' | 'labels', args: readonly Syntax[], span: Span): Term {
    const [pointer] = args;
    const text = pointer?.type === 'literal' ? pointer.value : undefined;
    if (args.length !== 1 || typeof text !== 'string' || (text !== '' && !text.startsWith('/'))) {
      failAt(span, `expected flow.${part}("/argument"), a JSON pointer into the arguments`);
    }
    const { args: known } = this.#scope;
    const [first] = pointerParts(text);
    if (known !== undefined && first !== undefined && !known.has(first)) {
      failAt(span, `expected an argument of the tool, found "${first}"`, nearest(first, known.keys()));
    }
    return { ...span, node: 'flow', part, pointer: text, type: part === 'labels' ? STRINGS : INTEGER };
  }

  #fact(aggregate: 'count' | 'sum', args: readonly Syntax[], span: Span, locals: Locals): Term {
    const [name, window, ...key] = args;
    const text = name?.type === 'literal' ? name.value : undefined;
    if (typeof text !== 'string') failAt(span, `expected facts.${aggregate}("name"), as the document declares it`);
    const declared = this.#scope.facts.get(text);
    if (declared === undefined) {
      failAt(
        span,
        `expected a fact that the document declares, found "${text}"`,
        nearest(text, this.#scope.facts.keys()),
      );
    }
    if (aggregate === 'sum' && !declared.hasSum)
      failAt(span, `expected a fact with a sum, but "${text}" is only counted`);
    const windowMs = windowOf(window, declared, span);
    const paths = key.map((each) => (each.type === 'path' ? each.parts.join('.') : undefined));
    if (key.length > 0 && paths.join() !== declared.by.join()) {
      failAt(span, `expected the key that the fact is declared with: ${declared.by.join(', ') || 'none'}`);
    }
    const terms = declared.by.map((path) => this.#path(path.split('.'), span, locals));
    return { ...span, node: 'fact', aggregate, name: text, windowMs, key: terms, type: { kind: 'integer' } };
  }

  #relation(tree: Syntax & { readonly type: 'relation' }, locals: Locals): Term {
    const [left, right] = [this.check(tree.left, locals), this.check(tree.right, locals)];
    const made: Term = {
      start: tree.start,
      end: tree.end,
      node: 'relation',
      relation: tree.relation,
      left,
      right,
      type: BOOLEAN,
    };
    switch (tree.relation) {
      case '==':
      case '!=':
        mustCompare(left, right);
        return made;
      case 'in': {
        if (right.type.kind !== 'list' && right.type.kind !== 'json') {
          failAt(tree.right, `expected a list after "in", found ${describeType(right.type)}`);
        }
        const members = right.node === 'list' ? right.items : [];
        for (const item of members) mustCompare(left, item);
        if (right.type.kind === 'list' && !isComparable(left.type, right.type.of)) {
          failAt(tree, `expected a value of the list's kind, found ${describeType(left.type)}`);
        }
        if (left.node === 'literal' && right.type.kind === 'list') mustBeWord(left, right.type.of);
        return made;
      }
      case 'like':
        if (!fits(left.type, 'string')) failAt(tree.left, `expected a string, found ${describeType(left.type)}`);
        if (right.node !== 'literal' || typeof right.value !== 'string') {
          failAt(tree.right, 'expected a pattern in quotes after "like"');
        }
        return made;
      default:
        for (const side of [left, right]) {
          if (fits(side.type, 'integer')) continue;
          const found = describeType(side.type);
          failAt(side, `expected a number beside "${tree.relation}", found ${found}`, numberIn(side));
        }
        return made;
    }
  }

  #quantified(tree: Syntax & { readonly type: 'any' | 'all' }, locals: Locals): Term {
    const list = this.check(tree.list, locals);
    if (!fits(list.type, 'list')) failAt(tree.list, `expected a list, found ${describeType(list.type)}`);
    if (locals.size >= LOCALS_MAX) failAt(tree, `expected at most ${LOCALS_MAX} lists inside one another`);
    if (locals.has(tree.name) || FIELDS.has(tree.name)) failAt(tree, `expected a new name, found "${tree.name}"`);
    const type = list.type.kind === 'list' ? list.type.of : JSON_VALUE;
    const slot = locals.size;
    const term = this.#condition(tree.term, new Map([...locals, [tree.name, { slot, type }]]));
    return { start: tree.start, end: tree.end, node: tree.type, slot, list, term, type: BOOLEAN };
  }
}

const SPECIAL = [
  'has',
  'money',
  'integrity',
  'facts.count',
  'facts.sum',
  'flow.integrity',
  'flow.labels',
  'any',
  'all',
];

function windowOf(window: Syntax | undefined, { windowsMs }: FactDeclaration, span: Span): number {
  const [only] = windowsMs;
  if (window === undefined) {
    if (only === undefined || windowsMs.length > 1) failAt(span, 'expected a window, since the fact has several');
    return only;
  }
  const value = window.type === 'literal' ? window.value : undefined;
  const millis = typeof value === 'string' ? durationMs(value) : value;
  if (typeof millis !== 'number' || !windowsMs.includes(millis)) {
    failAt(window, `expected a window that the fact is declared with, in ms: ${windowsMs.join(', ')}`);
  }
  return millis;
}

/** `"24h"` in milliseconds; `undefined` where it is no duration of at most a year. */
export function durationMs(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
  const millis = factor === undefined ? Number.NaN : Number(digits) * factor;
  return millis > 0 && millis <= 366 * 86_400_000 ? millis : undefined;
}

function noMembers(span: Span, path: string, type: ValueType): never {
  return failAt(span, `expected no members below ${path}, which is ${describeType(type)}`);
}

function mustCompare(left: Term, right: Term): void {
  if (!isComparable(left.type, right.type)) {
    const found = `${describeType(left.type)} and ${describeType(right.type)}`;
    failAt(
      right,
      `expected two values of one kind, found ${found}`,
      left.type.kind === 'integer' ? numberIn(right) : undefined,
    );
  }
  mustBeWord(right, left.type);
  mustBeWord(left, right.type);
}

/** A literal that the other side can never be. */
function mustBeWord(term: Term, type: ValueType): void {
  if (type.kind !== 'string' || type.values === undefined || term.node !== 'literal') return;
  if (typeof term.value !== 'string' || type.values.includes(term.value)) return;
  failAt(term, `expected ${describeType(type)}, found ${JSON.stringify(term.value)}`, nearest(term.value, type.values));
}

function literalType(value: string | number | boolean | null): ValueType {
  if (value === null) return { kind: 'null' };
  if (typeof value === 'number') return { kind: 'integer', min: value, max: value };
  return typeof value === 'boolean' ? BOOLEAN : { kind: 'string' };
}

function widen(type: ValueType): ValueType {
  return type.kind === 'integer' ? INTEGER : type;
}

function isCondition({ kind }: ValueType): boolean {
  return kind === 'boolean' || kind === 'json';
}

function isComparable(a: ValueType, b: ValueType): boolean {
  if (a.kind === 'list' || b.kind === 'list') return false;
  return a.kind === b.kind || [a.kind, b.kind].some((kind) => kind === 'json' || kind === 'null');
}

function fits({ kind }: ValueType, parameter: Parameter): boolean {
  if (kind === 'json') return true;
  if (parameter === 'text or list') return kind === 'string' || kind === 'list';
  if (parameter === 'scalar') return kind !== 'list';
  return kind === parameter;
}

/** `"100"` where a number was meant. */
function numberIn(term: Term): string | undefined {
  const text = term.node === 'literal' && typeof term.value === 'string' ? term.value : '';
  return /^-?\d{1,15}$/.test(text) ? text : undefined;
}
