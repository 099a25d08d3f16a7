/**
 * The limits of a ring, enforced on the processes that run its agents: by the operating system where an operator has handed
 * control groups over, else by a watchdog, which looks every `LOOK_MS` and sees no more than that.
 *
 * Memory is what a process has for itself, in V8's heap or outside: not the 55 MiB of Node's own file, which all hosts
 * share. A bare host has 46 MiB of it (measured, Node 26.10 on x64). A control group counts those file pages too, but
 * gives them back before it runs out.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import { hasCode } from '../core/errors.ts';
import { thisProcess } from '../core/system.ts';
import type { RingLimits } from '../kernel/ring.ts';
import { type Cgroup, openCgroups } from './host-limits-cgroup.ts';
import { judge, startMeter, type Usage } from './host-limits-meter.ts';
import type { HostExit } from './hosts.ts';

/** By what a limit is enforced. `permissions`: Node's own, which stop an agent's code but no native one. */
export type Isolation = {
  readonly memory: 'cgroup2' | 'cgroup1' | 'watchdog' | 'none';
  readonly cpu: 'cgroup2' | 'cgroup1' | 'watchdog' | 'none';
  readonly processes: 'cgroup2' | 'cgroup1' | 'permissions';
};

/** What a limiter does to a host. */
export type Limited = {
  /** It is to be sent nothing for a while, or again what has waited. */
  readonly hold: (isHeld: boolean) => void;
  readonly kill: (exit: HostExit) => void;
};

export type Limits = Disposable & {
  /** Why the operating system has ended it, if that was for a limit. */
  exitOf(signal: string | null): HostExit | undefined;
};

export type Limiter = {
  readonly isolation: Isolation;
  /** Puts a process under limits until it is disposed of. `pid` has not run anything of an author's yet. */
  limit(pid: number, limits: RingLimits, limited: Limited): Limits;
};

const LOOK_MS = 100;

/** Bytes of V8's old space that a host may have, as a share of its memory: the rest is for Node, code and buffers. */
const HEAP_SHARE = 0.6;
const MIB = 1024 * 1024;

/** The second layer: an agent that fills the heap is ended by V8 itself. */
export function heapFlags({ memoryBytesMax }: RingLimits): readonly string[] {
  if (memoryBytesMax === undefined) return [];
  return [`--max-old-space-size=${Math.floor((memoryBytesMax * HEAP_SHARE) / MIB)}`];
}

/** `cgroups` are directories of control groups that this node was given: one of version 2, or one per controller of version 1.
 *  @throws `cgroup.unusable` */
export function openLimiter(cgroups: readonly string[], clock: Clock): Limiter {
  const groups = openCgroups(cgroups, thisProcess().pid);
  const canLook = existsSync('/proc/self/status');
  const { memory, cpu, processes } = groups.means;
  const otherwise = canLook ? 'watchdog' : 'none';
  return {
    isolation: { memory: memory ?? otherwise, cpu: cpu ?? otherwise, processes: processes ?? 'permissions' },
    limit(pid, limits, limited) {
      const group = cgroups.length === 0 ? undefined : groups.add(pid, limits);
      const { memoryBytesMax, cpuPercentMax } = limits;
      const watched: RingLimits = {
        ...(memory === undefined && memoryBytesMax !== undefined ? { memoryBytesMax } : {}),
        ...(cpu === undefined && cpuPercentMax !== undefined ? { cpuPercentMax } : {}),
      };
      const watch = canLook && Object.keys(watched).length > 0 ? watchdog(pid, watched, limited, clock) : undefined;
      return {
        exitOf: (signal) => (signal === 'SIGKILL' ? outOfMemory(group, limits) : undefined),
        [Symbol.dispose]() {
          watch?.[Symbol.dispose]();
          group?.remove();
        },
      };
    },
  };
}

function outOfMemory(group: Cgroup | undefined, { memoryBytesMax }: RingLimits): HostExit | undefined {
  if (group?.isOutOfMemory() !== true) return undefined;
  const message = `expected at most ${memoryBytesMax} bytes of memory, ended by the kernel`;
  return { code: 'host.memory_exceeded', message };
}

function watchdog(pid: number, limits: RingLimits, limited: Limited, clock: Clock): Disposable {
  let meter = startMeter(limits, clock.monotonicMs());
  let isHeld = false;
  const look = (): Disposable =>
    clock.after(LOOK_MS, () => {
      const usage = usageOf(pid);
      if (usage === undefined) return; // it has ended, and its listener hears of that
      const judged = judge(meter, usage, clock.monotonicMs(), limits);
      meter = judged.meter;
      next = look();
      if (judged.verdict.type === 'kill') {
        limited.kill(judged.verdict.exit);
        return;
      }
      const mustHold = judged.verdict.type === 'hold';
      if (mustHold !== isHeld) limited.hold(mustHold);
      isHeld = mustHold;
    });
  let next = look();
  return { [Symbol.dispose]: () => next[Symbol.dispose]() };
}

/** Clock ticks of /proc are hundredths of a second on every Linux that Node runs on (proc_pid_stat(5)). */
const TICK_MS = 10;

/** What a process uses (proc_pid_status(5), proc_pid_stat(5)); `undefined` once it has ended. */
function usageOf(pid: number): Usage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const kib = [...status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return { memoryBytes: kib * 1024, cpuMs: (Number(user) + Number(system)) * TICK_MS };
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return undefined;
    throw error;
  }
}
