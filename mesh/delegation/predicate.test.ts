import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { codeOf } from '../world.fixture.ts';
import { isPlainlyWider, type Predicate, predicate, satisfies } from './predicate.ts';
import { anyArguments, anyPredicate } from './random.fixture.ts';

const YES = 'yes';
const DENIED = 'delegation.args_denied';
const MISSING = 'delegation.missing_field';

function ask(one: Predicate, args: JsonValue): unknown {
  const verdict = satisfies([one], args);
  return verdict.ok ? YES : codeOf(verdict);
}

describe('Q1: a predicate', () => {
  test.each<[Predicate, JsonValue, string]>([
    [{ arg: 'a', is: 'eq', value: 'x' }, { a: 'x' }, YES],
    [{ arg: 'a', is: 'eq', value: 'x' }, { a: 'y' }, DENIED],
    [{ arg: 'a', is: 'eq', value: 1 }, { a: '1' }, DENIED],
    [{ arg: 'a', is: 'eq', value: false }, { a: null }, DENIED],
    [{ arg: 'a', is: 'eq', value: false }, {}, MISSING],
    [{ arg: 'a', is: 'eq', value: 'x' }, { a: ['x'] }, DENIED],
    [{ arg: 'a', is: 'eq', value: 'x' }, [], MISSING],
    [{ arg: 'a', is: 'eq', value: 'x' }, null, MISSING],
    [{ arg: 'a.b', is: 'eq', value: 'x' }, { a: { b: 'x' } }, YES],
    [{ arg: 'a.b', is: 'eq', value: 'x' }, { 'a.b': 'x' }, MISSING],
    [{ arg: 'constructor', is: 'like', value: '*' }, {}, MISSING],
    [{ arg: 'a.length', is: 'max', value: 9 }, { a: [1] }, MISSING],
    [{ arg: 'a', is: 'in', value: ['x', 7] }, { a: 7 }, YES],
    [{ arg: 'a', is: 'in', value: ['x', 7] }, { a: '7' }, DENIED],
    [{ arg: 'a', is: 'max', value: 500 }, { a: 500 }, YES],
    [{ arg: 'a', is: 'max', value: 500 }, { a: 501 }, DENIED],
    [{ arg: 'a', is: 'max', value: 500 }, { a: 0.5 }, DENIED],
    [{ arg: 'a', is: 'max', value: 500 }, { a: '1' }, DENIED],
    [{ arg: 'a', is: 'max', value: 500 }, { a: null }, DENIED],
    [{ arg: 'a', is: 'like', value: '@acme/*' }, { a: '@acme/x' }, YES],
    [{ arg: 'a', is: 'like', value: '@acme/*' }, { a: 'x@acme/x' }, DENIED],
    [{ arg: 'a', is: 'like', value: 'a*b*c' }, { a: 'abc' }, YES],
    [{ arg: 'a', is: 'like', value: 'ab*ba' }, { a: 'aba' }, DENIED],
    [{ arg: 'a', is: 'like', value: '.*' }, { a: 'x' }, DENIED],
    [{ arg: 'a', is: 'like', value: '*' }, { a: 7 }, DENIED],
    [{ arg: 'a', is: 'like', value: '*' }, { a: 'x'.repeat(4_097) }, DENIED],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: '/data' }, YES],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: '/data/x/y' }, YES],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: '/database' }, DENIED],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: 'data/x' }, DENIED],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: '/data/../etc' }, DENIED],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: '/data/./x' }, DENIED],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: '/data//x' }, DENIED],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: '/data/%2e%2e/etc' }, DENIED],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: '/data\\..\\etc' }, DENIED],
    [{ arg: 'a', is: 'prefix', value: '/data' }, { a: '/data/x\u0000' }, DENIED],
    [{ arg: 'a', is: 'prefix', value: '/' }, { a: '/etc' }, YES],
    [{ arg: 'a.*', is: 'in', value: ['x', 'y'] }, { a: ['x', 'y', 'x'] }, YES],
    [{ arg: 'a.*', is: 'in', value: ['x', 'y'] }, { a: ['x', 'z'] }, DENIED],
    [{ arg: 'a.*', is: 'in', value: ['x', 'y'] }, { a: [] }, MISSING],
    [{ arg: 'a.*', is: 'in', value: ['x', 'y'] }, { a: { 0: 'x' } }, MISSING],
    [{ arg: 'a.*.b', is: 'max', value: 2 }, { a: [{ b: 1 }, { b: 2 }] }, YES],
    [{ arg: 'a.*.b', is: 'max', value: 2 }, { a: [{ b: 1 }, {}] }, MISSING],
    [{ arg: 'a.*', is: 'eq', value: 'x' }, { a: [['x']] }, DENIED],
  ])('%j of %j: %s', (one, args, expected) => {
    expect(ask(one, args)).toBe(expected);
  });

  test.each<[unknown]>([
    [{ arg: 'a', is: 'not', value: 'x' }],
    [{ arg: 'a', is: 'constructor', value: 'x' }],
    [{ arg: 'a', is: 'eq', value: null }],
    [{ arg: 'a', is: 'eq', value: 0.5 }],
    [{ arg: 'a', is: 'eq' }],
    [{ arg: 'a', is: 'in', value: [] }],
    [{ arg: 'a', is: 'in', value: [['x']] }],
    [{ arg: 'a', is: 'max', value: '500' }],
    [{ arg: 'a', is: 'like', value: '' }],
    [{ arg: 'a', is: 'prefix', value: '/data/..' }],
    [{ arg: 'a', is: 'prefix', value: '' }],
    [{ arg: '', is: 'eq', value: 'x' }],
    [{ arg: 'a.*.*', is: 'eq', value: 'x' }],
    [{ arg: 'a', is: 'eq', value: 'x', or: true }],
    [['a', 'eq', 'x']],
  ])('like %j is none', (found) => {
    expect(predicate.faultIn(found, 'pol.0')).toMatchObject({ path: 'pol.0' });
  });
});

