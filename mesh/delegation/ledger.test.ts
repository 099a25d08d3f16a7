import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cid, cidOf } from '../../runtime/codec/cid.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { type Amount, lacking, minus, plus, tighter, UNITS } from './amount.ts';
import { Ledger } from './ledger.ts';
import { DELEGATION_EVENTS, type DelegationEventType, parsePayload } from './vocabulary.ts';

const cids: readonly Cid[] = ['root', 'left', 'right', 'leaf'].map((text) => cidOf(utf8(text)));
const [root, left, right, leaf] = cids as [Cid, Cid, Cid, Cid];
/** Two children of one parent, and a grandchild. */
const chains = [[root], [root, left], [root, right], [root, left, leaf]] as const;

describe('B1: a debit', () => {
  test('is booked to every link of its chain, and to no other', () => {
    const ledger = new Ledger();
    ledger.debit([root, left], { calls: 1, cents: 7 });
    ledger.debit([root, right], { calls: 1 });
    expect([root, left, right, leaf].map((cid) => ledger.spent(cid))).toEqual([
      { calls: 2, cents: 7 },
      { calls: 1, cents: 7 },
      { calls: 1 },
      {},
    ]);
  });
});

describe('B2: a reservation', () => {
  test.each([
    ['ok', { calls: 1, cents: 9 }],
    ['unknown', { calls: 1, cents: 9 }],
    ['failed', { calls: 1 }],
    ['abandoned', {}],
  ] as const)('that ends as %s costs %j', (status, cost) => {
    const ledger = new Ledger();
    ledger.reserve('act', [root], { calls: 1, cents: 9 });
    expect(ledger.spent(root)).toEqual({ calls: 1, cents: 9 });
    ledger.settle('act', status);
    expect(ledger.spent(root)).toEqual(cost);
  });

  test('B3: is made once, and settled once', () => {
    const ledger = new Ledger();
    ledger.reserve('act', [root], { calls: 1 });
    ledger.reserve('act', [root], { calls: 1 });
    expect(ledger.spent(root)).toEqual({ calls: 1 });
    ledger.settle('act', 'ok');
    ledger.settle('act', 'ok');
    ledger.settle('another', 'ok');
    expect(ledger.spent(root)).toEqual({ calls: 1 });
    expect(ledger.isOpen('act')).toBe(false);
  });
});

test('budgets are conserved, whatever is reserved and settled in whatever order', () => {
  const bounds: Readonly<Record<string, Amount>> = {
    [root]: { calls: 10, cents: 50 },
    [left]: { calls: 6 },
    [right]: { calls: 6, cents: 20 },
    [leaf]: { cents: 15 },
  };
  const step = fc.record({
    chain: fc.constantFrom(...chains),
    cost: fc.record({ calls: fc.nat(3), cents: fc.nat(12) }),
    settle: fc.nat(20),
    status: fc.constantFrom('ok' as const, 'failed' as const, 'unknown' as const, 'abandoned' as const),
  });
  let refused = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const ledger = new Ledger();
      for (const [n, { chain, cost, settle, status }] of steps.entries()) {
        const isEnough = chain.every((cid) => lacking(bounds[cid] ?? {}, ledger.spent(cid), cost) === undefined);
        if (isEnough) ledger.reserve(String(n), chain, cost);
        else refused += 1;
        if (settle < n) ledger.settle(String(settle), status);
        for (const cid of cids) {
          for (const unit of UNITS) {
            const bound = bounds[cid]?.[unit] ?? Number.POSITIVE_INFINITY;
            expect(ledger.spent(cid)[unit] ?? 0).toBeLessThanOrEqual(bound);
          }
        }
      }
      // What was spent below was spent above as well.
      for (const unit of UNITS) {
        const [of, ofChildren] = [
          ledger.spent(root)[unit] ?? 0,
          [left, right].map((cid) => ledger.spent(cid)[unit] ?? 0),
        ];
        expect(of).toBeGreaterThanOrEqual(ofChildren.reduce((a, b) => a + b, 0));
        expect(ledger.spent(left)[unit] ?? 0).toBeGreaterThanOrEqual(ledger.spent(leaf)[unit] ?? 0);
      }
    }),
  );
  expect(refused).toBeGreaterThan(10);
});

test('amounts add, subtract and bound unit by unit', () => {
  const any = fc.record({ calls: fc.nat(9), cents: fc.nat(9), ms: fc.nat(9), tokens: fc.nat(9) }, { requiredKeys: [] });
  fc.assert(
    fc.property(any, any, any, (a, b, c) => {
      expect(plus(a, b)).toEqual(plus(b, a));
      expect(minus(plus(a, b), b)).toEqual(plus(a, {}));
      expect(lacking(tighter(a, b), {}, c) === undefined).toBe(
        lacking(a, {}, c) === undefined && lacking(b, {}, c) === undefined,
      );
    }),
  );
});

describe('the vocabulary', () => {
  /** One sample of every version of every type, as it was first recorded. Old logs hold these for ever: never edit one. */
  const golden = JSON.parse(readFileSync(new URL('golden/delegation-events.json', import.meta.url), 'utf8')) as {
    readonly [type: string]: { readonly [version: string]: JsonValue };
  };

  test.each(Object.keys(DELEGATION_EVENTS) as DelegationEventType[])(
    '%s has a golden sample of every version',
    (type) => {
      expect(Object.keys(golden[type] ?? {})).toEqual(Object.keys(DELEGATION_EVENTS[type]));
      expect(parsePayload(type, golden[type]?.['1'] ?? null)).toEqual(golden[type]?.['1']);
    },
  );

  test('takes nothing else', () => {
    expect(parsePayload('budget.debited', { amount: {}, delegations: [] })).toBeUndefined();
    expect(parsePayload('budget.debited', { amount: { calls: -1 }, delegations: [], key: 'k' })).toBeUndefined();
  });
});
