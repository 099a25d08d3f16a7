/**
 * A checked expression as a closure over the request. No `eval`: works under any content security policy, and can be read.
 *
 * T1. Total: never throws, never loops for ever. What cannot be answered is `undefined`: unknown.
 * T2. Three values, after Kleene: `false and unknown` is false, `true or unknown` is true, everything else that meets
 *     unknown is unknown. Whoever asks decides what unknown means: a match for a rule that refuses, none for one that
 *     allows.
 * T3. Work is bounded: `any`, `all`, and functions over lists and texts draw on the context's steps; once they are used
 *     up, the answer is unknown.
 */
import { FACTS_LAG_MS_MAX, INTEGRITIES } from '../decision/request.ts';
import { type Context, FIELDS, memberOf, type Value } from './fields.ts';
import { costOf, equal, isIn } from './functions.ts';
import { compileLike } from './like.ts';
import type { Term } from './term.ts';

/** Steps that one decision may take: some milliseconds at most. */
export const STEPS_MAX = 200_000;

export type Evaluate = (context: Context) => Value;
/** `undefined` is unknown. */
export type Condition = (context: Context) => boolean | undefined;

export function compileCondition(term: Term): Condition {
  const evaluate = compile(term);
  if (term.type.kind === 'boolean') return evaluate as Condition;
  return (c) => truth(evaluate(c));
}

/** The closure that gives a term's value. */
export function compile(term: Term): Evaluate {
  switch (term.node) {
    case 'literal': {
      const { value } = term;
      return () => value;
    }
    case 'list': {
      const items = term.items.map(compile);
      return (c) => {
        const values: Value[] = [];
        for (const item of items) values.push(item(c));
        return values as Value;
      };
    }
    case 'field':
      return compileField(term.field, term.members);
    case 'local': {
      const { slot } = term;
      return below((c) => c.locals[slot], term.members);
    }
    case 'has': {
      const of = compile(term.of);
      return (c) => of(c) !== undefined;
    }
    case 'call':
      return compileCall(term);
    case 'fact':
      return compileFact(term);
    case 'flow': {
      const { part, pointer } = term;
      return (c) => {
        const flows = c.request.flow;
        const flow = flows !== undefined && Object.hasOwn(flows, pointer) ? flows[pointer] : undefined;
        if (flow === undefined || part === 'labels') return flow?.labels;
        const rank = INTEGRITIES.indexOf(flow.integrity);
        return rank === -1 ? undefined : rank;
      };
    }
    case 'and':
      return compileAnd(term.terms.map(compileCondition));
    case 'or':
      return compileOr(term.terms.map(compileCondition));
    case 'not': {
      const inner = compileCondition(term.term);
      return (c) => {
        const answer = inner(c);
        return answer === undefined ? undefined : !answer;
      };
    }
    case 'negate': {
      const inner = compile(term.term);
      return (c) => {
        const value = inner(c);
        return typeof value === 'number' ? safe(0 - value) : undefined;
      };
    }
    case 'sum':
      return compileSum(term);
    case 'relation':
      return compileRelation(term);
    case 'any':
    case 'all':
      return compileQuantified(term);
  }
}

function compileField(field: string, members: readonly (string | number)[]): Evaluate {
  const read = FIELDS.get(field)?.read ?? (() => undefined);
  return below(read, members);
}

function below(read: Evaluate, members: readonly (string | number)[]): Evaluate {
  const [first, second] = members;
  if (first === undefined) return read;
  if (second === undefined) return (c) => memberOf(read(c), first);
  return (c) => {
    let value = read(c);
    for (const member of members) value = memberOf(value, member);
    return value;
  };
}

function compileCall({ builtin, args }: Term & { readonly node: 'call' }): Evaluate {
  const { call } = builtin;
  const [first, second] = args.map(compile);
  if (first === undefined) return () => undefined;
  return (c) => {
    const a = first(c);
    const b = second?.(c);
    c.steps -= costOf(a, b);
    return c.steps < 0 ? undefined : call(a, b);
  };
}

