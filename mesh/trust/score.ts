/**
 * The score: what the ledger says of an agent at a moment, 0 to 1000.
 *
 * It is the lower bound (one standard deviation) of a Beta distribution over what was seen (Jøsang and Ismail 2002), faded by
 * silence, raised to an endorsement's floor, and never above what the sponsor and the delegation chain allow.
 *
 * C1. Integers in, integers between, an integer out. The moment is an argument: asking changes nothing, and when or how often
 *     was asked before changes nothing either.
 * C2. More good never lowers it, more bad never raises it, and by itself it never rises.
 */
import { type Account, faultsWorth, goodWorth, NO_ACCOUNT } from './account.ts';
import { faded, GRAINS_PER_UNIT, quotient } from './decay.ts';
import {
  FEW_PARTIES_SCORE,
  GUARANTEE_UNITS,
  PARTIES_MIN,
  PRIOR_PERMILLE_MAX,
  PRIOR_UNITS,
  SILENCE_HALF_LIFE_MS,
  SPONSOR_UNITS,
  type Tier,
  tierOf,
} from './rules.ts';
import { find, take } from './shelf.ts';
import { type Ledger, NEWCOMER, type Standing, type Subject, sponsorOf, strikesAt } from './standing.ts';

export type Asked = {
  readonly subject: Subject;
  /** One class of capability; without it, all work together. */
  readonly capability?: string;
  readonly at: number;
  /** The trust ceilings of the delegation chain, if it acts under one. */
  readonly ceilings?: readonly number[];
};

/** A score with what it was made of. Grains are 4,096ths of a unit of stake. */
export type Scored = {
  /** What counts. */
  readonly score: number;
  readonly tier: Tier;
  /** What its own deeds come to, before floor and limits. */
  readonly own: number;
  /** The endorsed floor, 0 where none stands. */
  readonly floor: number;
  /** What its sponsor can answer for; 0 without a sponsor. */
  readonly limit: number;
  readonly goodGrains: number;
  readonly badGrains: number;
  readonly parties: number;
  readonly strikes: number;
};

/** C1. Before the agent's last evidence `at` counts as the moment of that. */
export function score(ledger: Ledger, { subject, capability, at, ceilings = [] }: Asked): Scored {
  const standing = take(ledger.agents, subject) ?? NEWCOMER;
  const sponsor = sponsorOf(subject);
  const moment = Math.max(at, standing.lastAt);
  const account = capability === undefined ? standing.whole : (find(standing.classes, capability) ?? NO_ACCOUNT);
  const limit = sponsor === null ? 0 : sponsorLimit(ledger, sponsor);
  const good = goodWorth(account, moment);
  const badGrains = badIn(standing, account);
  const own = ownScore(account, { good, badGrains, limit, moment });
  const { floor: endorsed } = standing;
  const floor = endorsed !== null && moment < endorsed.expiresAt ? endorsed.score : 0;
  const effective = Math.min(Math.max(own, floor), limit, ...ceilings);
  return {
    score: effective,
    tier: tierOf(effective),
    own,
    floor,
    limit,
    goodGrains: good.all,
    badGrains,
    parties: good.parties,
    strikes: strikesAt(standing, moment),
  };
}

/** What is left of a sponsor's word: 1000 where none of his agents violated anything. */
export function sponsorLimit(ledger: Ledger, sponsor: string): number {
  const known = take(ledger.sponsors, sponsor);
  if (known === undefined) return 1000;
  const own = SPONSOR_UNITS * GRAINS_PER_UNIT;
  return quotient(1000 * own, own + faultsWorth(known.liable, known.lastGood));
}

/** How much an agent may have at stake at once, in units: what it has earned, and what its sponsor vouches for. */
export function exposureMax(ledger: Ledger, asked: Asked): number {
  const { goodGrains, limit } = score(ledger, asked);
  return quotient(goodGrains, GRAINS_PER_UNIT) + quotient(GUARANTEE_UNITS * limit, 1000);
}

function badIn(standing: Standing, account: Account): number {
  return faultsWorth(account.faults, account.lastGood) + faultsWorth(standing.violations, standing.whole.lastGood);
}

type Facts = {
  readonly good: ReturnType<typeof goodWorth>;
  readonly badGrains: number;
  readonly limit: number;
  readonly moment: number;
};

function ownScore(account: Account, { good, badGrains, limit, moment }: Facts): number {
  const prior = PRIOR_UNITS * GRAINS_PER_UNIT;
  const hope = quotient(prior * Math.min(PRIOR_PERMILLE_MAX, quotient(limit, 4)), 1000);
  const bound = (grains: number): number => lowerBound(grains + hope, badGrains + prior - hope);
  const few = Math.min(FEW_PARTIES_SCORE, bound(good.all));
  const raw = good.parties < PARTIES_MIN ? few : Math.max(few, bound(good.shared));
  if (account.lastGood === null) return raw;
  return Math.max(bound(0), faded(raw, moment - account.lastGood, SILENCE_HALF_LIFE_MS)); // silence leaves nobody below new
}

const BITS_18 = 2 ** 18;
const BITS_24 = 2 ** 24;
const HALF_BITS = 15;

/**
 * 1000 · max(0, mean − standard deviation) of Beta(α, β), both in grains, rounded down.
 * As m·(1 − √(β / (α·(α+β+1)))), in an order in which every rounding keeps C2: α up never lowers it, β up never raises it.
 */
export function lowerBound(alpha: number, beta: number): number {
  if (alpha === 0) return 0;
  const all = alpha + beta;
  const mean = quotient(alpha * BITS_18, all);
  const failing = BITS_18 - quotient((alpha + GRAINS_PER_UNIT) * BITS_18, all + GRAINS_PER_UNIT); // β / (α+β+1)
  const root = squareRoot(quotient(failing * BITS_24, alpha)); // of 2^30 · β / (α·(α+β+1))
  if (root >= 2 ** HALF_BITS) return 0;
  return quotient(mean * (2 ** HALF_BITS - root) * 1000, BITS_18 * 2 ** HALF_BITS);
}

/** The largest integer whose square is at most `value`; anything from 2^30 on is 2^15. */
function squareRoot(value: number): number {
  if (value >= 2 ** 30) return 2 ** HALF_BITS;
  let root = 0;
  for (let bit = 2 ** (HALF_BITS - 1); bit >= 1; bit /= 2) {
    if ((root + bit) * (root + bit) <= value) root += bit;
  }
  return root;
}
