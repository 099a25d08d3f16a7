import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Millis } from '../core/brand.ts';
import { type Call, CHAIN_AGENTS_MAX, nest } from './call-chain.ts';

const at = (ms: number, withinMs = 1_000) => ({ at: ms as Millis, withinMs });

describe('a call', () => {
  test('C1: a cycle is refused with its path', () => {
    const outer: Call = { chain: ['a', 'b'], deadline: 5_000 as Millis };

    expect(nest(outer, 'c', 'b', at(0))).toMatchObject({
      ok: false,
      error: { code: 'ask.cycle', message: expect.stringContaining('b → c → b') },
    });
    expect(nest(undefined, 'a', 'a', at(0))).toMatchObject({ ok: false, error: { code: 'ask.cycle' } });
  });

  test('C2: a nested deadline is the earlier of both', () => {
    const outer: Call = { chain: ['a'], deadline: 500 as Millis };

    expect(nest(outer, 'b', 'c', at(0, 1_000))).toEqual({ ok: true, value: { chain: ['a', 'b'], deadline: 500 } });
    expect(nest(outer, 'b', 'c', at(0, 100))).toMatchObject({ value: { deadline: 100 } });
    expect(nest(outer, 'b', 'c', at(500))).toMatchObject({ ok: false, error: { code: 'ask.no_time' } });
  });

  test('C3: a chain of ever new agents ends', () => {
    const chain = Array.from({ length: CHAIN_AGENTS_MAX - 1 }, (_, n) => `a${n}`);

    expect(nest({ chain, deadline: 5_000 as Millis }, 'b', 'c', at(0))).toMatchObject({
      error: { code: 'ask.too_deep' },
    });
  });

  test('C2: along any chain the deadline only shrinks and nobody stands in it twice', () => {
    const hop = fc.record({ to: fc.nat(20), after: fc.nat(300), within: fc.integer({ min: 1, max: 2_000 }) });
    fc.assert(
      fc.property(fc.array(hop, { maxLength: 40 }), (hops) => {
        let outer: Call | undefined;
        let [caller, now] = ['start', 0];
        for (const { to, after, within } of hops) {
          now += after;
          const call = nest(outer, caller, `a${to}`, at(now, within));
          if (!call.ok) return;
          expect(call.value.deadline).toBeLessThanOrEqual(outer?.deadline ?? Number.POSITIVE_INFINITY);
          expect(new Set(call.value.chain).size).toBe(call.value.chain.length);
          [outer, caller] = [call.value, `a${to}`];
        }
      }),
    );
  });
});
