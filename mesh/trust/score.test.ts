import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tierOf } from './rules.ts';
import { lowerBound, score } from './score.ts';
import { EMPTY_LEDGER, type Evidence, type Ledger, type Risk, subjectOf, unsponsored, witness } from './standing.ts';

const DAY = 86_400_000;
const BEGIN = 1_800_000_000_000;
const AGENT = subjectOf('agent', 'did:key:sponsor');

const seen = (type: 'good' | 'failed' | 'wrong', at: number, party = 'tool:a', risk: Risk = 1): Evidence => ({
  ...{ type, subject: AGENT, capability: 'file', party, risk, isVerified: true, at },
});
const violated = (at: number, risk: Risk = 1, type: 'policy' | 'scope' = 'policy'): Evidence => ({
  ...{ type, subject: AGENT, capability: 'file', risk, at },
});
const folded = (list: readonly Evidence[], from: Ledger = EMPTY_LEDGER): Ledger => list.reduce(witness, from);
const scoreAt = (ledger: Ledger, at: number): number => score(ledger, { subject: AGENT, at }).score;

/** Work with four parties every half hour for so many days. */
const work = (days: number, from = BEGIN): readonly Evidence[] =>
  Array.from({ length: days * 48 }, (_, n) => seen('good', from + n * 1_800_000, `tool:${n % 4}`));

/** Any history: what happened, with whom, how long after what was before it. */
const history = fc
  .array(
    fc.record({
      what: fc.constantFrom('good', 'good', 'good', 'failed', 'wrong', 'policy', 'scope'),
      party: fc.constantFrom('tool:a', 'tool:b', 'tool:c', 'tool:d'),
      risk: fc.constantFrom<Risk>(0, 1, 2, 3, 4),
      after: fc.oneof(fc.nat(3_600_000), fc.nat(20 * DAY)),
    }),
    { maxLength: 40 },
  )
  .map((list) => {
    let at = BEGIN;
    return list.map(({ what, party, risk, after }): Evidence => {
      at += after;
      return what === 'policy' || what === 'scope'
        ? violated(at, risk, what)
        : seen(what as 'good' | 'failed' | 'wrong', at, party, risk);
    });
  });

describe('a score', () => {
  test('of somebody new is near 20: unknown is not half trusted', () => {
    expect(score(EMPTY_LEDGER, { subject: AGENT, at: BEGIN })).toMatchObject({ score: 21, tier: 'untrusted' });
  });

  test('S1: of somebody for whom no sponsor has signed is 0, whatever was seen of him', () => {
    const subject = unsponsored('did:mesh:x:1');
    const ledger = work(10).reduce((before, one) => witness(before, { ...one, subject }), EMPTY_LEDGER);
    expect(score(ledger, { subject, at: BEGIN + 10 * DAY })).toMatchObject({ score: 0, limit: 0 });
  });

  test('reaches 700 with fourteen verified tasks, and 900 in days', () => {
    expect(scoreAt(folded(work(1).slice(0, 14)), BEGIN + 14 * 1_800_000)).toBeGreaterThanOrEqual(700);
    expect(scoreAt(folded(work(3)), BEGIN + 3 * DAY)).toBeGreaterThanOrEqual(900);
  });

  test('of 900 that nothing follows is at most 700 after 7 days and below 300 after 30', () => {
    const list = work(20);
    const ledger = Array.from({ length: list.length }, (_, n) => folded(list.slice(0, n))).find(
      (one, n) => scoreAt(one, BEGIN + n * 1_800_000) >= 900,
    );
    const last = ledger === undefined ? undefined : score(ledger, { subject: AGENT, at: 0 });
    expect(last?.score).toBeGreaterThanOrEqual(900);
    const silent = (days: number): number => scoreAt(ledger ?? EMPTY_LEDGER, BEGIN + 3 * DAY + days * DAY);
    expect(silent(7)).toBeLessThanOrEqual(700);
    expect(silent(30)).toBeLessThan(300);
  });

  test('stays at 600 while fewer than three have anything to say', () => {
    const two = work(20).map((one, n) => ({ ...one, party: `tool:${n % 2}` }) as Evidence);
    expect(scoreAt(folded(two), BEGIN + 20 * DAY)).toBe(600);
  });

  test('counts one counterparty for 20 units a day and no more', () => {
    const once = Array.from({ length: 20 }, (_, n) => seen('good', BEGIN + n));
    const often = Array.from({ length: 2_000 }, (_, n) => seen('good', BEGIN + n));
    const at = BEGIN + 3_000;
    expect(score(folded(often), { subject: AGENT, at }).goodGrains).toBe(
      score(folded(once), { subject: AGENT, at }).goodGrains,
    );
  });

  test('is kept per class of capability: who has proved himself in one is new in another', () => {
    const ledger = folded(work(5));
    const at = BEGIN + 5 * DAY;
    expect(score(ledger, { subject: AGENT, capability: 'file', at }).score).toBeGreaterThan(900);
    expect(score(ledger, { subject: AGENT, capability: 'money', at }).score).toBe(21);
  });

  test('falls in every class by a violation in one', () => {
    const at = BEGIN + 5 * DAY;
    const before = folded([
      ...work(5),
      ...work(1, at - DAY).map((one) => ({ ...one, capability: 'money' }) as Evidence),
    ]);
    const after = witness(before, { ...violated(at, 4), capability: 'file' } as Evidence);
    const money = (ledger: Ledger): number => score(ledger, { subject: AGENT, capability: 'money', at }).score;
    expect(money(after)).toBeLessThan(money(before) - 100);
  });

  test('is never above what the sponsor or the delegation chain allows', () => {
    const ledger = folded(work(5));
    const asked = { subject: AGENT, at: BEGIN + 5 * DAY };
    expect(score(ledger, { ...asked, ceilings: [850, 400] }).score).toBe(400);
    const other = subjectOf('rogue', 'did:key:sponsor');
    const burned = Array.from({ length: 40 }, (_, n) => ({
      ...violated(asked.at, 4),
      subject: subjectOf(`${other}${n}`, 'did:key:sponsor'),
    }));
    const { score: limited, limit, own } = score(folded(burned, ledger), asked);
    expect({ isLimited: limited === limit && limit < own }).toEqual({ isLimited: true });
  });

  test.each([
    [0, 'untrusted'],
    [299, 'untrusted'],
    [300, 'probationary'],
    [500, 'standard'],
    [700, 'trusted'],
    [899, 'trusted'],
    [900, 'verified partner'],
    [1000, 'verified partner'],
  ] as const)('of %i is %s', (value, tier) => {
    expect(tierOf(value)).toBe(tier);
  });
});

