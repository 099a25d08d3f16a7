import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RING_LIMITS, type RingLimits } from '../kernel/ring.ts';
import { judge, type Meter, startMeter } from './host-limits-meter.ts';

const MIB = 1024 * 1024;
const idle = { memoryBytes: 46 * MIB, cpuMs: 300 };

/** Verdicts on a host that uses `percent` of a core for `seconds`, looked at every 100 ms. */
function verdicts(limits: RingLimits, percent: number, seconds: number): readonly string[] {
  let meter: Meter = startMeter(limits, 0);
  return Array.from({ length: seconds * 10 }, (_, n) => {
    const atMs = (n + 1) * 100;
    const judged = judge(meter, { memoryBytes: 0, cpuMs: (atMs * percent) / 100 }, atMs, limits);
    meter = judged.meter;
    return judged.verdict.type === 'kill' ? judged.verdict.exit.code : judged.verdict.type;
  });
}

describe('the watchdog', () => {
  test.each([1, 2, 3] as const)('lets a bare host of ring %i be', (ring) => {
    expect(judge(startMeter(RING_LIMITS[ring], 0), idle, 100, RING_LIMITS[ring]).verdict).toEqual({ type: 'go' });
  });

  test.each([1, 2, 3] as const)('ends a host of ring %i for the first byte beyond its memory', (ring) => {
    const limits = RING_LIMITS[ring];
    const max = limits.memoryBytesMax ?? 0;
    const at = (memoryBytes: number) => judge(startMeter(limits, 0), { memoryBytes, cpuMs: 0 }, 100, limits).verdict;

    expect(at(max)).toEqual({ type: 'go' });
    expect(at(max + 1)).toMatchObject({ type: 'kill', exit: { code: 'host.memory_exceeded' } });
  });

  test('knows no bound where the ring has none', () => {
    const usage = { memoryBytes: 64 * 1024 * MIB, cpuMs: 1e9 };

    expect(judge(startMeter(RING_LIMITS[0], 0), usage, 100, RING_LIMITS[0]).verdict).toEqual({ type: 'go' });
  });

  test('lets a host use what it has saved, then holds it, and ends one that will not be held', () => {
    const found = verdicts(RING_LIMITS[3], 100, 30);

    expect(found.indexOf('hold') / 10).toBe(5); // two seconds to start and two saved, at a cost of 0.8 a second
    expect(found.indexOf('host.cpu_exceeded') / 10).toBe(20); // the share of a minute later
    expect(found.lastIndexOf('go')).toBeLessThan(found.indexOf('hold'));
  });

  test('a host that comes to rest is let go once it has earned what it used', () => {
    const limits: RingLimits = { cpuPercentMax: 20 };
    const used = { memoryBytes: 0, cpuMs: 5_000 };
    const held = judge(startMeter(limits, 0), used, 0, limits);
    const later = (ms: number) => judge(held.meter, used, ms, limits).verdict.type;

    expect(held.verdict.type).toBe('hold');
    expect([later(4_900), later(5_000)]).toEqual(['hold', 'go']);
  });

  test.each([1, 2, 3] as const)('a turn of ring %i at full speed meets its step time first', (ring) => {
    const limits = RING_LIMITS[ring];
    const found = verdicts(limits, 100, (limits.stepMsMax ?? 0) / 1_000);

    expect(found).not.toContain('host.cpu_exceeded');
  });

  test('whoever stays within the share is never held, however it is spread', () => {
    const spread = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(spread, (uses) => {
        const limits: RingLimits = { cpuPercentMax: 20 };
        let meter = startMeter(limits, 0);
        let cpuMs = 0;
        for (const [n, used] of uses.entries()) {
          cpuMs += used;
          const judged = judge(meter, { memoryBytes: 0, cpuMs }, (n + 1) * 100, limits);
          expect(judged.verdict.type).toBe('go');
          meter = judged.meter;
        }
      }),
    );
  });

  test('nothing is saved beyond ten seconds of the share', () => {
    const limits: RingLimits = { cpuPercentMax: 20 };
    const started = judge(startMeter(limits, 0), { memoryBytes: 0, cpuMs: 2_000 }, 0, limits).meter;
    const rested = judge(started, { memoryBytes: 0, cpuMs: 2_000 }, 3_600_000, limits).meter;

    expect(rested.creditMs).toBe(2_000);
  });
});
