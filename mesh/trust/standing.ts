/**
 * Where agents and their sponsors stand: the fold of evidence, one piece at a time.
 *
 * S1. Who has no sponsor that countersigned is worth nothing, whatever was seen of him.
 * S2. What agents of one sponsor say for one another earns nothing; what they fail at counts.
 * S3. A violation voids the endorsement that stands, and any that comes while a strike is on record.
 * S4. A sponsor answers for half of each violation of an agent of his, undoubled, and for one agent only so far.
 */

import type { Brand } from '../../runtime/core/brand.ts';
import { type Account, type Faults, NO_ACCOUNT, NO_FAULTS, settle, withBad, withFault, withGood } from './account.ts';
import { add, EMPTY, GRAINS_PER_UNIT, type Heap, QUARTERS_PER_UNIT, quotient, worth } from './decay.ts';
import {
  BAD_HALF_LIFE_MS,
  CLASSES_MAX,
  FAULTS,
  LIABLE_UNITS_PER_AGENT,
  STAKES,
  STRIKE_MS,
  STRIKES_MAX,
} from './rules.ts';
import { EMPTY_SHELF, type Entries, find, put, type Shelf, take, withEntry } from './shelf.ts';

/** Whom evidence is about: `<sponsor>/<name>`, which outlives every key and re-registration; the DID where nobody answers. */
export type Subject = Brand<string, 'Subject'>;

/** The subject that a countersigned identity, or an agent that acts under its node's own DID, is. */
export function subjectOf(name: string, sponsor: string): Subject {
  return `${sponsor}/${name}` as Subject;
}

/** Somebody without a sponsor (S1). */
export function unsponsored(did: string): Subject {
  return did as Subject;
}

/** No DID has a slash in it, and names may. */
export function sponsorOf(subject: Subject): string | null {
  const end = subject.indexOf('/');
  return end === -1 ? null : subject.slice(0, end);
}

export function nameOf(subject: Subject): string {
  return subject.slice(subject.indexOf('/') + 1);
}

export type Risk = 0 | 1 | 2 | 3 | 4;

/** One thing that was seen, with a receipt. */
export type Evidence =
  | {
      readonly type: 'good' | 'failed' | 'wrong';
      readonly subject: Subject;
      /** The kind of work: a family of tools, or a contract. */
      readonly capability: string;
      /** Who says so: a tool, or the sponsor of the agent that was answered. */
      readonly party: string;
      readonly risk: Risk;
      /** Whether more is at stake than a computation that anybody can repeat: else a quarter counts. */
      readonly isVerified: boolean;
      readonly at: number;
    }
  | {
      readonly type: 'policy' | 'scope';
      readonly subject: Subject;
      readonly capability: string;
      readonly risk: Risk;
      readonly at: number;
    }
  | {
      readonly type: 'endorsed';
      readonly subject: Subject;
      readonly floor: number;
      readonly expiresAt: number;
      readonly at: number;
    };

export type Standing = {
  /** Of all classes together, and of each. */
  readonly whole: Account;
  readonly classes: Entries<Account>;
  readonly violations: Faults;
  readonly strikes: number;
  readonly struckAt: number;
  /** What its sponsor is liable for on its account. */
  readonly charged: Heap;
  readonly floor: { readonly score: number; readonly expiresAt: number } | null;
  /** The moment of its last evidence. */
  readonly lastAt: number;
};

export type Sponsor = { readonly liable: Faults; readonly lastGood: number | null };

export type Ledger = { readonly agents: Shelf<Standing>; readonly sponsors: Shelf<Sponsor> };

export const EMPTY_LEDGER: Ledger = { agents: EMPTY_SHELF, sponsors: EMPTY_SHELF };

/** The ledger after one piece of evidence. Pure. */
export function witness(ledger: Ledger, evidence: Evidence): Ledger {
  const { subject, at } = evidence;
  const before = take(ledger.agents, subject) ?? NEWCOMER;
  if (evidence.type === 'good' && evidence.party === sponsorOf(subject)) return ledger; // S2
  const after = { ...step(before, evidence), lastAt: Math.max(at, before.lastAt) };
  const agents = put(ledger.agents, subject, after);
  return { agents, sponsors: answer(ledger.sponsors, evidence, before) };
}

