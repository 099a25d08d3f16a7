/**
 * Limits by Linux control groups: a group per host, within groups that an operator has handed over to this node. Groups have
 * one manager (docs.kernel.org/admin-guide/cgroup-v2.html, "Delegation"; systemd.io/CGROUP_DELEGATION), so none is made
 * where nobody said so.
 *
 * Version 2 is one tree, version 1 a tree per controller; which files a new group has says which it is, and what can be
 * limited there.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, hasCode, messageOf } from '../core/errors.ts';
import type { RingLimits } from '../kernel/ring.ts';

export type CgroupMeans = { readonly [limit in 'memory' | 'cpu' | 'processes']?: 'cgroup1' | 'cgroup2' };

/** Threads count as processes here. Node needs a dozen. */
const PROCESSES_MAX = 64;
const PERIOD_US = 100_000;

/** What limits what: files of a group, in the order in which they are written. Those in brackets may be missing. */
const FILES: readonly {
  readonly limit: keyof CgroupMeans;
  readonly file: string;
  readonly also: readonly string[];
  readonly value: (limits: RingLimits, file: string) => string | undefined;
}[] = [
  { limit: 'memory', file: 'memory.max', also: ['memory.swap.max', 'memory.oom.group'], value: memoryOf },
  { limit: 'memory', file: 'memory.limit_in_bytes', also: ['memory.memsw.limit_in_bytes'], value: memoryOf },
  { limit: 'cpu', file: 'cpu.max', also: [], value: cpuOf },
  { limit: 'cpu', file: 'cpu.cfs_quota_us', also: [], value: cpuOf },
  { limit: 'processes', file: 'pids.max', also: [], value: () => `${PROCESSES_MAX}` },
];

export type Cgroups = {
  readonly means: CgroupMeans;
  /** Puts a process that has just begun under limits.
   *  @throws whatever the file system says: then it is not limited, and must not run */
  add(pid: number, limits: RingLimits): Cgroup;
};

export type Cgroup = {
  /** Whether the kernel ended a process of the group because its memory was used up. */
  isOutOfMemory(): boolean;
  /** Removes the group, now or when it has emptied; what is left in it is ended where the kernel offers that. */
  remove(): void;
};

/** The groups below `directories`. `pid` is this node's own, which names them.
 *  @throws `cgroup.unusable`: no group can be made in one of them, or it limits nothing */
export function openCgroups(directories: readonly string[], pid: number): Cgroups {
  const leaving = new Set<string>();
  let made = 0;
  const make = (parent: string): string => {
    const path = join(parent, `ringmesh-${pid}-${++made}`);
    mkdirSync(path);
    return path;
  };
  const sweep = (): void => {
    for (const path of leaving) if (hasGone(path)) leaving.delete(path);
  };
  const means: CgroupMeans = Object.assign({}, ...directories.map((directory) => meansOf(directory, make)));
  return {
    means,
    add(child, limits) {
      sweep();
      const paths = directories.map(make);
      for (const path of paths) {
        limitGroup(path, limits);
        writeFileSync(join(path, 'cgroup.procs'), `${child}`);
      }
      return {
        isOutOfMemory: () => paths.some(hasOomKill),
        remove() {
          for (const path of paths) {
            if (existsSync(join(path, 'cgroup.kill'))) writeFileSync(join(path, 'cgroup.kill'), '1');
            leaving.add(path);
          }
          sweep();
        },
      };
    },
  };
}

/** What can be limited below a directory, found by making a group there. */
function meansOf(directory: string, make: (parent: string) => string): CgroupMeans {
  try {
    removeStale(directory);
    enableControllers(directory);
    const path = make(directory);
    const version = existsSync(join(path, 'cgroup.controllers')) ? 'cgroup2' : 'cgroup1';
    const found = FILES.filter(({ file }) => existsSync(join(path, file)));
    rmdirSync(path);
    if (found.length > 0) return Object.fromEntries(found.map(({ limit }) => [limit, version]));
  } catch (cause) {
    const message = `expected to make control groups in ${directory}, found ${messageOf(cause)}`;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('cgroup.unusable', message, { cause });
  }
  throw new CodedError('cgroup.unusable', `expected a group in ${directory} to limit something, found no controller`);
}

/** Version 2 gives a group the controllers that its parent hands on; a parent with processes of its own may not. */
function enableControllers(directory: string): void {
  const file = join(directory, 'cgroup.subtree_control');
  if (!existsSync(file)) return;
  const available = readFileSync(join(directory, 'cgroup.controllers'), 'utf8').split(/\s+/);
  const enabled = readFileSync(file, 'utf8').split(/\s+/);
  for (const controller of ['memory', 'cpu', 'pids']) {
    if (available.includes(controller) && !enabled.includes(controller)) writeFileSync(file, `+${controller}`);
  }
}

/** Groups of nodes that were killed. */
function removeStale(directory: string): void {
  for (const name of readdirSync(directory)) {
    const [, pid] = /^ringmesh-(\d+)-\d+$/.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) hasGone(join(directory, name));
  }
}

/** Writes the limits into whichever files the group has. */
export function limitGroup(path: string, limits: RingLimits): void {
  for (const { file, also, value } of FILES) {
    if (!existsSync(join(path, file))) continue;
    for (const name of [file, ...also.filter((one) => existsSync(join(path, one)))]) {
      const text = value(limits, name);
      if (text !== undefined) writeFileSync(join(path, name), text);
    }
  }
}

function memoryOf({ memoryBytesMax }: RingLimits, file: string): string | undefined {
  if (memoryBytesMax === undefined) return undefined;
  if (file === 'memory.swap.max') return '0';
  return file === 'memory.oom.group' ? '1' : `${memoryBytesMax}`;
}

function cpuOf({ cpuPercentMax }: RingLimits, file: string): string | undefined {
  if (cpuPercentMax === undefined) return undefined;
  const quota = (cpuPercentMax * PERIOD_US) / 100;
  return file === 'cpu.max' ? `${quota} ${PERIOD_US}` : `${quota}`; // version 1 has this period by default
}

/** Whether the kernel has ended a process of the group for want of memory. */
export function hasOomKill(path: string): boolean {
  return ['memory.events', 'memory.oom_control'].some((name) => {
    const file = join(path, name);
    return existsSync(file) && /^oom_kill [1-9]/m.test(readFileSync(file, 'utf8'));
  });
}

/** Whether an empty group is gone now; one with a process in it stays. */
function hasGone(path: string): boolean {
  try {
    rmdirSync(path);
  } catch (error) {
    if (hasCode(error, 'EBUSY')) return false;
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  return true;
}
