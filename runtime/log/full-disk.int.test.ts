import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempDisposableSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { messageOf } from '../core/errors.ts';
import { event, eventId, write } from './event.fixture.ts';
import { settle } from './event-log.contract.ts';
import type { EventLog, Recorded } from './event-log.ts';
import { leavePen, ports, type ScratchLog, scratchLog } from './scratch-log.fixture.ts';
import { soundEventsOf } from './sound-events.fixture.ts';

const MIB = 1024 * 1024;
const RESERVE_BYTES = MIB;

type SmallDisk = Disposable & { readonly path: string; resize(bytes: number): void };

/** A file system of its own, in memory, of that size. */
function smallDisk(bytes: number): SmallDisk {
  const folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-disk-'));
  const mount = (options: string): void => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder.path], { stdio: 'pipe' });
  };
  mount(`size=${bytes}`);
  return {
    path: folder.path,
    resize: (to) => mount(`remount,size=${to}`),
    [Symbol.dispose]() {
      execFileSync('umount', ['--lazy', folder.path]);
      folder.remove();
    },
  };
}

function whyNot(): string | undefined {
  try {
    smallDisk(MIB)[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return `SKIPPED, no file system can be mounted here: ${messageOf(error).split('\n')[0]}`;
  }
}

/** Appends until the log takes no more; what was acknowledged, and why it ended. */
async function fill(log: EventLog, from = 0): Promise<{ readonly acks: readonly Recorded[]; readonly end: unknown }> {
  const acks: Recorded[] = [];
  for (let n = from; n < from + 1_000; n++) {
    const payload = {
      type: 'bytes',
      media: 'application/octet-stream',
      bytes: new Uint8Array(50_000).fill(n),
    } as const;
    const outcome = await settle(log.append([write(`s${n % 3}`, [event(n, { payload }), event(n + 100_000)])]));
    if (!('value' in outcome)) return { acks, end: outcome };
    acks.push(...outcome.value);
  }
  return { acks, end: 'never full' };
}

function lost(log: EventLog, acks: readonly Recorded[]): readonly number[] {
  return acks.filter(({ id, index }) => log.find(id) !== index).map(({ index }) => index);
}

describe('a full disk', () => {
  const reason = whyNot();
  const it = (behaviour: string, body: (disk: SmallDisk, scratch: ScratchLog) => Promise<void>): void => {
    test.skipIf(reason !== undefined)(reason === undefined ? behaviour : `${behaviour}: ${reason}`, async () => {
      using disk = smallDisk(8 * MIB);
      using away = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-anchors-'));
      const scratch = await scratchLog(disk.path);
      const options = { anchors: away.path, reserveBytes: RESERVE_BYTES };
      await body(disk, { ...scratch, options, open: (over = {}) => scratch.open({ ...options, ...over }) });
    });
  };

  it('is told as log.full, and loses nothing that was acknowledged', async (_, scratch) => {
    const log = await scratch.open();
    const { acks, end } = await fill(log);

    await readdir(scratch.path); // a turn of the event loop: a rejection that nobody observed would end the process now

    expect(end).toMatchObject({ code: 'log.full' });
    expect(log.stopped).toMatchObject({ code: 'log.full' });
    expect(await settle(log.append([write('a', [event(5_000)])]))).toMatchObject({ code: 'log.full' });
    expect(acks.length).toBeGreaterThan(50);
    expect(lost(log, acks)).toEqual([]);
    await log[Symbol.asyncDispose]();

    await using reader = await scratch.read();
    soundEventsOf(reader);
    expect(lost(reader, acks)).toEqual([]);
  });

  it('is recorded once, from the reserve, and refuses appends until there is room', async (disk, scratch) => {
    const log = await scratch.open();
    const { acks } = await fill(log);
    await log[Symbol.asyncDispose]();
    const reserve = join(scratch.directory, 'epoch-0', 'reserve');
    expect(statSync(reserve).size).toBe(RESERVE_BYTES);

    for (const attempt of ['first', 'second']) {
      const again = await scratch.open();
      const stored = soundEventsOf(again);
      expect(stored.filter(({ type }) => type === 'log.filled').length).toBe(1);
      expect(stored.at(-1)?.payload).toEqual({
        type: 'json',
        value: { reserve_bytes: RESERVE_BYTES, size: stored.length - 1 },
      });
      expect(lost(again, acks), attempt).toEqual([]);
      expect(await settle(again.append([write('a', [event(5_000)])]))).toMatchObject({ code: 'log.full' });
      expect(existsSync(reserve)).toBe(false);
      await again[Symbol.asyncDispose]();
    }

    disk.resize(16 * MIB);
    await using roomy = await scratch.open();
    await roomy.append([write('a', [event(5_000)])]);
    expect((await roomy.checkpoint()).checkpoint.size).toBe(roomy.size);
    expect(statSync(reserve).size).toBe(RESERVE_BYTES);
    expect(lost(roomy, acks)).toEqual([]);
    soundEventsOf(roomy);
  });

  it('may come and go: what fills it a second time is recorded again', async (disk, scratch) => {
    const acks: Recorded[] = [];
    for (const [round, size] of [16, 24].entries()) {
      const log = await scratch.open();
      acks.push(...(await fill(log, round * 1_000)).acks);
      await log[Symbol.asyncDispose]();
      await (await scratch.open())[Symbol.asyncDispose]();
      disk.resize(size * MIB);
    }

    await using log = await scratch.open();
    expect(soundEventsOf(log).filter(({ type }) => type === 'log.filled')).toHaveLength(2);
    expect(lost(log, acks)).toEqual([]);
  });

  it('that somebody else filled is told at once, and the reserve of a living writer is left to it', async (disk, scratch) => {
    const log = await scratch.open();
    await log.append([write('a', [event(0)])]);
    await log[Symbol.asyncDispose]();
    await leavePen(scratch.directory, ports.identity);
    const reserve = join(scratch.directory, 'epoch-0', 'reserve');
    const junk = join(disk.path, 'junk');
    expect(() => writeFileSync(junk, new Uint8Array(16 * MIB))).toThrow(/ENOSPC/);

    expect(await settle(scratch.open())).toMatchObject({ code: 'log.locked' });
    expect(existsSync(reserve)).toBe(true);

    const taken = await scratch.open({ takeover: true });
    expect(taken.stopped).toMatchObject({ code: 'log.full' });
    expect([...taken.read()].at(-1)?.type).toBe('log.filled');
    await taken[Symbol.asyncDispose]();
    rmSync(junk);
    await using again = await scratch.open();
    await again.append([write('a', [event(1)])]);
    expect(again.find(eventId(1))).toBe(2);
  });
});
