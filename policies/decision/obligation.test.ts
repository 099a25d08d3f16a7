import fc from 'fast-check';
import { expect, test } from 'vitest';
import { combineObligations, type Obligation, unsupported } from './obligation.ts';
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
