import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { request, rules } from '../policy.fixture.ts';
import { contextOf, decide, weigh } from './decide.ts';

const number = fc.integer({ min: -5, max: 25 });
const comparing = (name: string) =>
  fc
    .tuple(fc.constantFrom('<', '<=', '>', '>=', '==', '!='), number)
    .map(([operator, bound]) => `args.${name} ${operator} ${bound}`);
const [amount, count] = [comparing('amount'), comparing('count')];
/** One that some request meets: others are refused when they are read. */
const condition = fc.oneof(
  amount,
  count,
  fc.tuple(amount, count).map((both) => both.join(' and ')),
  fc.tuple(number, number).map(([from, length]) => `args.amount >= ${from} and args.amount <= ${from + length + 5}`),
  fc.tuple(amount, amount).map((both) => both.join(' or ')),
  fc.tuple(amount, fc.constantFrom('eu', 'us')).map(([each, region]) => `args.region == "${region}" and ${each}`),
);
const value = fc.oneof(number, fc.constantFrom<JsonValue>('7', null, 7.5, [], Number.MAX_SAFE_INTEGER));
const args = fc.record(
  { amount: value, count: value, region: fc.constantFrom<JsonValue>('eu', 'us', 'x', 3) },
  { requiredKeys: [] },
);

describe('a long list of rules about one tool', () => {
  test('X1: by numbers and texts, finds the very rules that asking each of them finds', () => {
    const effect = fc.constantFrom(...Array.from({ length: 40 }, () => 'allow'), 'deny', 'escalate');
    let [asked, every] = [0, 0];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(condition, effect), { minLength: 30, maxLength: 60 }),
        fc.array(args, { minLength: 10, maxLength: 10 }),
        (written, given) => {
          const bundle = known(written);
          for (const each of given) {
            const made = request({ args: each as JsonValue });
            const all = weigh(bundle, contextOf(bundle, made), (_, visit) => void bundle.clauses.some(visit));
            const found = decide(bundle, made);
            expect(found.verdict).toBe(all.verdict);
            if (found.verdict === 'deny') continue; // of several that deny, the first one met is named
            expect(found).toEqual({ ...all, evaluated: found.evaluated });
            asked += found.evaluated;
            every += all.evaluated;
          }
        },
      ),
    );
    expect(asked).toBeLessThan(every);
  });

  test('X1: asks as many rules as hold, however many there are', () => {
    const tiers = Array.from({ length: 400 }, (_, n) => `args.amount >= ${n * 10} and args.amount < ${n * 10 + 10}`);
    const caps = Array.from({ length: 400 }, (_, n) => `args.amount > ${100_000 + n}`);
    const bundle = known([...tiers, ...caps].map((when) => [when, 'allow'] as const));

    const at = (amount: JsonValue) => decide(bundle, request({ args: { amount } }));

    expect(at(2_345)).toMatchObject({ verdict: 'allow', determining: [{ rule: 'test/r234' }], evaluated: 1 });
    expect(at(50_000)).toMatchObject({ verdict: 'deny', evaluated: 0 });
    expect(at('2345')).toMatchObject({ verdict: 'deny', evaluated: 800 }); // unknown: each is asked
  });
});

function known(written: readonly (readonly [when: string, effect: string])[]) {
  return rules(
    written
      .map(([when, effect], n) => `- { id: r${n}, on: { tool: crm.lookup }, when: '${when}', effect: ${effect} }`)
      .join('\n'),
  );
}
