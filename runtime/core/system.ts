/**
 * The only file that reads the real clock, the real generator and the process it runs in. Everything else takes them as
 * parameters: that is what makes a run replayable. Lint denies the globals elsewhere.
 */
import { randomBytes, randomFillSync, randomInt } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Millis } from './brand.ts';
import type { Clock } from './clock.ts';
import { hasCode } from './errors.ts';
import type { Random } from './random.ts';

export const systemClock: Clock = {
  now: () => Date.now() as Millis,
  monotonicMs: () => performance.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, delayMs);
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

export const systemRandom: Random = {
  bytes: (length) => (length <= POOLED_BYTES_MAX ? fromPool(length) : new Uint8Array(randomBytes(length))),
  below: (bound) => randomInt(bound),
  stream: () => systemRandom,
};

/** Ids and salts are drawn by the thousand, and a call of the generator costs more than what it draws. Nothing is given twice,
 *  and what was given does not stay here. Keys come from the generator itself. */
const POOLED_BYTES_MAX = 16;
const pool = { bytes: new Uint8Array(4096), used: 4096 };

function fromPool(length: number): Uint8Array {
  if (pool.used + length > pool.bytes.length) {
    randomFillSync(pool.bytes);
    pool.used = 0;
  }
  const end = pool.used + length;
  const drawn = pool.bytes.slice(pool.used, end);
  pool.bytes.fill(0, pool.used, end);
  pool.used = end;
  return drawn;
}

/** Resolves in the next turn of the event loop: what has arrived, and writes that have ended, come first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** What tells one process from every other, dead ones included. Two processes are the same iff all five fields agree. */
export type ProcessIdentity = {
  readonly pid: number;
  /** Start time in clock ticks since boot (Linux): a pid is reused, a pid with its start time is not. `''` elsewhere. */
  readonly started: string;
  /** The kernel's boot id (Linux), else the host's name. */
  readonly boot: string;
  /** The pid namespace (Linux): a pid from another namespace says nothing here. `''` elsewhere. */
  readonly namespace: string;
  /** The machine's name, for people and for telling a rebooted machine from another one. */
  readonly host: string;
};

export function thisProcess(): ProcessIdentity {
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    boot: readOr('/proc/sys/kernel/random/boot_id', hostname()),
    namespace: linkOr('/proc/self/ns/pid', ''),
    host: readOr('/etc/machine-id', '') || hostname(),
  };
}

/** The number of the user as whom this process acts; `undefined` where users have none. From the kernel: a user of no name is one
 *  too, and nobody is called to find it. */
export function thisUser(): number | undefined {
  return process.geteuid?.();
}

/**
 * Whether the process that `identity` names still runs: `unknown` where this process cannot see (another pid namespace,
 * another machine). A machine that has booted since cannot still run a process of the boot before.
 */
export function liveness(identity: ProcessIdentity, self: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (identity.host !== self.host) return 'unknown';
  if (identity.boot !== self.boot) return 'dead';
  if (identity.namespace !== self.namespace) return 'unknown';
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return 'dead';
    if (!hasCode(error, 'EPERM')) throw error;
  }
  const started = startOf(identity.pid);
  return started === undefined || started === identity.started ? 'alive' : 'dead';
}

/** Field 22 of /proc/PID/stat; the command name before it may hold spaces and parentheses, so count from the last one. */
function startOf(pid: number): string | undefined {
  const stat = readOr(`/proc/${pid}/stat`, '');
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'EACCES') || hasCode(error, 'ESRCH')) return fallback;
    throw error;
  }
}

function linkOr(path: string, fallback: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'EACCES')) return fallback;
    throw error;
  }
}
