import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { combineObligations, type Obligation, redact, unsupported } from './obligation.ts';
import { compareVerdicts, meet, type Verdict } from './verdict.ts';

const verdicts = fc.constantFrom<Verdict>('deny', 'escalate', 'allow');

test('verdicts are a lattice: meet is the lesser, in any order', () => {
  fc.assert(
    fc.property(verdicts, verdicts, verdicts, (a, b, c) => {
      expect(meet(a, b)).toBe(meet(b, a));
      expect(meet(meet(a, b), c)).toBe(meet(a, meet(b, c)));
      expect(meet(a, a)).toBe(a);
      expect(compareVerdicts(meet(a, b), a)).toBeLessThanOrEqual(0);
    }),
  );
});

const obligations = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('sandbox' as const), ring: fc.constantFrom(0, 1, 2, 3) }),
    fc.record({ kind: fc.constant('notify' as const), to: fc.constantFrom('a', 'b') }),
    fc.record({ kind: fc.constant('label' as const), add: fc.subarray(['x', 'y', 'z']) }),
    fc.record({ kind: fc.constant('verify' as const), models: fc.integer({ min: 1, max: 5 }), agree: fc.constant(1) }),
    fc.record({
      kind: fc.constant('redact' as const),
      path: fc.constantFrom('/a', '/b'),
      with: fc.constantFrom('x', 'x', 'y'),
    }),
  ),
  { maxLength: 6 },
) as fc.Arbitrary<Obligation[]>;

test('obligations add up to one list, whatever their order and however often each is given', () => {
  fc.assert(
    fc.property(obligations, (all) => {
      const [once, back] = [combineObligations([...all, ...all]), combineObligations([...all, ...all].reverse())];
      expect(back).toEqual(once);
    }),
  );
});

test('what a host cannot do is found', () => {
  expect(
    unsupported(
      [
        { kind: 'notify', to: 'x' },
        { kind: 'sandbox', ring: 3 },
      ],
      new Set(['notify']),
    ),
  ).toEqual([{ kind: 'sandbox', ring: 3 }]);
});

describe('redact', () => {
  const at = (path: string): Obligation[] => [{ kind: 'redact', path, with: '[redacted]' }];

  test.each([
    ['/a', { a: '[redacted]', b: [1, { c: 2 }] }],
    ['/b/1/c', { a: 'x', b: [1, { c: '[redacted]' }] }],
    ['', '[redacted]'],
  ])('replaces what stands at %j', (path, expected) => {
    expect(redact({ a: 'x', b: [1, { c: 2 }] }, at(path))).toEqual(expected);
  });

  test.each(['/z', '/b/2', '/b/length', '/b/-', '/a/x', '/constructor'])(
    'has no answer where there is nothing at %j',
    (path) => {
      expect(redact({ a: 'x', b: [1, 2] }, at(path))).toBeUndefined();
    },
  );

  test('keeps a member called __proto__ a member', () => {
    const value = JSON.parse('{"__proto__":{"x":1},"a":2}');

    expect(JSON.stringify(redact(value, at('/a')))).toBe('{"__proto__":{"x":1},"a":"[redacted]"}');
  });
});