function compileFact({ aggregate, name, windowMs, key }: Term & { readonly node: 'fact' }): Evaluate {
  const parts = key.map(compile);
  return (c) => {
    const { facts, at } = c.request;
    if (facts === undefined || at - facts.at > FACTS_LAG_MS_MAX || facts.at > at) return undefined;
    const readings = Object.hasOwn(facts.readings, name) ? facts.readings[name] : undefined;
    if (readings === undefined) return undefined;
    c.steps -= readings.length;
    if (c.steps < 0) return undefined;
    const wanted = parts.map((part) => part(c));
    const reading = readings.find(
      (each) =>
        each.windowMs === windowMs && each.key.length === wanted.length && each.key.every((k, n) => k === wanted[n]),
    );
    const value = aggregate === 'count' ? reading?.count : reading?.sum;
    return value === undefined ? undefined : safe(value);
  };
}

function compileAnd(terms: readonly Condition[]): Condition {
  return (c) => {
    let answer: boolean | undefined = true;
    for (const term of terms) {
      const holds = term(c);
      if (holds === false) return false;
      if (holds === undefined) answer = undefined;
    }
    return answer;
  };
}

function compileOr(terms: readonly Condition[]): Condition {
  return (c) => {
    let answer: boolean | undefined = false;
    for (const term of terms) {
      const holds = term(c);
      if (holds === true) return true;
      if (holds === undefined) answer = undefined;
    }
    return answer;
  };
}

function compileSum({ operator, left, right }: Term & { readonly node: 'sum' }): Evaluate {
  const [first, second] = [compile(left), compile(right)];
  return (c) => {
    const a = first(c);
    const b = second(c);
    if (typeof a !== 'number' || typeof b !== 'number' || !Number.isSafeInteger(a) || !Number.isSafeInteger(b)) {
      return undefined;
    }
    return safe(operator === '+' ? a + b : operator === '-' ? a - b : a * b);
  };
}

function compileRelation(term: Term & { readonly node: 'relation' }): Condition {
  const left = compile(term.left);
  switch (term.relation) {
    case '==':
    case '!=': {
      const right = compile(term.right);
      const wanted = term.relation === '==';
      return (c) => {
        const same = equal(left(c), right(c));
        return same === undefined ? undefined : same === wanted;
      };
    }
    case 'in':
      return compileIn(left, term.right);
    case 'like': {
      const matches = compileLike(term.right.node === 'literal' ? String(term.right.value) : '');
      return (c) => {
        const text = left(c);
        c.steps -= costOf(text, undefined);
        return c.steps < 0 ? undefined : matches(text);
      };
    }
    default: {
      const right = compile(term.right);
      const test = ORDERS[term.relation];
      return (c) => {
        const a = left(c);
        const b = right(c);
        if (typeof a !== 'number' || typeof b !== 'number' || !Number.isSafeInteger(a) || !Number.isSafeInteger(b)) {
          return undefined;
        }
        return test(a, b);
      };
    }
  }
}

const ORDERS = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
};

/** A list that is written out in the rule is a set. */
function compileIn(left: Evaluate, list: Term): Condition {
  const written =
    list.node === 'list' ? list.items.map((item) => (item.node === 'literal' ? item.value : undefined)) : [];
  const isText = written.length > 0 && written.every((value) => typeof value === 'string');
  if (isText) {
    const set = new Set<Value>(written);
    return (c) => {
      const value = left(c);
      if (typeof value === 'string') return set.has(value);
      return value === null ? false : undefined;
    };
  }
  const right = compile(list);
  return (c) => {
    const values = right(c);
    c.steps -= costOf(values, undefined);
    return c.steps < 0 ? undefined : isIn(left(c), values);
  };
}

function compileQuantified(term: Term & { readonly node: 'any' | 'all' }): Condition {
  const list = compile(term.list);
  const holds = compileCondition(term.term);
  const { slot } = term;
  const decisive = term.node === 'any';
  return (c) => {
    const items = list(c);
    if (!Array.isArray(items)) return undefined;
    let answer: boolean | undefined = !decisive;
    for (const item of items as readonly Value[]) {
      if (--c.steps < 0) return undefined;
      c.locals[slot] = item;
      const result = holds(c);
      if (result === decisive) return decisive;
      if (result === undefined) answer = undefined;
    }
    return answer;
  };
}

function truth(value: Value): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

function safe(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}
