import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from './bytes.ts';
import type { Random } from './random.ts';
import { seededRandom } from './simulation.ts';
import { systemRandom } from './system.ts';

const draws = (random: Random, bound: number, count: number): readonly number[] =>
  Array.from({ length: count }, () => random.below(bound));

/** Computed once, by this generator: what matters is that they never change. */
const GOLDEN = {
  one: [393288148, 2174103013, 3814759091, 2092745082, 1865176206],
  text: [229, 414, 115, 194, 239],
  bytes: '0c2aeef365a34e1b',
  stream: [63, 66, 19, 17, 11],
};

describe('the seeded generator', () => {
  test('gives these draws for ever: recorded histories and printed seeds depend on them', () => {
    expect(draws(seededRandom(1), 2 ** 32, 5)).toEqual(GOLDEN.one);
    expect(draws(seededRandom('kill'), 1_000, 5)).toEqual(GOLDEN.text);
    expect(toHex(seededRandom(7).bytes(8))).toBe(GOLDEN.bytes);
    expect(draws(seededRandom(1).stream('a'), 100, 5)).toEqual(GOLDEN.stream);
  });

  test('draws nothing else for the same seed, and something else for another', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.string()), (seed) => {
        const [one, two] = [seededRandom(seed), seededRandom(seed)];
        expect(draws(one, 1_000, 20)).toEqual(draws(two, 1_000, 20));
        expect(draws(seededRandom(`${seed}'`), 2 ** 32, 4)).not.toEqual(draws(seededRandom(seed), 2 ** 32, 4));
      }),
    );
  });

  test('keeps its streams apart from itself, from one another and from the order of asking', () => {
    const random = seededRandom('root');
    const before = draws(random.stream('a'), 1_000, 10);
    draws(random, 1_000, 50);
    draws(random.stream('b'), 1_000, 50);

    expect(draws(random.stream('a'), 1_000, 10)).toEqual(before);
    expect(draws(random.stream('b'), 1_000, 10)).not.toEqual(before);
    expect(draws(seededRandom('root'), 1_000, 10)).not.toEqual(before);
    expect(draws(random.stream('a').stream('c'), 1_000, 10)).not.toEqual(draws(random.stream('c'), 1_000, 10));
  });

  // The critical values of chi-square at 0.001: a fair generator passes, and the same seed does every time.
  test.each([
    [2, 10.83],
    [3, 13.82],
    [6, 20.52],
    [10, 27.88],
    [16, 37.7],
    [100, 148.23],
  ])('draws every number below %i as often as another', (bound, critical) => {
    for (const seed of ['uniform', 'fair', 3]) {
      const counts = new Array<number>(bound).fill(0);
      const count = 1_000 * bound;
      for (const drawn of draws(seededRandom(seed), bound, count)) counts[drawn] = (counts[drawn] ?? 0) + 1;
      const chiSquare = counts.reduce((sum, found) => sum + (found - 1_000) ** 2 / 1_000, 0);
      expect(chiSquare).toBeLessThan(critical);
    }
  });

  test('favours no third of a range that is no power of two', () => {
    // A generator that took the remainder of 32 bits would give the first third of 3 · 2^30 twice as often.
    const bound = 3 * 2 ** 30;
    const thirds = [0, 0, 0];
    for (const drawn of draws(seededRandom('bias'), bound, 30_000)) {
      const third = Math.floor(drawn / 2 ** 30);
      thirds[third] = (thirds[third] ?? 0) + 1;
    }
    for (const found of thirds) expect(Math.abs(found - 10_000)).toBeLessThan(400);
  });
});

describe.each([
  ['seeded', seededRandom('each')],
  ['system', systemRandom],
] as const)('the %s generator', (_, random) => {
  test('draws integers below its bound, the least and the largest bound included', () => {
    expect(draws(random, 1, 20)).toEqual(Array(20).fill(0));
    for (const bound of [2, 255, 256, 2 ** 31, 2 ** 32]) {
      for (const drawn of draws(random, bound, 200))
        expect(Number.isInteger(drawn) && drawn >= 0 && drawn < bound).toBe(true);
    }
  });

  test.each([0, 32, 1_000])('gives %i bytes when asked for as many', (length) => {
    expect(random.bytes(length)).toBeInstanceOf(Uint8Array);
    expect(random.bytes(length)).toHaveLength(length);
    if (length > 0) expect(toHex(random.bytes(length))).not.toBe(toHex(random.bytes(length)));
  });

  test('has streams that draw too', () => {
    expect(draws(random.stream('a'), 10, 50).every((drawn) => drawn < 10)).toBe(true);
  });
});

test.each([0, -1, 1.5, 2 ** 32 + 1, Number.NaN])('the seeded generator asserts on the bound %s', (bound) => {
  expect(() => seededRandom(1).below(bound)).toThrow(expect.objectContaining({ code: 'assert.failed' }));
});
