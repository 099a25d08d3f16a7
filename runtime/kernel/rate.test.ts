import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admitAt, type Rate } from './rate.ts';

const tenPerMinute: Rate = { count: 10, periodMs: 60_000, burst: 10 };

/** Which of the moments are admitted, each taking its place. */
function admitted(rate: Rate, moments: readonly number[]): readonly boolean[] {
  let arrival = 0;
  return moments.map((at) => {
    const answer = admitAt(arrival, rate, at);
    if (answer.isAllowed) arrival = answer.next;
    return answer.isAllowed;
  });
}

describe('a rate', () => {
  test('lets a burst through at once, then one per interval', () => {
    const start = 1_700_000_000_000;
    expect(admitted(tenPerMinute, Array(11).fill(start))).toEqual([...Array(10).fill(true), false]);
    expect(admitted(tenPerMinute, [...Array(10).fill(start), start + 5_999, start + 6_000])).toEqual([
      ...Array(10).fill(true),
      false,
      true,
    ]);
  });

  test('says when to come again, and keeps its word', () => {
    fc.assert(
      fc.property(rates, moments, (rate, at) => {
        let arrival = 0;
        for (const moment of at) {
          const answer = admitAt(arrival, rate, moment);
          if (answer.isAllowed) arrival = answer.next;
          else expect(admitAt(arrival, rate, moment + answer.retryAfterMs).isAllowed).toBe(true);
        }
      }),
    );
  });

  test('never admits more than the burst and the rate allow, in any window', () => {
    fc.assert(
      fc.property(rates, moments, (rate, at) => {
        const taken = at.filter((_, n) => admitted(rate, at)[n]);
        for (const [n, from] of taken.entries()) {
          for (const [m, to] of taken.entries()) {
            if (m < n) continue;
            const most = rate.burst + Math.floor(((to - from) * rate.count) / rate.periodMs);
            expect(m - n + 1).toBeLessThanOrEqual(most);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('takes nothing for a refusal', () => {
    const refused = admitAt(Number.MAX_SAFE_INTEGER / 2, tenPerMinute, 1_000);
    expect(refused).toMatchObject({ isAllowed: false });
  });
});

const rates = fc.record({
  count: fc.integer({ min: 1, max: 50 }),
  periodMs: fc.integer({ min: 1, max: 60_000 }),
  burst: fc.integer({ min: 1, max: 20 }),
});
const moments = fc
  .array(fc.nat(3_000), { minLength: 1, maxLength: 60 })
  .map((gaps) => gaps.map((_, n) => 1_700_000_000_000 + gaps.slice(0, n + 1).reduce((sum, gap) => sum + gap, 0)));