describe('what holds for every history', () => {
  test('C1: a score is the same whenever and however often it was asked for before', () => {
    fc.assert(
      fc.property(history, fc.nat(60 * DAY), fc.array(fc.nat(60 * DAY)), (list, later, moments) => {
        const at = (list.at(-1)?.at ?? BEGIN) + later;
        const plain = scoreAt(folded(list), at);
        const asked = list.reduce((ledger, one) => {
          for (const moment of moments) scoreAt(ledger, one.at + moment);
          return witness(ledger, one);
        }, EMPTY_LEDGER);
        for (const moment of moments) scoreAt(asked, BEGIN + moment);
        expect(scoreAt(asked, at)).toBe(plain);
      }),
    );
  });

  test('C1: every part of a score is an integer, the score from 0 to 1000', () => {
    fc.assert(
      fc.property(history, fc.nat(400 * DAY), (list, later) => {
        const { tier, ...numbers } = score(folded(list), { subject: AGENT, at: BEGIN + later });
        expect(Object.values(numbers).every((one) => Number.isSafeInteger(one) && one >= 0)).toBe(true);
        expect(numbers.score).toBeLessThanOrEqual(1000);
        expect(tier).toBe(tierOf(numbers.score));
      }),
    );
  });

  test('C2: between a violation and the next good evidence it never rises', () => {
    fc.assert(
      fc.property(
        history,
        fc.array(fc.nat(200 * DAY), { maxLength: 8 }),
        fc.array(fc.boolean()),
        (list, waits, bad) => {
          let at = (list.at(-1)?.at ?? BEGIN) + 1;
          const before = folded(list);
          let ledger = witness(before, violated(at));
          let last = scoreAt(ledger, at);
          expect(last).toBeLessThanOrEqual(scoreAt(before, at));
          for (const [n, wait] of waits.entries()) {
            at += wait;
            if (bad[n] === true) ledger = witness(ledger, n % 2 === 0 ? violated(at) : seen('failed', at));
            const now = scoreAt(ledger, at);
            expect(now).toBeLessThanOrEqual(last);
            last = now;
          }
        },
      ),
    );
  });

  test('C2: one more good deed anywhere never lowers it, one more bad one never raises it', () => {
    const extra = fc.record({
      at: fc.nat(),
      type: fc.constantFrom('good', 'failed', 'wrong', 'policy', 'scope'),
      party: fc.constantFrom('tool:a', 'tool:b', 'tool:x'),
    });
    fc.assert(
      fc.property(history, extra, fc.nat(60 * DAY), (list, { at: where, type, party }, later) => {
        const place = where % (list.length + 1);
        const when = list[place]?.at ?? list.at(-1)?.at ?? BEGIN;
        const one = type === 'policy' || type === 'scope' ? violated(when, 1, type) : seen(type as 'good', when, party);
        const at = (list.at(-1)?.at ?? BEGIN) + later;
        const [without, withIt] = [scoreAt(folded(list), at), scoreAt(folded(list.toSpliced(place, 0, one)), at)];
        if (type === 'good') expect(withIt).toBeGreaterThanOrEqual(without);
        else expect(withIt).toBeLessThanOrEqual(without);
      }),
      { numRuns: 500 },
    );
  });

  test('C2: the lower bound rises with what is good and falls with what is bad, to the last grain', () => {
    const grains = fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 2 ** 32 }));
    fc.assert(
      fc.property(grains, grains, fc.integer({ min: 1, max: 4_096 }), (alpha, beta, more) => {
        expect(lowerBound(alpha + more, beta)).toBeGreaterThanOrEqual(lowerBound(alpha, beta));
        expect(lowerBound(alpha, beta + more)).toBeLessThanOrEqual(lowerBound(alpha, beta));
      }),
      { numRuns: 2_000 },
    );
  });

  test('the lower bound is what floating point finds, to a point', () => {
    const units = fc.integer({ min: 1, max: 5_000 });
    fc.assert(
      fc.property(units, units, (a, b) => {
        const [mean, variance] = [a / (a + b), (a * b) / ((a + b) ** 2 * (a + b + 1))];
        const expected = 1000 * Math.max(0, mean - Math.sqrt(variance));
        expect(Math.abs(lowerBound(a * 4_096, b * 4_096) - expected)).toBeLessThan(1.1);
      }),
    );
  });
});
