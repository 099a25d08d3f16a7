/** Measuring side by side: every variant has its turn in every round, so that a slow minute of the machine hits all of them. */

/** What one turn did: so many units of work in so many milliseconds. */
export type Turn = { readonly units: number; readonly ms: number };

export type Measured = {
  readonly name: string;
  /** Units per second: the median of the rounds. */
  readonly perSecond: number;
  /** Against the first variant: the median of the ratios within each round. */
  readonly ratio: number;
};

/** One turn of each variant to warm up, then `rounds` of them. The first variant is what the others are compared with. */
export async function sideBySide(
  variants: Readonly<Record<string, () => Promise<Turn> | Turn>>,
  rounds: number,
): Promise<readonly Measured[]> {
  const rates = Object.keys(variants).map((name) => ({ name, perSecond: [] as number[] }));
  for (let round = -1; round < rounds; round++) {
    for (const [n, variant] of Object.values(variants).entries()) {
      globalThis.gc?.();
      const { units, ms } = await variant();
      if (round >= 0) rates[n]?.perSecond.push((units / ms) * 1_000);
    }
  }
  const base = rates[0]?.perSecond ?? [];
  return rates.map(({ name, perSecond }) => ({
    name,
    perSecond: median(perSecond),
    ratio: median(perSecond.map((rate, round) => rate / (base[round] ?? Number.NaN))),
  }));
}

/** Repeats `step`, which does `units` of work, for at least `atLeastMs`. */
export async function during(atLeastMs: number, units: number, step: () => Promise<unknown> | unknown): Promise<Turn> {
  const began = performance.now();
  let steps = 0;
  for (; performance.now() - began < atLeastMs; steps++) await step();
  return { units: steps * units, ms: performance.now() - began };
}

/** `callers` at a time, each of which makes its next call as soon as its last one was answered. */
export async function unpaused(atLeastMs: number, callers: number, call: () => Promise<unknown>): Promise<Turn> {
  const began = performance.now();
  let calls = 0;
  const run = async (): Promise<void> => {
    for (; performance.now() - began < atLeastMs; calls++) await call();
  };
  await Promise.all(Array.from({ length: callers }, run));
  return { units: calls, ms: performance.now() - began };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = Number.NaN] = [sorted[sorted.length % 2 === 1 ? middle : middle - 1], sorted[middle]];
  return (low + high) / 2;
}
