import type { Outcome } from 'ringmesh/runtime';
import { describe, expect, test } from 'vitest';
import { patiently } from './patience.ts';

const ok: Outcome<number> = { type: 'ok', value: 1 };
const stale: Outcome<number> = { type: 'denied', code: 'permit.stale', message: 'overtaken' };

async function asked(...answers: readonly Outcome<number>[]) {
  const slept: number[] = [];
  const left = [...answers];
  let last = left[0] ?? ok;
  const sleep = async (ms: number): Promise<void> => void slept.push(ms);
  const outcome = await patiently({ sleep }, async () => {
    last = left.shift() ?? last;
    return last;
  });
  return { outcome, slept, left };
}

describe('asking again', () => {
  test('waits as long as it is told to, and longer each time that was not enough', async () => {
    const busy = (retryAfterMs: number): Outcome<number> => ({ type: 'busy', retryAfterMs });
    expect(await asked(busy(50), busy(7), busy(90), ok)).toEqual({ outcome: ok, slept: [50, 20, 90], left: [] });
  });

  test('does not wait where a permit was overtaken', async () => {
    expect(await asked(stale, ok)).toEqual({ outcome: ok, slept: [], left: [] });
  });

  test('takes every other answer as it is', async () => {
    const denied: Outcome<number> = { type: 'denied', code: 'policy.denied', message: 'no' };
    expect(await asked(denied, ok)).toEqual({ outcome: denied, slept: [], left: [ok] });
  });

  test('comes to an end', async () => {
    const { outcome, slept } = await asked({ type: 'busy', retryAfterMs: 5 });
    expect(outcome).toEqual({ type: 'busy', retryAfterMs: 5 });
    expect(slept).toHaveLength(59);
    expect(slept.reduce((sum, ms) => sum + ms)).toBeGreaterThan(30_000);
  });
});
