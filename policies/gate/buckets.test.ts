import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ActionDecided } from '../../runtime/kernel/action-events.ts';
import type { Consume } from '../decision/obligation.ts';
import type { PolicyRequest } from '../decision/request.ts';
import { request } from '../policy.fixture.ts';
import { bucketKey, RateBuckets } from './buckets.ts';

const SPAN_MS = 6_400;

const consume = (over: Partial<Consume> = {}): Consume => ({
  kind: 'consume',
  bucket: 'b',
  limit: 3,
  perMs: SPAN_MS,
  by: ['agent', 'tenant', 'tool'],
  ...over,
});

const gaps = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 20, maxLength: 60 });
const limits = fc.integer({ min: 1, max: 5 });

/** Takes at each moment where it may; the moments. */
function takenAt(buckets: RateBuckets, asked: readonly Consume[], moments: readonly number[]): readonly number[] {
  return moments.filter((at) => {
    if (buckets.waitMs(asked, request({ at })) > 0) return false;
    buckets.take(asked, request({ at }));
    return true;
  });
}

const momentsOf = (steps: readonly number[]): readonly number[] => {
  let at = 1_000_000;
  return steps.map((step) => {
    at += step;
    return at;
  });
};

test('W1: never more than the limit at once, and in the long run no more than the limit per span', () => {
  fc.assert(
    fc.property(gaps, limits, (steps, limit) => {
      const moments = momentsOf(steps);
      const taken = takenAt(new RateBuckets(), [consume({ limit })], moments);
      for (const [n, first] of taken.entries()) {
        for (const [m, last] of taken.entries()) {
          if (m < n) continue;
          expect(m - n + 1).toBeLessThanOrEqual(limit + Math.floor(((last - first) * limit) / SPAN_MS));
        }
      }
    }),
  );
});

test('W1: who waits as long as is said gets one', () => {
  fc.assert(
    fc.property(gaps, limits, (steps, limit) => {
      const buckets = new RateBuckets();
      const asked = [consume({ limit })];
      for (const at of momentsOf(steps)) {
        const waitMs = buckets.waitMs(asked, request({ at }));
        expect(waitMs).toBeLessThanOrEqual(Math.ceil(SPAN_MS / limit));
        expect(buckets.waitMs(asked, request({ at: at + waitMs }))).toBe(0);
        if (waitMs === 0) buckets.take(asked, request({ at }));
      }
    }),
  );
});

test('W2: a bucket is shared by nobody who is counted apart', () => {
  const buckets = new RateBuckets();
  const asked = [consume({ limit: 1 })];
  buckets.take(asked, request());

  expect(buckets.waitMs(asked, request())).toBeGreaterThan(0);
  for (const other of [{ subject: { id: 'did:example:bob' } }, { subject: { tenant: 'acme' } }, { tool: 'fs.read' }]) {
    expect(buckets.waitMs(asked, request(other))).toBe(0);
  }
  expect(buckets.waitMs([consume({ limit: 1, bucket: 'c' })], request())).toBe(0);
  expect(buckets.waitMs([consume({ limit: 1, by: ['tool'] })], request())).toBe(0);
});

test('W3: where there is no room for another key, it is refused until one has drained', () => {
  const buckets = new RateBuckets({ keysMax: 2 });
  const asked = [consume()];
  const by = (name: string, at: number) => request({ at, subject: { id: name } });
  buckets.take(asked, by('a', 0));
  buckets.take(asked, by('b', 0));

  expect(buckets.waitMs(asked, by('c', 1))).toBe(SPAN_MS);
  expect(buckets.waitMs(asked, by('c', 7_000))).toBe(0);
});

test('W4: a restart at any moment gives no extra allowance', () => {
  fc.assert(
    fc.property(gaps, limits, fc.nat(60), (steps, limit, restart) => {
      const asked = [consume({ limit })];
      const moments = momentsOf(steps);
      const whole = takenAt(new RateBuckets(), asked, moments);

      const before = takenAt(new RateBuckets(), asked, moments.slice(0, restart));
      const again = new RateBuckets();
      for (const at of before) again.relive(decided(asked, request({ at })));
      const after = takenAt(again, asked, moments.slice(restart));

      expect([...before, ...after]).toEqual(whole);
    }),
  );
});

test('W4: what was refused took nothing, and what the record does not say was owed takes nothing', () => {
  const buckets = new RateBuckets();
  const asked = [consume({ limit: 1 })];
  const outcome = { type: 'denied', code: 'policy.denied', message: 'no' } as const;
  buckets.relive({ ...decided(asked, request()), refused: { gate: 'policy', outcome } });
  buckets.relive(decided([], request()));

  expect(buckets.waitMs(asked, request())).toBe(0);
});

test('a clock that goes back gives nothing', () => {
  const buckets = new RateBuckets();
  const asked = [consume({ limit: 1 })];
  buckets.take(asked, request({ at: 100_000 }));

  expect(buckets.waitMs(asked, request({ at: 50_000 }))).toBeGreaterThan(0);
  buckets.take(asked, request({ at: 50_000 }));
  expect(buckets.waitMs(asked, request({ at: 106_400 }))).toBeGreaterThan(0);
});

/** The record of an allowed act that owed this. */
function decided(asked: readonly Consume[], { at, ...rest }: PolicyRequest): ActionDecided {
  return {
    key: 't/0',
    verb: 'use',
    target: rest.action.tool,
    effect: 'pure',
    risk: 0,
    scope: null,
    digest: '',
    input: {},
    ...(asked.length === 0 ? {} : { owed: asked.map((each) => ({ ...each, key: bucketKey(each, { at, ...rest }) })) }),
    at,
    ring: null,
    attempt: 1,
    refused: null,
    note: {},
  };
}
