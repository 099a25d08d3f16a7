/** What an act needs of its agent, and who gets round it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Action, Risk } from '../../runtime/kernel/action.ts';
import { decide, type Gate } from '../../runtime/kernel/gate.ts';
import { trustGate, trustNeeded } from './gate.ts';
import { Trail } from './trail.fixture.ts';
import { Trust } from './trust.ts';

const yes: Gate = { check: () => ({ verdict: 'allow' }) };

/** An agent `clerk` whose floor is `floor`; what the kernel would say to an act of it. */
async function aClerk(floor: number | undefined, over: Partial<Parameters<typeof trustGate>[0]> = {}) {
  const trail = await Trail.begin();
  if (floor !== undefined) await trail.endorsed('clerk', floor);
  const trust = new Trust(trail.log);
  const gate = trustGate({ verify: (agent, required) => trust.verifyAgent(agent, required), ...over });
  const said = (act: Partial<Action> = {}) => {
    const base = { key: 'k', agent: 'clerk', verb: 'use', target: 'file.write', effect: 'idempotent', risk: 1 };
    const action = { ...base, input: null, ...act } as Action;
    return decide({ trust: gate, policy: yes }, { action, at: trail.now } as Parameters<typeof decide>[1]);
  };
  return { trail, said };
}

describe('G1: what an act needs', () => {
  test.each([
    [0, 0, 'policy.allowed', 'policy.allowed'],
    [1, 300, 'trust.too_low', 'policy.allowed'],
    [2, 500, 'trust.too_low', 'policy.allowed'],
    [3, 700, 'trust.too_low', 'policy.allowed'],
    [4, 850, 'trust.too_low', 'trust.needs_approval'],
  ] as const)('of class %i is %i: one point less, and %s; as much, and %s', async (risk, need, less, enough) => {
    for (const verb of ['use', 'ask', 'tell', 'spawn'] as const) {
      expect((await aClerk(Math.max(0, need - 1))).said({ verb, risk }).code).toBe(less);
      expect((await aClerk(need)).said({ verb, risk }).code).toBe(enough);
    }
  });

  test.each([
    ['a pure computation', { effect: 'pure', risk: 3 }, 'policy.allowed'],
    ['a stop', { verb: 'stop', risk: 1 }, 'policy.allowed'],
    ['a message that says it is pure', { verb: 'ask', effect: 'pure', risk: 3 }, 'trust.too_low'],
    ['a class beyond the worst', { risk: 5 as Risk }, 'trust.too_low'],
    ['a class that is no number', { risk: Number.NaN as Risk }, 'trust.too_low'],
    ['a need that is no number', { risk: 0, needs: { trust: Number.NaN } }, 'trust.too_low'],
    ['a class below the harmless', { risk: -1 as Risk }, 'trust.too_low'],
  ] as const)('of a newcomer for %s: %j says %s', async (_, act, code) => {
    expect((await aClerk(undefined)).said(act as Partial<Action>).code).toBe(code);
  });

  test('is at least what the contract wants, and never less than the table', async () => {
    const { said } = await aClerk(499);
    expect(said({ verb: 'ask', risk: 0, needs: { trust: 500 } }).code).toBe('trust.too_low');
    expect(said({ verb: 'ask', risk: 1, needs: { trust: 499 } }).code).toBe('policy.allowed');
    expect(said({ verb: 'ask', risk: 2, needs: { trust: 0 } }).code).toBe('trust.too_low');
  });

  test('is what the worse of two words says: the tool’s, or its manifest’s', async () => {
    const { said } = await aClerk(300, { riskOf: () => 2 });
    expect(said({ risk: 1 }).code).toBe('trust.too_low');
  });

  test('never falls as the class or what is wanted rises', () => {
    const risk = fc.integer({ min: 0, max: 3 }) as fc.Arbitrary<Risk>;
    const act = fc.record({ risk, wanted: fc.integer({ min: 0, max: 999 }) });
    const property = fc.property(act, ({ risk, wanted }) => {
      const need = trustNeeded(risk, wanted);
      return need <= trustNeeded((risk + 1) as Risk, wanted) && need <= trustNeeded(risk, wanted + 1);
    });
    expect(() => fc.assert(property)).not.toThrow();
  });
});

describe('G2: what counts', () => {
  test('is an operator’s word while it holds, for the classes that it is worth', async () => {
    const { said } = await aClerk(undefined, { vouchedFor: () => 600 });
    expect([1, 2, 3].map((risk) => said({ risk: risk as Risk }).code)).toEqual([
      'policy.allowed',
      'policy.allowed',
      'trust.too_low',
    ]);
  });

  test('falls at once with a violation, whatever the endorsement said', async () => {
    const { trail, said } = await aClerk(900);
    expect(said({ risk: 3 }).code).toBe('policy.allowed');
    await trail.denied('clerk', 'delegation', {}, 'delegation.args_denied');
    expect([1, 2, 3].map((risk) => said({ risk: risk as Risk }).code)).toEqual(Array(3).fill('trust.too_low'));
    expect(said({ verb: 'ask', risk: 0 }).code).toBe('policy.allowed');
  });

  test('does not let much be at stake at once; questions are no stake, and an act tried again is one', async () => {
    const { trail, said } = await aClerk(900);
    for (let n = 0; n < 30; n++) await trail.allowed('clerk', { verb: 'ask', target: `quote.price@${n}`, risk: 0 });
    expect(said({ risk: 3 }).code).toBe('policy.allowed');
    const keys = [];
    for (let n = 0; n < 4; n++) keys.push(await trail.allowed('clerk', { risk: 3 })); // 4 × 4 units
    expect(said({ risk: 3 }).code).toBe('trust.too_exposed');
    expect(said({ risk: 3, ...keys.slice(0, 1).map((key) => ({ key }))[0] }).code).toBe('policy.allowed');
  });
});

test('G4: what arrived was held against its sender before', async () => {
  const { said } = await aClerk(undefined);
  expect(said({ verb: 'ask', risk: 3, isArrival: true }).code).toBe('policy.allowed');
  expect(said({ verb: 'ask', risk: 4, isArrival: true }).code).toBe('trust.needs_approval'); // G3
});
