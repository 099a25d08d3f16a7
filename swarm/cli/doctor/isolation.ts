/** What stands around the code of agents on this machine, ring by ring. */
import type { Isolation } from '../../../runtime/actor/host-limits.ts';
import { RING_LIMITS, type Ring, type RingLimits } from '../../../runtime/kernel/ring.ts';
import { type Check, ok, warn } from './check.ts';

const RINGS: readonly Ring[] = [0, 1, 2, 3];
const MIB = 1024 * 1024;

/** A line per ring. Where the operating system is not what holds it, the line says `seat-belt`: it helps against accidents,
 *  and not against whoever means it. */
export function judgeIsolation(isolation: Isolation): readonly Check[] {
  return RINGS.map((ring) => judgeRing(ring, RING_LIMITS[ring], isolation));
}

function judgeRing(ring: Ring, limits: RingLimits, { memory, cpu, processes }: Isolation): Check {
  const { memoryBytesMax, cpuPercentMax } = limits;
  const name = `isolation of ring ${ring}`;
  const parts = [
    memoryBytesMax === undefined ? 'memory without limit' : `memory ${memoryBytesMax / MIB} MiB by ${by(memory)}`,
    cpuPercentMax === undefined ? 'cpu without limit' : `cpu ${cpuPercentMax} % by ${by(cpu)}`,
    `processes by ${by(processes)}`,
  ];
  const means = [
    ...(memoryBytesMax === undefined ? [] : [memory]),
    ...(cpuPercentMax === undefined ? [] : [cpu]),
    processes,
  ];
  if (means.every((one) => one.startsWith('cgroup'))) return ok(name, parts.join(', '));
  return warn(name, `seat-belt: ${parts.join(', ')}`, REMEDY);
}

function by(means: Isolation[keyof Isolation]): string {
  if (means === 'none') return 'nobody';
  return means === 'permissions' ? "Node's permissions" : means;
}

const REMEDY =
  'run only code that you trust; hand control groups over (childHosts: cgroups), or run nodes in containers';
