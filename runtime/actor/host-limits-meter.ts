/**
 * What the watchdog makes of what it measures. Pure: a measure at a moment, and the meter before it, give the meter after it
 * and a verdict.
 *
 * CPU is a credit. It grows with time at the ring's share, to that of ten seconds at most; what is used is taken from it.
 * A host in debt is held: it is sent nothing until the debt is earned, which slows to its share whoever only works when
 * asked. One that goes on without being asked, to a debt of a minute's share, is ended.
 */
import type { RingLimits } from '../kernel/ring.ts';
import type { HostExit } from './hosts.ts';

/** Of a whole process: all its threads, and memory outside V8's heap too. */
export type Usage = { readonly memoryBytes: number; readonly cpuMs: number };

export type Meter = { readonly atMs: number; readonly cpuMs: number; readonly creditMs: number };

export type Verdict =
  | { readonly type: 'go' }
  | { readonly type: 'hold' }
  | { readonly type: 'kill'; readonly exit: HostExit };

/** Time of whose share a host may save up, and then use at once. */
const SAVED_MS = 10_000;
/** Time of whose share it may be in debt. In every ring that is more than a turn can owe before its step time ends it. */
const DEBT_MS = 60_000;
/** To start costs no credit: 0.3 s for Node and a small module (measured on the two cores of docs/benchmarks.md), so 2 s. */
const START_CPU_MS = 2_000;

/** The meter of a host that starts now. */
export function startMeter({ cpuPercentMax = 0 }: RingLimits, atMs: number): Meter {
  return { atMs, cpuMs: 0, creditMs: START_CPU_MS + (SAVED_MS * cpuPercentMax) / 100 };
}

/** What a measure means. */
export function judge(
  before: Meter,
  { memoryBytes, cpuMs }: Usage,
  atMs: number,
  { memoryBytesMax, cpuPercentMax }: RingLimits,
): { readonly meter: Meter; readonly verdict: Verdict } {
  const share = (cpuPercentMax ?? 0) / 100;
  const ceilingMs = Math.max(before.creditMs, SAVED_MS * share);
  const earnedMs = (atMs - before.atMs) * share;
  const creditMs = Math.min(ceilingMs, before.creditMs + earnedMs - (cpuMs - before.cpuMs));
  const meter = { atMs, cpuMs, creditMs };
  if (memoryBytesMax !== undefined && memoryBytes > memoryBytesMax) {
    const message = `expected at most ${memoryBytesMax} bytes of memory, found ${memoryBytes}`;
    return { meter, verdict: { type: 'kill', exit: { code: 'host.memory_exceeded', message } } };
  }
  if (cpuPercentMax === undefined || creditMs >= 0) return { meter, verdict: { type: 'go' } };
  if (creditMs >= -DEBT_MS * share) return { meter, verdict: { type: 'hold' } };
  const message = `expected ${cpuPercentMax} % of a core, found ${Math.round(-creditMs)} ms used beyond that`;
  return { meter, verdict: { type: 'kill', exit: { code: 'host.cpu_exceeded', message } } };
}
