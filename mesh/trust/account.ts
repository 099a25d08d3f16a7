/**
 * What is remembered of an agent's work in one class of capability, and of its faults.
 *
 * F1. Good is forgotten as time goes by. Bad is forgotten only up to the last good evidence: nobody sleeps a fault off.
 * F2. What one counterparty says in a day counts once up to its bound, and as of the beginning of that day: the order within
 *     the day changes nothing.
 */
import { add, EMPTY, GRAINS_PER_UNIT, type Heap, merge, QUARTERS_PER_UNIT, quotient, worth } from './decay.ts';
import {
  BAD_HALF_LIFE_MS,
  EVIDENCE_DAY_MS,
  GOOD_HALF_LIFE_MS,
  PARTIES_MAX,
  PARTY_SHARE,
  PARTY_UNITS_PER_DAY,
} from './rules.ts';
import { type Entries, find, withEntry } from './shelf.ts';

export type Faults = {
  /** Of before the last good evidence. */
  readonly settled: Heap;
  /** Since then, and the same as a plain sum, in quarters: it counts in full until good follows it (F1). */
  readonly fresh: Heap;
  readonly plain: number;
};

export const NO_FAULTS: Faults = { settled: EMPTY, fresh: EMPTY, plain: 0 };

/** What one counterparty has said. `today` and `against` are quarters of good and of faults on the day `day`. */
export type Party = { readonly good: Heap; readonly day: number; readonly today: number; readonly against: number };

export type Account = {
  readonly parties: Entries<Party>;
  readonly faults: Faults;
  /** The moment of the last good evidence. */
  readonly lastGood: number | null;
};

export const NO_ACCOUNT: Account = { parties: [], faults: NO_FAULTS, lastGood: null };

/** Beyond this many the rest share a name that no counterparty has. */
const OTHERS = '';
const DAILY = PARTY_UNITS_PER_DAY * QUARTERS_PER_UNIT;
/** Far more than any score recovers from, and small enough for exact sums. */
const PLAIN_MAX = 2 ** 22;

export function withGood(account: Account, party: string, quarters: number, at: number): Account {
  const { name, said, dayMs } = partyOn(account, party, at);
  const counted = Math.min(quarters, DAILY - said.today); // F2
  const good = add(said.good, counted, dayMs, GOOD_HALF_LIFE_MS);
  const today = said.today + counted;
  const parties = withEntry(account.parties, name, { good, day: said.day, today, against: said.against });
  return { parties, faults: settle(account.faults), lastGood: at };
}

/** A fault that is no violation, as a counterparty has it. */
export function withFault(account: Account, party: string, quarters: number, at: number): Account {
  const { name, said, dayMs } = partyOn(account, party, at);
  const counted = Math.min(quarters, DAILY - said.against); // F2: nobody is talked down in a day
  const parties = withEntry(account.parties, name, { ...said, against: said.against + counted });
  return { ...account, parties, faults: withBad(account.faults, counted, dayMs) };
}

export function withBad({ settled, fresh, plain }: Faults, quarters: number, at: number): Faults {
  return {
    settled,
    fresh: add(fresh, quarters, at, BAD_HALF_LIFE_MS),
    plain: Math.min(PLAIN_MAX, plain + quarters),
  };
}

/** Good evidence: from here on, what was bad before it is forgotten as time goes by. */
export function settle(faults: Faults): Faults {
  return faults.plain === 0 ? faults : { settled: merge(faults.settled, faults.fresh), fresh: EMPTY, plain: 0 };
}

/** In grains (F1). */
export function faultsWorth({ settled, plain }: Faults, lastGood: number | null): number {
  const old = lastGood === null ? 0 : worth(settled, lastGood, BAD_HALF_LIFE_MS);
  return old + quotient(plain * GRAINS_PER_UNIT, QUARTERS_PER_UNIT);
}

/** What the good is worth at `at`, in grains: all of it; and with no counterparty counting for more than its share. */
export function goodWorth(
  { parties }: Account,
  at: number,
): { readonly all: number; readonly shared: number; readonly parties: number } {
  const worths = parties.map(([, { good }]) => worth(good, at, GOOD_HALF_LIFE_MS)).filter((one) => one > 0);
  const all = worths.reduce((sum, one) => sum + one, 0);
  const shared = worths.reduce(
    (sum, one) => sum + Math.min(one, quotient((all - one) * PARTY_SHARE.of, PARTY_SHARE.in)),
    0,
  );
  return { all, shared, parties: worths.length };
}

function partyOn(
  { parties }: Account,
  party: string,
  at: number,
): { readonly name: string; readonly said: Party; readonly dayMs: number } {
  const known = find(parties, party);
  const name = known !== undefined || parties.length < PARTIES_MAX ? party : OTHERS;
  const last = known ?? find(parties, name);
  const day = quotient(at, EVIDENCE_DAY_MS);
  const said = last?.day === day ? last : { good: last?.good ?? EMPTY, day, today: 0, against: 0 };
  return { name, said, dayMs: day * EVIDENCE_DAY_MS };
}