/** How many violations count against the next one at `at`. */
export function strikesAt({ strikes, struckAt }: Pick<Standing, 'strikes' | 'struckAt'>, at: number): number {
  return Math.max(0, strikes - quotient(Math.max(0, at - struckAt), STRIKE_MS));
}

/** What a piece of evidence weighs, in quarters of a unit. */
export function weightOf(evidence: Evidence, before: Standing): number {
  const stake = evidence.type === 'endorsed' ? 0 : STAKES[evidence.risk];
  switch (evidence.type) {
    case 'endorsed':
      return 0;
    case 'good':
      return evidence.isVerified ? stake * QUARTERS_PER_UNIT : stake;
    case 'failed':
    case 'wrong':
      return FAULTS[evidence.type] * stake * QUARTERS_PER_UNIT;
    case 'policy':
    case 'scope':
      return FAULTS[evidence.type] * stake * QUARTERS_PER_UNIT * 2 ** strikesAt(before, evidence.at);
  }
}

export const NEWCOMER: Standing = {
  whole: NO_ACCOUNT,
  classes: [],
  violations: NO_FAULTS,
  strikes: 0,
  struckAt: 0,
  charged: EMPTY,
  floor: null,
  lastAt: 0,
};

function step(before: Standing, evidence: Evidence): Standing {
  const weight = weightOf(evidence, before);
  const { at } = evidence;
  switch (evidence.type) {
    case 'good': {
      const { party, capability } = evidence;
      const grown = inAccounts(before, capability, (account) => withGood(account, party, weight, at));
      return { ...grown, violations: settle(before.violations) };
    }
    case 'failed':
    case 'wrong': {
      const { party, capability } = evidence;
      return inAccounts(before, capability, (account) => withFault(account, party, weight, at));
    }
    case 'policy':
    case 'scope':
      return {
        ...before,
        violations: withBad(before.violations, weight, at),
        strikes: Math.min(STRIKES_MAX, strikesAt(before, at) + 1),
        struckAt: at,
        charged: add(before.charged, chargeOf(before, evidence), at, BAD_HALF_LIFE_MS),
        floor: null, // S3
      };
    case 'endorsed': {
      if (strikesAt(before, at) > 0) return before; // S3
      return { ...before, floor: { score: evidence.floor, expiresAt: evidence.expiresAt } };
    }
  }
}

function inAccounts(standing: Standing, capability: string, change: (account: Account) => Account): Standing {
  const whole = change(standing.whole);
  const { classes } = standing;
  const known = find(classes, capability);
  if (known === undefined && classes.length >= CLASSES_MAX) return { ...standing, whole };
  return { ...standing, whole, classes: withEntry(classes, capability, change(known ?? NO_ACCOUNT)) };
}

/** What a violation adds to the sponsor's liability, in quarters (S4). */
function chargeOf(before: Standing, evidence: Evidence & { readonly type: 'policy' | 'scope' }): number {
  const half = quotient(FAULTS[evidence.type] * STAKES[evidence.risk] * QUARTERS_PER_UNIT, 2);
  const most = Math.max(half, LIABLE_UNITS_PER_AGENT * QUARTERS_PER_UNIT);
  const grains = worth(before.charged, evidence.at, BAD_HALF_LIFE_MS);
  const room = most - quotient(grains * QUARTERS_PER_UNIT, GRAINS_PER_UNIT);
  return Math.max(0, Math.min(half, room));
}

function answer(sponsors: Shelf<Sponsor>, evidence: Evidence, before: Standing): Shelf<Sponsor> {
  const sponsor = sponsorOf(evidence.subject);
  if (sponsor === null || evidence.type === 'endorsed') return sponsors;
  const known = take(sponsors, sponsor);
  if (evidence.type === 'good') {
    if (known === undefined) return sponsors;
    return put(sponsors, sponsor, { liable: settle(known.liable), lastGood: evidence.at });
  }
  if (evidence.type !== 'policy' && evidence.type !== 'scope') return sponsors;
  const { liable, lastGood } = known ?? { liable: NO_FAULTS, lastGood: null };
  const charge = chargeOf(before, evidence);
  return put(sponsors, sponsor, { liable: withBad(liable, charge, evidence.at), lastGood });
}
