import { describe, expect, test } from 'vitest';
import { collude, honest, imbalance, OURS, onOff, REFERENCE, RULES, sybil, whitewash } from './attack.fixture.ts';

/** 2,000 chances, half an hour apart; scores of 0 to 1000 for every rule. Printed when a number moves. */
const TABLE = RULES.map((rule) => ({
  rule: rule.name,
  'bad acts, on and off': onOff(rule),
  'bad acts, new names': whitewash(rule),
  'best of 50 siblings': Math.round(sybil(rule)),
  'best of two colluding': Math.round(collude(rule)),
  'bad acts, high stakes': imbalance(rule).bad,
  'honest, admitted, mean': honest(rule).mean,
  'worst of 100': honest(rule).worst,
}));

describe('who defects whenever it is trusted', () => {
  test('gets away with 10 bad acts at most, on and off', () => {
    expect(onOff(OURS)).toBeLessThanOrEqual(10);
  });

  test('gets away with 30 at most under ever new names', () => {
    expect(whitewash(OURS)).toBeLessThanOrEqual(30);
  });

  test('gains nothing by many names that praise one another', () => {
    expect(sybil(OURS)).toBe(21);
  });

  test('gets no further with an accomplice than where two witnesses bring anybody', () => {
    expect(collude(OURS)).toBeLessThanOrEqual(600);
  });

  test('harms for no more than it earned with small things', () => {
    const { bad, perHundredEarned } = imbalance(OURS);
    expect(bad).toBeLessThanOrEqual(10);
    expect(perHundredEarned).toBeLessThanOrEqual(100);
  });
});

test('who is honest, and fails at 2 in 100, is admitted 99 times in 100, the first day included', () => {
  expect(honest(OURS).mean).toBeGreaterThanOrEqual(9_900);
});

test('the reference rules let each attack through, and admit the honest no more often than it matters', () => {
  for (const rule of REFERENCE) {
    expect(onOff(rule), rule.name).toBeGreaterThan(100);
    expect(whitewash(rule), rule.name).toBeGreaterThan(100);
    expect(sybil(rule), rule.name).toBeGreaterThanOrEqual(900);
    expect(collude(rule), rule.name).toBeGreaterThan(950);
  }
});

test('the table is the one in docs/trust.md', () => {
  expect(TABLE.map((row) => Object.values(row).join(' | '))).toMatchInlineSnapshot(`
    [
      "AGT TypeScript, +0.05 / -0.1 | 666 | 666 | 1000 | 1000 | 666 | 9989 | 9975",
      "AGT specification, EMA 0.1 | 665 | 333 | 993 | 1000 | 665 | 9973 | 9955",
      "IATP-001, +0.1 / -1 | 181 | 181 | 900 | 1000 | 181 | 9928 | 9565",
      "Ringmesh | 7 | 17 | 21 | 600 | 4 | 9928 | 9855",
    ]
  `);
});
