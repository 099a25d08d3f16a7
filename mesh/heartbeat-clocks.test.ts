import { expect, test } from 'vitest';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { type ClockNews, Clocks } from './heartbeat-clocks.ts';
import { didOf, later, NOW } from './world.fixture.ts';

const node = didOf(generateKeyPair(seededRandom('clocks')));
const epoch = 'AAECAwQFBgc';

/** What is told of heartbeats that arrive five seconds apart, each `ahead` of this clock when it is heard. */
function heard(aheads: readonly number[], clocks = new Clocks(), first = 0): readonly (ClockNews | undefined)[] {
  return aheads.map((ahead, n) => {
    const at = later((first + n) * 5_000);
    return clocks.hear({ node, epoch, number: first + n, at: (at + ahead) as Millis }, at);
  });
}

test.each([
  ['a clock that agrees, on a wire that takes its time', [-1, -900, -1_999, -5, -20_000, -3], []],
  ['a clock that is ahead is certain at once', [2_001], [[2_001, true]]],
  ['a clock that is behind needs several words in a row', [-2_001, -2_500, -4_000], [[-2_001, true]]],
  ['one that is just within the bound', [2_000, 2_000, 2_000], []],
] as const)('%s', (_what, aheads, told) => {
  const news = heard(aheads).filter((item) => item !== undefined);
  expect(news.map(({ aheadMs, differs }) => [aheadMs, differs])).toEqual(told);
});

test('that it agrees again is told, too, and no change more than once a minute', () => {
  const clocks = new Clocks();
  expect(heard([3_000], clocks)).toMatchObject([{ differs: true }]);
  expect(clocks.different.get(node)).toBe(3_000);
  const news = heard(Array<number>(20).fill(-10), clocks, 1);
  expect(news.filter((item) => item !== undefined)).toMatchObject([{ differs: false, aheadMs: -10 }]);
  expect(news.findIndex((item) => item !== undefined)).toBeGreaterThan(10);
  expect(clocks.different.size).toBe(0);
  const flapping = heard(
    Array.from({ length: 60 }, (_, n) => (n % 6 < 3 ? 3_000 : -10)),
    new Clocks(),
  );
  expect(flapping.filter((item) => item !== undefined).length).toBeLessThanOrEqual(5);
});

test('attack: what is said again later says nothing of the clock', () => {
  const clocks = new Clocks();
  heard([-1, -1, -1], clocks);
  for (let n = 0; n < 10; n++) {
    expect(clocks.hear({ node, epoch, number: n % 3, at: NOW }, later(60_000 + n))).toBeUndefined();
  }
  expect(clocks.different.size).toBe(0);
});
