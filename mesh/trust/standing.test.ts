import { describe, expect, test } from 'vitest';
import { GRAINS_PER_UNIT } from './decay.ts';
import { exposureMax, score, sponsorLimit } from './score.ts';
import { take } from './shelf.ts';
import {
  EMPTY_LEDGER,
  type Evidence,
  type Ledger,
  NEWCOMER,
  nameOf,
  type Risk,
  sponsorOf,
  strikesAt,
  subjectOf,
  unsponsored,
  witness,
} from './standing.ts';

const DAY = 86_400_000;
const BEGIN = 1_800_000_000_000 as number;
const SPONSOR = 'did:key:sponsor';
const AGENT = subjectOf('team/agent', SPONSOR);

const violated = (at = BEGIN, subject = AGENT, risk: Risk = 1): Evidence => ({
  ...{ type: 'policy', subject, capability: 'file', risk, at },
});
const good = (at: number, subject = AGENT, party = 'tool:a'): Evidence => ({
  ...{ type: 'good', subject, capability: 'file', party, risk: 1, isVerified: true, at },
});
const endorsed = (at: number, floor = 650): Evidence => ({
  ...{ type: 'endorsed', subject: AGENT, floor, expiresAt: BEGIN + 90 * DAY, at },
});
const folded = (...list: readonly Evidence[]): Ledger => list.reduce(witness, EMPTY_LEDGER);
const badUnits = (ledger: Ledger, at = BEGIN): number =>
  score(ledger, { subject: AGENT, at }).badGrains / GRAINS_PER_UNIT;

test('a subject is its sponsor and its name, whatever its keys; a name may have slashes', () => {
  expect([sponsorOf(AGENT), nameOf(AGENT)]).toEqual([SPONSOR, 'team/agent']);
  expect([sponsorOf(unsponsored('did:mesh:a:1')), nameOf(unsponsored('did:mesh:a:1'))]).toEqual([null, 'did:mesh:a:1']);
});

describe('violations', () => {
  test('weigh double with each one before, up to six', () => {
    let ledger = EMPTY_LEDGER;
    const weights = Array.from({ length: 8 }, () => {
      const before = badUnits(ledger);
      ledger = witness(ledger, violated());
      return badUnits(ledger) - before;
    });
    expect(weights).toEqual([5, 10, 20, 40, 80, 160, 320, 320]);
  });

  test('weigh what was at stake, and more where nobody had delegated it', () => {
    expect(badUnits(folded(violated(BEGIN, AGENT, 4)))).toBe(40);
    expect(badUnits(folded({ ...violated(), type: 'scope' } as Evidence))).toBe(10);
  });

  test('are forgiven one by one, each after 30 days without another', () => {
    const standing = take(folded(violated(), violated(), violated()).agents, AGENT) ?? NEWCOMER;
    expect([0, 29, 30, 60, 90, 900].map((days) => strikesAt(standing, BEGIN + days * DAY))).toEqual([3, 3, 2, 1, 0, 0]);
  });

  test('F1: are not slept off: they weigh the same a year later, and are forgotten from the next good work on', () => {
    const ledger = folded(good(BEGIN), violated());
    const year = BEGIN + 365 * DAY;
    expect(badUnits(ledger, year)).toBe(5);
    expect(badUnits(witness(ledger, good(BEGIN + 60 * DAY)), year)).toBeLessThanOrEqual(2.6);
  });
});

describe('an endorsement', () => {
  test('is a floor under the score until it expires', () => {
    const ledger = folded(endorsed(BEGIN));
    expect(score(ledger, { subject: AGENT, at: BEGIN })).toMatchObject({
      score: 650,
      own: 21,
      floor: 650,
      tier: 'standard',
    });
    expect(score(ledger, { subject: AGENT, at: BEGIN + 90 * DAY })).toMatchObject({ score: 21, floor: 0 });
  });

  test('S3: is void with the first violation', () => {
    expect(score(folded(endorsed(BEGIN), violated()), { subject: AGENT, at: BEGIN })).toMatchObject({
      score: 0,
      floor: 0,
    });
  });

  test('S3: does not come back by being said again while the strike stands', () => {
    const ledger = folded(endorsed(BEGIN), violated());
    expect(score(witness(ledger, endorsed(BEGIN + DAY)), { subject: AGENT, at: BEGIN + DAY }).floor).toBe(0);
    expect(score(witness(ledger, endorsed(BEGIN + 31 * DAY)), { subject: AGENT, at: BEGIN + 31 * DAY }).floor).toBe(
      650,
    );
  });
});

describe('a sponsor', () => {
  test('S4: answers for half of each violation, undoubled', () => {
    expect(sponsorLimit(EMPTY_LEDGER, SPONSOR)).toBe(1000);
    expect(sponsorLimit(folded(violated()), SPONSOR)).toBe(Math.floor((1000 * 64) / 66.5));
  });

  test('S4: is not ruined by one agent that never stops', () => {
    const stubborn = folded(...Array.from({ length: 200 }, () => violated()));
    expect(sponsorLimit(stubborn, SPONSOR)).toBe(Math.floor((1000 * 64) / 74));
    expect(sponsorLimit(folded(violated(BEGIN, AGENT, 4)), SPONSOR)).toBe(Math.floor((1000 * 64) / 84));
  });

  test('S4: is ruined by many that each do harm once', () => {
    const many = Array.from({ length: 30 }, (_, n) => violated(BEGIN, subjectOf(`agent-${n}`, SPONSOR)));
    expect(sponsorLimit(folded(...many), SPONSOR)).toBeLessThan(500);
  });

  test('lends nobody more than he can answer for: a new agent of a ruined one is worth less than another', () => {
    const many = Array.from({ length: 200 }, (_, n) => violated(BEGIN, subjectOf(`agent-${n}`, SPONSOR)));
    const at = BEGIN;
    const fresh = score(folded(...many), { subject: subjectOf('fresh', SPONSOR), at });
    expect(fresh.score).toBeLessThan(score(EMPTY_LEDGER, { subject: subjectOf('fresh', SPONSOR), at }).score);
  });

  test('vouches for a little stake at once, and earnings for more', () => {
    const before = exposureMax(EMPTY_LEDGER, { subject: AGENT, at: BEGIN });
    const after = exposureMax(folded(good(BEGIN), good(BEGIN)), { subject: AGENT, at: BEGIN });
    expect([before, after]).toEqual([16, 17]); // as of the beginning of the day, a hundredth of two units has gone
  });
});

test('S2: agents of one sponsor earn nothing from one another, and still fail', () => {
  const praised = Array.from({ length: 100 }, (_, n) => good(BEGIN + n, AGENT, SPONSOR));
  expect(folded(...praised)).toBe(EMPTY_LEDGER);
  const failed = { ...good(BEGIN, AGENT, SPONSOR), type: 'failed' } as Evidence;
  expect(badUnits(folded(failed))).toBe(1);
});

test('F2: nobody is talked down by one counterparty in a day', () => {
  const slander = Array.from(
    { length: 500 },
    () => ({ ...good(BEGIN, AGENT, 'did:key:foe'), type: 'wrong' }) as Evidence,
  );
  expect(badUnits(folded(...slander))).toBe(20);
});

test('a flood of counterparties shares one place once there are 64, and so counts as one', () => {
  const many = Array.from({ length: 500 }, (_, n) => good(BEGIN, AGENT, `did:key:${n}`));
  const { parties } = take(folded(...many).agents, AGENT)?.whole ?? NEWCOMER.whole;
  expect(parties).toHaveLength(65);
});
