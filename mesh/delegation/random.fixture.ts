/** Random predicates and arguments over few names and values, so that they meet. */
import fc from 'fast-check';
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { Predicate } from './predicate.ts';

const names = fc.constantFrom('a', 'b', 'c.d', 'e.*');
const texts = fc.constantFrom('x', 'y', '/data', '/data/x', 'xyx', '');
const numbers = fc.integer({ min: -1, max: 3 });

export const anyPredicate: fc.Arbitrary<Predicate> = fc.oneof(
  fc.record({ arg: names, is: fc.constant('eq' as const), value: fc.oneof(texts, numbers, fc.boolean()) }),
  fc.record({
    arg: names,
    is: fc.constant('in' as const),
    value: fc.array(fc.oneof(texts, numbers), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ arg: names, is: fc.constant('like' as const), value: fc.constantFrom('*', 'x*', '*x', 'x*x', '/data*') }),
  fc.record({ arg: names, is: fc.constant('max' as const), value: numbers }),
  fc.record({ arg: names, is: fc.constant('prefix' as const), value: fc.constantFrom('/', '/data', '/data/x') }),
);

const value: fc.Arbitrary<JsonValue> = fc.oneof(texts, numbers, fc.boolean(), fc.constant(null));

export const anyArguments: fc.Arbitrary<JsonValue & object> = fc.record(
  { a: value, b: value, c: fc.record({ d: value }, { requiredKeys: [] }), e: fc.array(value, { maxLength: 3 }) },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonValue & object>;
