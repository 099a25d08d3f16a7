/**
 * Rings: how much an agent may do, by how far it is trusted (DESIGN section 6). 0 is the innermost and may most; every new
 * agent begins in 3. An agent's ring is its host node's view; no node takes another's word for it.
 */
import type { Did } from '../codec/did.ts';
import type { Millis } from '../core/brand.ts';
import type { Rate } from './rate.ts';

export type Ring = 0 | 1 | 2 | 3;

/** An integer, 0 to 1000. */
export type Score = number;

/** The score from which a ring is open. Ring 3 is open to everyone. */
export const RING_LINES: Readonly<Record<Ring, Score>> = { 0: 950, 1: 800, 2: 600, 3: 0 };

/** How ring changes are damped. Demotion is never delayed: only the margin keeps a score at the line from swinging. */
export type RingRules = {
  readonly demotionMargin: number;
  readonly dwellMs: number;
  readonly cleanActions: number;
};

export const RING_RULES: RingRules = { demotionMargin: 40, dwellMs: 10 * 60_000, cleanActions: 50 };

/** What the kernel and the host enforce for an agent of a ring. `undefined`: no limit. */
export type RingLimits = {
  readonly requests?: Rate;
  readonly stepMsMax?: number;
  /** Hundredths of one core. */
  readonly cpuPercentMax?: number;
  readonly memoryBytesMax?: number;
  readonly concurrentEffectsMax?: number;
};

const MIB = 1024 * 1024;

export const RING_LIMITS: Readonly<Record<Ring, RingLimits>> = {
  0: {},
  1: {
    requests: { count: 50, periodMs: 1_000, burst: 100 },
    stepMsMax: 300_000,
    cpuPercentMax: 100,
    memoryBytesMax: 1024 * MIB,
    concurrentEffectsMax: 16,
  },
  2: {
    requests: { count: 20, periodMs: 1_000, burst: 40 },
    stepMsMax: 60_000,
    cpuPercentMax: 50,
    memoryBytesMax: 512 * MIB,
    concurrentEffectsMax: 8,
  },
  3: {
    requests: { count: 10, periodMs: 60_000, burst: 10 },
    stepMsMax: 5_000,
    cpuPercentMax: 20,
    memoryBytesMax: 128 * MIB,
    concurrentEffectsMax: 2,
  },
};

/** An operator's word for an agent: a floor under its score, until it expires or the agent's first violation voids it. */
export type Endorsement = {
  readonly agent: string;
  readonly trustFloor: Score;
  /** The innermost ring that the endorsement can open. */
  readonly ring: Ring;
  readonly expiresAt: Millis;
};

/** An operator's grant of an inner ring for a while: for an incident, not for a rank. */
export type Elevation = {
  readonly agent: string;
  readonly ring: Ring;
  readonly until: Millis;
  /** The operator who answers for it. Whoever records the grant has made sure of that. */
  readonly by: Did;
};

/** A grant that outlives its incident is a rank, and ranks are earned. */
export const ELEVATION_MS_MAX = 60 * 60_000;

/** The score that counts at `at`: the folded one, or the endorsed floor where that is higher and still stands. */
export function effectiveScore(
  folded: Score,
  endorsement: Endorsement | undefined,
  isVoided: boolean,
  at: Millis,
): Score {
  if (endorsement === undefined || isVoided || at >= endorsement.expiresAt) return folded;
  return Math.max(folded, endorsement.trustFloor);
}

/** The innermost ring whose line the score reaches. Ring 0 also needs the operators' attestation. */
export function ringFor(score: Score, isAttested: boolean): Ring {
  if (score >= RING_LINES[0] && isAttested) return 0;
  if (score >= RING_LINES[1]) return 1;
  return score >= RING_LINES[2] ? 2 : 3;
}

/** The inner one of two. */
export function inner(a: Ring, b: Ring): Ring {
  return Math.min(a, b) as Ring;
}

/** The outer one of two: less trust wins. */
export function outer(a: Ring, b: Ring): Ring {
  return Math.max(a, b) as Ring;
}
