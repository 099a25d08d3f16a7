/**
 * Decay in whole numbers, forward: what happened earlier is worth less because what happens later is written larger, so that
 * to look changes nothing, and to look often changes nothing either.
 *
 * A1. Only integers below 2^53, and only operations that are exact on them: every machine finds the same.
 * A2. What a heap is worth never rises with time, and rises with everything that is added, exactly: a half-life that has
 *     passed is a shift, and shifts add up to the same shift however they are divided.
 */
import { assert } from '../../runtime/core/assert.ts';

/** Weights in quarters of a unit that were added at their moments, as of the half-life `era` since 1970. */
export type Heap = { readonly mass: number; readonly era: number };

export const EMPTY: Heap = { mass: 0, era: 0 };

/** What a heap is worth is counted in grains. */
export const GRAINS_PER_UNIT = 4_096;
const GRAINS_PER_QUARTER = 1_024;
export const QUARTERS_PER_UNIT = 4;

/** 2^20 · 2^(n/64), rounded: the growth of the n-th of the 64 steps of a half-life. `decay.test.ts` derives it again. */
// biome-ignore format: a table
const GROWTH: readonly number[] = [
  1048576, 1059994, 1071537, 1083205, 1095000, 1106924, 1118978, 1131163, 1143480, 1155932, 1168519, 1181244, 1194106,
  1207109, 1220254, 1233542, 1246974, 1260553, 1274279, 1288155, 1302182, 1316362, 1330696, 1345187, 1359835, 1374642,
  1389611, 1404743, 1420040, 1435503, 1451135, 1466937, 1482910, 1499058, 1515382, 1531883, 1548564, 1565427, 1582474,
  1599706, 1617125, 1634735, 1652536, 1670531, 1688722, 1707110, 1725700, 1744491, 1763488, 1782691, 1802103, 1821727,
  1841564, 1861617, 1881889, 1902381, 1923097, 1944038, 1965207, 1986607, 2008240, 2030108, 2052214, 2074562,
];
const STEPS = GROWTH.length;

/** 20 bits of fraction in `GROWTH`, 10 in a grain: with them and one factor 2^10 a saturated heap still fits into 2^53. */
const MASS_MAX = 2 ** 42;
const ONE = 2 ** 20;

/** `a / b` without its fraction, exact for what A1 allows. */
export function quotient(a: number, b: number): number {
  assert(a <= Number.MAX_SAFE_INTEGER && a >= 0 && b > 0, 'A1: integers below 2^53');
  return (a - (a % b)) / b;
}

/** The heap with `quarters` more, of the moment `at`. A full heap stays full. */
export function add(heap: Heap, quarters: number, at: number, halfLifeMs: number): Heap {
  const { era, growth } = stepOf(at, halfLifeMs);
  const mass = shifted(heap, era) + quarters * growth;
  return { mass: Math.min(mass, MASS_MAX), era: Math.max(era, heap.era) };
}

/** Two heaps of one half-life as one. */
export function merge(a: Heap, b: Heap): Heap {
  const era = Math.max(a.era, b.era);
  return { mass: Math.min(shifted(a, era) + shifted(b, era), MASS_MAX), era };
}

/** What the heap is worth at `at`, in grains (A2). Before its last addition: as if nothing had been forgotten yet. */
export function worth(heap: Heap, at: number, halfLifeMs: number): number {
  if (heap.mass === 0) return 0;
  const { era, growth } = stepOf(at, halfLifeMs);
  if (era < heap.era) return quotient(heap.mass * GRAINS_PER_QUARTER, ONE);
  return quotient(shifted(heap, era) * GRAINS_PER_QUARTER, growth);
}

/** What is left of `value` (at most 2^32) after `ms`. */
export function faded(value: number, ms: number, halfLifeMs: number): number {
  const { era, growth } = stepOf(Math.max(0, ms), halfLifeMs);
  return halved(quotient(value * ONE, growth), era);
}

function stepOf(ms: number, halfLifeMs: number): { readonly era: number; readonly growth: number } {
  const step = quotient(ms, halfLifeMs / STEPS);
  return { era: quotient(step, STEPS), growth: GROWTH[step % STEPS] ?? ONE };
}

function shifted({ mass, era }: Heap, to: number): number {
  return to <= era ? mass : halved(mass, to - era);
}

function halved(value: number, times: number): number {
  return times >= POWERS.length ? 0 : quotient(value, POWERS[times] ?? 1);
}

/** 1, 2, 4 … 2^52. */
const POWERS: readonly number[] = Array.from({ length: 53 }, (_, times) => 2 ** times);
