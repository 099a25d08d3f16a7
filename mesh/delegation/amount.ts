/** What delegations bound by counting: calls, money, time and tokens. Integers. */
import { integer, type Of, object, optional } from '../strict-json.ts';

/** An absent member sets no bound, or spends nothing. */
export const amount = object({
  calls: optional(integer(0)),
  cents: optional(integer(0)),
  ms: optional(integer(0)),
  tokens: optional(integer(0)),
});

export type Amount = Of<typeof amount>;

export const UNITS = ['calls', 'cents', 'ms', 'tokens'] as const;
export type Unit = (typeof UNITS)[number];

export function plus(a: Amount, b: Amount): Amount {
  return combine(a, b, (x, y) => x + y);
}

/** Never below nothing. */
export function minus(a: Amount, b: Amount): Amount {
  return combine(a, b, (x, y) => Math.max(0, x - y));
}

/** The first unit of which there is less left than is asked for. */
export function lacking(bound: Amount, spent: Amount, cost: Amount): Unit | undefined {
  return UNITS.find((unit) => {
    const [most, asked] = [bound[unit], cost[unit] ?? 0];
    return most !== undefined && asked > 0 && (spent[unit] ?? 0) + asked > most;
  });
}

/** The smaller bound of each unit. */
export function tighter(a: Amount, b: Amount): Amount {
  return Object.fromEntries(
    UNITS.flatMap((unit) => {
      const bounds = [a[unit], b[unit]].filter((bound) => bound !== undefined);
      return bounds.length === 0 ? [] : [[unit, Math.min(...bounds)]];
    }),
  );
}

function combine(a: Amount, b: Amount, by: (x: number, y: number) => number): Amount {
  return Object.fromEntries(
    UNITS.flatMap((unit) => {
      const value = by(a[unit] ?? 0, b[unit] ?? 0);
      return value === 0 ? [] : [[unit, value]];
    }),
  );
}