describe('Q2: predicates', () => {
  test('one more never allows more, and their order decides nothing but the code', () => {
    fc.assert(
      fc.property(fc.array(anyPredicate, { maxLength: 6 }), anyPredicate, anyArguments, (some, more, args) => {
        const [few, many] = [satisfies(some, args), satisfies([more, ...some], args)];
        expect(many.ok && !few.ok).toBe(false);
        expect(satisfies([...some, more], args).ok).toBe(many.ok);
      }),
    );
  });

  test('Q1: taking a member away never turns a no into a yes', () => {
    fc.assert(
      fc.property(fc.array(anyPredicate, { minLength: 1, maxLength: 4 }), anyArguments, fc.nat(5), (some, args, n) => {
        const name = Object.keys(args)[n];
        if (name === undefined) return;
        const { [name]: _, ...less } = args as Record<string, JsonValue>;
        expect(satisfies(some, less).ok && !satisfies(some, args).ok).toBe(false);
      }),
    );
  });

  test('what is plainly wider does let through what the parent does not, or asks for less', () => {
    fc.assert(
      fc.property(anyPredicate, anyPredicate, anyArguments, (child, parent, args) => {
        if (child.arg !== parent.arg || child.is !== parent.is || isPlainlyWider(child, parent)) return;
        if (child.is === 'like') return; // two patterns are not compared
        expect(satisfies([child], args).ok && !satisfies([parent], args).ok).toBe(false);
      }),
      { numRuns: 5_000 }, // about one pair in a hundred can be compared
    );
  });

  test('R13: a bomb is refused before it is tried', () => {
    const many = Array.from({ length: 64 }, () => ({ arg: 'a.*', is: 'in', value: ['x'] }) as const);
    const verdict = satisfies(many, { a: Array.from({ length: 200 }, () => 'x') });
    expect(codeOf(verdict)).toBe('delegation.too_costly');
  });
});
