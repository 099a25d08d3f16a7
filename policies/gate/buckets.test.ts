import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Consume } from '../decision/obligation.ts';
import { request } from '../policy.fixture.ts';
import { WindowBuckets } from './buckets.ts';

const consume = (over: Partial<Consume> = {}): Consume => ({
  kind: 'consume',
  bucket: 'b',
  limit: 3,
  perMs: 6_400,
  by: ['agent', 'tenant', 'tool'],
  ...over,
});

test('W1: no window has more in it than the limit, and what was taken is given back in time', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 20, maxLength: 60 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 5 }), (steps, limit) => {
      const buckets = new WindowBuckets();
      const asked = [consume({ limit })];
      const taken: number[] = [];
      let at = 1_000_000;
      for (const step of steps) {
        at += step;
        const wait = buckets.waitMs(asked, request({ at }));
        if (wait === 0) {
          buckets.take(asked, request({ at }));
          taken.push(at);
          expect(taken.filter((t) => t > at - 6_400).length).toBeLessThanOrEqual(limit);
        } else {
          expect(wait).toBeLessThanOrEqual(6_400 + 100);
          expect(buckets.waitMs(asked, request({ at: at + wait }))).toBe(0);
        }
      }
    }),
  );
});

test('W2: a bucket is shared by nobody who is counted apart', () => {
  const buckets = new WindowBuckets();
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
  const buckets = new WindowBuckets({ keysMax: 2 });
  const asked = [consume()];
  const by = (name: string, at: number) => request({ at, subject: { id: name } });
  buckets.take(asked, by('a', 0));
  buckets.take(asked, by('b', 0));

  expect(buckets.waitMs(asked, by('c', 1))).toBe(6_400);
  expect(buckets.waitMs(asked, by('c', 7_000))).toBe(0);
});

test('a clock that goes back gives nothing', () => {
  const buckets = new WindowBuckets();
  const asked = [consume({ limit: 1 })];
  buckets.take(asked, request({ at: 100_000 }));

  expect(buckets.waitMs(asked, request({ at: 50_000 }))).toBeGreaterThan(0);
  buckets.take(asked, request({ at: 50_000 }));
  expect(buckets.waitMs(asked, request({ at: 106_400 }))).toBeGreaterThan(0);
});
