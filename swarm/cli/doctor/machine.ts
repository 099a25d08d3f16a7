/** What this machine is like, judged. Nothing here looks: `look.ts` does, and hands over what it saw. */
import { RESERVE_BYTES } from '../../../runtime/core/limits.ts';
import { type Check, fail, ok, warn } from './check.ts';

const MIB = 1024 * 1024;

/** The oldest Node that `engines` of the package names, and the first whose permissions cover the network. */
const NODE_OLDEST = 24;
const NODE_WITH_NETWORK_PERMISSION = 25;

export function judgeNode(version: string): Check {
  const major = Number(/^v?(\d+)\./.exec(version)?.[1]);
  if (!(major >= NODE_OLDEST)) return fail('node', version, `install Node ${NODE_OLDEST} or newer`);
  if (major >= NODE_WITH_NETWORK_PERMISSION) return ok('node', version);
  return warn(
    'node',
    `${version}: its permissions do not keep agents' code from the network`,
    `install Node ${NODE_WITH_NETWORK_PERMISSION} or newer, or give nodes no network but the broker's`,
  );
}

export type DiskSeen = {
  readonly folder: string;
  readonly freeBytes: number;
  /** Of statfs(2); Linux's numbers. */
  readonly kind: number;
  /** How long each of a few small writes took to be on disk. */
  readonly flushMs: readonly number[];
};

/** What a log needs to begin with, and what lets it go on for a while. */
const FREE_BYTES_MIN = 2 * RESERVE_BYTES;
const FREE_BYTES_EASY = 1024 * MIB;
/** Every act waits for a flush: at this, a turn of three acts takes a quarter of a second. */
const FLUSH_MS_EASY = 80;

/** Magic numbers of statfs(2). LMDB maps its file, and two machines that map one file do not see each other's writes. */
const REMOTE: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
]);
const IN_MEMORY: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
]);

export function judgeDisk({ folder, freeBytes, kind, flushMs }: DiskSeen): readonly Check[] {
  return [judgeRoom(folder, freeBytes), judgeFlush(folder, kind, flushMs)];
}

function judgeRoom(folder: string, freeBytes: number): Check {
  const found = `${Math.floor(freeBytes / MIB)} MiB free at ${folder}`;
  if (freeBytes < FREE_BYTES_MIN)
    return fail(
      'disk space',
      found,
      `make room: a log keeps ${RESERVE_BYTES / MIB} MiB aside, and stops when it is full`,
    );
  if (freeBytes < FREE_BYTES_EASY) return warn('disk space', found, 'make room: a log only grows');
  return ok('disk space', found);
}

function judgeFlush(folder: string, kind: number, flushMs: readonly number[]): Check {
  const name = 'disk flush';
  const magic = kind < 0 ? kind + 2 ** 32 : kind;
  const remote = REMOTE.get(magic);
  if (remote !== undefined) return fail(name, `${folder} is on ${remote}`, 'put the log on a disk of this machine');
  const memory = IN_MEMORY.get(magic);
  if (memory !== undefined)
    return warn(name, `${folder} is on ${memory}: what is there is gone with the power`, 'put the log on a disk');
  const median = medianOf(flushMs);
  const found = `${median.toFixed(1)} ms, the median of ${flushMs.length}, at ${folder}`;
  if (median > FLUSH_MS_EASY)
    return warn(name, found, 'use a faster disk: before every act there is a flush, and agents wait for it');
  return ok(name, found);
}

function medianOf(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

export type ClockSeen = {
  readonly wallMs: number;
  /** What each clock says has passed between the same two moments. */
  readonly wallPassedMs: number;
  readonly monotonicPassedMs: number;
  /** Whether the monotonic one has ever gone back. */
  readonly wentBack: boolean;
  /** When the last event of the log happened, by the clock of whoever wrote it. */
  readonly lastEventMs?: number | undefined;
};

/** 2026-01-01: this software is not older. */
const WALL_MS_MIN = 1_767_225_600_000;
/** More than a wall clock is slewed in the time of a look. */
const DRIFT_MS_MAX = 20;
/** Of a clock that is kept by NTP; envelopes are refused at 30 s. */
const BEHIND_MS_MAX = 1_000;

export function judgeClock({ wallMs, wallPassedMs, monotonicPassedMs, wentBack, lastEventMs = 0 }: ClockSeen): Check {
  const now = new Date(wallMs).toISOString();
  const keep = 'keep the clock by NTP (timedatectl set-ntp true), or ask whoever runs this machine';
  if (wentBack) return fail('clock', 'the monotonic clock went back', 'do not run nodes here: no deadline would hold');
  if (wallMs < WALL_MS_MIN) return fail('clock', `it is said to be ${now}`, keep);
  const drift = Math.abs(wallPassedMs - monotonicPassedMs);
  if (drift > DRIFT_MS_MAX)
    return warn('clock', `the wall clock jumped by ${Math.round(drift)} ms while looked at`, keep);
  const behindMs = lastEventMs - wallMs;
  if (behindMs > BEHIND_MS_MAX)
    return warn('clock', `${now}, ${Math.round(behindMs / 1000)} s before the last event of the log`, keep);
  return ok('clock', now);
}

/** What answers of container engines there are: the first word of each is its name. */
export function judgeEngine(versions: readonly string[]): Check {
  if (versions.length > 0) return ok('container engine', versions.join(', '));
  return warn('container engine', 'none answers', 'start one (docker, podman) if you want to run nodes as containers');
}
