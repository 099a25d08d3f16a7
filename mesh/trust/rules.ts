/** The numbers of trust, with the reason beside each. Together they are one formula: change one, and change its name. */

/** The name that stands beside every score: which numbers and which arithmetic made it. */
export const TRUST_FORMULA = 'beta-lower-bound/1';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** A day of evidence. UTC days, since the log knows no others. */
export const EVIDENCE_DAY_MS = DAY_MS;

/** Good is forgotten in weeks, bad in months: who swings between them gains nothing (Sun et al. 2006). */
export const GOOD_HALF_LIFE_MS = 14 * DAY_MS;
export const BAD_HALF_LIFE_MS = 60 * DAY_MS;

/** What was earned fades when nothing is shown: 900 and silent for 7 days is at most 700, for 30 days below 300. */
export const SILENCE_HALF_LIFE_MS = 18 * DAY_MS;

/** What one act risks, by its tool's risk class, 0 to 4. */
export const STAKES = [1, 1, 2, 4, 8] as const;

/** What a fault weighs, in units of stake: what came to nothing, what was done wrongly, what policy or ring refused, what no
 *  delegation covered. An `ok` with a receipt weighs 1, a pure computation a quarter. */
export const FAULTS = { failed: 1, wrong: 3, policy: 5, scope: 10 } as const;

/** Each violation on record doubles the weight of the next; one is forgiven for 30 days without another. */
export const STRIKES_MAX = 6;
export const STRIKE_MS = 30 * DAY_MS;

/** What one counterparty can add in a day: a thousand easy acts in a night are not a history. */
export const PARTY_UNITS_PER_DAY = 20;
/** Fewer witnesses than this, and the score stays at `FEW_PARTIES_SCORE` at most, whatever they say. */
export const PARTIES_MIN = 3;
export const FEW_PARTIES_SCORE = 600;
/** Of several counterparties each counts for at most 3/7 of what all others say, which is 30 % of the whole. */
export const PARTY_SHARE = { of: 3, in: 7 } as const;
/** Counterparties remembered one by one for an account; later ones share a place, and so count as one. */
export const PARTIES_MAX = 64;
/** Capability classes kept apart for one agent; work in later ones counts for the whole only. */
export const CLASSES_MAX = 16;
/** Acts of one agent that may be open at once. Ring limits are far below; past it the oldest is evidence of nothing. */
export const OPEN_ACTS_MAX = 64;

/** The prior: what nobody knows weighs 4 units, at most a fifth of them good. A new agent stands near 20. */
export const PRIOR_UNITS = 4;
export const PRIOR_PERMILLE_MAX = 200;

/** A sponsor answers with this many units: his limit is 1000 times their share in them and what he is liable for. */
export const SPONSOR_UNITS = 64;
/** Half of each violation, not doubled, and of one agent no more than this at once unless one act alone was worse: else one
 *  stubborn rogue would take all its siblings down. */
export const LIABLE_UNITS_PER_AGENT = 10;
/** What a sponsor vouches for on top of what an agent has earned, in outstanding stake. */
export const GUARANTEE_UNITS = 16;

/** The score that a caller must have for an act of this risk class; class 4 needs a human besides. */
export const RISK_GATES = [0, 300, 500, 700, 850] as const;

export type Tier = 'untrusted' | 'probationary' | 'standard' | 'trusted' | 'verified partner';

/** The five tiers, by the score at which each begins. */
const TIERS: readonly (readonly [number, Tier])[] = [
  [900, 'verified partner'],
  [700, 'trusted'],
  [500, 'standard'],
  [300, 'probationary'],
];

export function tierOf(score: number): Tier {
  return TIERS.find(([from]) => score >= from)?.[1] ?? 'untrusted';
}
