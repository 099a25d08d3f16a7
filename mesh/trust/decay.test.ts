import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { add, EMPTY, faded, GRAINS_PER_UNIT, type Heap, merge, worth } from './decay.ts';

const HALF = 14 * 86_400_000;
const BEGIN = 1_800_000_000_000;
/** Grains of a heap that one unit was put into at BEGIN, `steps` 64ths of a half-life later. */
const afterSteps = (steps: number, units = 1_000): number => {
  const start = BEGIN - (BEGIN % HALF);
  return worth(add(EMPTY, units * 4, start, HALF), start + (steps * HALF) / 64, HALF);
};

const deeds = fc.array(fc.record({ quarters: fc.nat(400), after: fc.nat(3 * HALF) }), { maxLength: 30 });

function heapOf(list: readonly { readonly quarters: number; readonly after: number }[], from = BEGIN): [Heap, number] {
  let [heap, at] = [EMPTY, from];
  for (const { quarters, after } of list) {
    at += after;
    heap = add(heap, quarters, at, HALF);
  }
  return [heap, at];
}

describe('decay', () => {
  test('follows powers of two, found again with integers of any size', () => {
    for (let steps = 0; steps < 64; steps++) {
      const expected = (1_000n * BigInt(GRAINS_PER_UNIT)) ** 64n / 2n ** BigInt(steps); // x^64, so that no root is needed
      const found = BigInt(afterSteps(steps));
      expect(
        (found - 12n) ** 64n < expected && expected < (found + 12n) ** 64n,
        `step ${steps}: within 3 in a million`,
      ).toBe(true);
    }
  });

  test.each([
    [0, 4_096_000],
    [64, 2_048_000],
    [128, 1_024_000],
    [64 * 20, 3],
    [64 * 60, 0],
  ])('after %i steps of a 64th, %i grains of a thousand units are left', (steps, grains) => {
    expect(afterSteps(steps)).toBe(grains);
  });

  test('A2: never rises with time, whatever was added', () => {
    fc.assert(
      fc.property(deeds, fc.nat(5 * HALF), fc.nat(5 * HALF), (list, a, b) => {
        const [heap, end] = heapOf(list);
        expect(worth(heap, end + a + b, HALF)).toBeLessThanOrEqual(worth(heap, end + a, HALF));
      }),
    );
  });

  test('A2: rises with everything that is added, exactly, at whatever moment it is looked at', () => {
    fc.assert(
      fc.property(deeds, deeds, fc.nat(5 * HALF), (before, after, later) => {
        const [heap, middle] = heapOf(before);
        let [less, more, at] = [heap, add(heap, 1, middle, HALF), middle];
        for (const { quarters, after: wait } of after) {
          at += wait;
          [less, more] = [add(less, quarters, at, HALF), add(more, quarters, at, HALF)];
        }
        expect(worth(more, at + later, HALF)).toBeGreaterThanOrEqual(worth(less, at + later, HALF));
      }),
    );
  });

  test('A2: two heaps together are worth what one is that took all, but for a shift that was rounded', () => {
    fc.assert(
      fc.property(deeds, deeds, (one, other) => {
        const [[a, atA], [b, atB]] = [heapOf(one), heapOf(other)];
        const at = Math.max(atA, atB);
        const apart = worth(a, at, HALF) + worth(b, at, HALF);
        expect(Math.abs(worth(merge(a, b), at, HALF) - apart)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('A1: a heap that holds more than it can stays full and exact', () => {
    let heap = EMPTY;
    for (let n = 0; n < 1_000; n++) heap = add(heap, 4_194_304, BEGIN + n * HALF, HALF);
    expect(Number.isSafeInteger(heap.mass)).toBe(true);
    expect(worth(heap, BEGIN + 1_000 * HALF, HALF)).toBeGreaterThan(GRAINS_PER_UNIT);
  });

  test('fades a value by half in each half-life, and to nothing', () => {
    expect([0, 1, 2, 60].map((n) => faded(900, n * HALF, HALF))).toEqual([900, 450, 225, 0]);
  });
});
