/** What is looked at on the real machine. Judging is elsewhere: `machine.ts` and its neighbours. */
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EventId } from '../../../runtime/codec/record.ts';
import { parseStreamId } from '../../../runtime/codec/record.ts';
import type { Clock } from '../../../runtime/core/clock.ts';
import { unwrap } from '../../../runtime/core/result.ts';
import { uuidv7 } from '../../../runtime/core/uuid.ts';
import type { LogPorts } from '../../../runtime/log/log-directory.ts';
import type { Shell } from '../shell.ts';
import type { ClockSeen, DiskSeen } from './machine.ts';

const FLUSHES = 7;

/** Writes a small file there, and removes it. */
export async function lookAtDisk(folder: string, clock: Clock): Promise<DiskSeen> {
  const path = join(await mkdtemp(join(folder, '.ringmesh-doctor-')), 'flush');
  try {
    const file = await open(path, 'w', 0o600);
    const flushMs: number[] = [];
    try {
      for (let n = 0; n < FLUSHES; n++) {
        const began = clock.monotonicMs();
        await file.write(new Uint8Array(4096));
        await file.datasync();
        flushMs.push(clock.monotonicMs() - began);
      }
    } finally {
      await file.close();
    }
    const { bavail, bsize, type } = await statfs(folder);
    return { folder, freeBytes: bavail * bsize, kind: type, flushMs };
  } finally {
    await rm(join(path, '..'), { recursive: true, force: true });
  }
}

const CLOCK_LOOK_MS = 100;
const CLOCK_READINGS = 1_000;

export async function lookAtClock(clock: Clock): Promise<ClockSeen> {
  const [wall, monotonic] = [clock.now(), clock.monotonicMs()];
  let [last, wentBack] = [monotonic, false];
  for (let n = 0; n < CLOCK_READINGS; n++) {
    const next = clock.monotonicMs();
    wentBack ||= next < last;
    last = next;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  const alive = setTimeout(resolve, CLOCK_LOOK_MS); // the clock's own timers keep no process alive
  await promise;
  clearTimeout(alive);
  const [wallMs, monotonicNow] = [clock.now(), clock.monotonicMs()];
  return { wallMs, wallPassedMs: wallMs - wall, monotonicPassedMs: monotonicNow - monotonic, wentBack };
}

/** Makes a log of one event, and reads it back: the storage engine loads, maps a file, and flushes. */
export async function lookAtStore(ports: LogPorts): Promise<string> {
  const { createLog, openLog } = await import('../../../runtime/log/log-directory.ts');
  const { logEvent } = await import('../../../runtime/log/vocabulary.ts');
  const folder = await mkdtemp(join(tmpdir(), 'ringmesh-doctor-'));
  try {
    const [directory, anchors] = [join(folder, 'log'), join(folder, 'anchors')];
    await createLog(directory, { anchors }, ports.random);
    await using log = await openLog(directory, { anchors, reserveBytes: 0 }, ports);
    const id = uuidv7(ports.clock, ports.random) as EventId;
    const event = logEvent('import.recorded', { by: 'doctor' }, { id, actor: log.did });
    const stream = unwrap(parseStreamId('doctor'), 'a stream in the source');
    await log.append([{ stream, expected: 'none', events: [event] }]);
    const back = [...log.read()].length;
    if (back !== 1) throw new Error(`expected the one event that was written, found ${back}`);
    return 'loads, writes an event and reads it back';
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const ENGINES = ['docker', 'podman'];
const ENGINE_MS_MAX = 5_000;

/** The container engines that answer, with the version of what answers and not of the program that asks. */
export async function lookForEngines(env: Shell['env']): Promise<readonly string[]> {
  const asked = ENGINES.map(async (engine) => {
    try {
      const args = ['version', '--format', '{{.Server.Version}}'];
      const { stdout } = await run(engine, args, { timeout: ENGINE_MS_MAX, env: { ...env } });
      return stdout.trim() === '' ? [] : [`${engine} ${stdout.trim()}`];
    } catch (error) {
      if (error instanceof Error) return []; // not there, or nobody answers it
      throw error;
    }
  });
  return (await Promise.all(asked)).flat();
}

const run = promisify(execFile);
