import { cpSync, existsSync, mkdirSync, mkdtempDisposableSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasCode } from '../core/errors.ts';
import { describeWith } from '../core/program.fixture.ts';
import type { Random } from '../core/random.ts';
import { seededRandom } from '../core/simulation.ts';
import { afterPowerCut, type DiskStep, durableFrom, parseTrace, TRACE_FLAGS } from './disk-trace.fixture.ts';
import { eventId } from './event.fixture.ts';
import { openLog, openReader } from './log-directory.ts';
import { ports, type ScratchLog, scratchLog } from './scratch-log.fixture.ts';
import { soundEventsOf } from './sound-events.fixture.ts';
import { startWriter, type WriterTask } from './writer.fixture.ts';

/** What one writer did, its writes to the data and from when on they were certain, and the data before it began. */
type Run = {
  readonly steps: readonly DiskStep[];
  readonly writes: ReadonlyMap<DiskStep & { readonly type: 'write' }, number | undefined>;
  readonly base: Uint8Array;
  readonly data: string;
  readonly anchors: string;
};

async function traced(scratch: ScratchLog, over: Partial<WriterTask> = {}): Promise<Run> {
  const { directory, anchors, options } = scratch;
  const data = join(directory, 'epoch-0', 'data.mdb');
  const base = readFileSync(data);
  const record = join(scratch.path, 'trace');
  const writer = startWriter(
    process,
    {
      ...{ ...options, directory, from: 1_000, callers: 3, appends: 15 },
      ...{ eventsMax: 8, signEvery: 5, blobEvery: 9, ...over },
    },
    ['strace', '--seccomp-bpf', ...TRACE_FLAGS, '-o', record],
  );
  writer.go();
  expect(await writer.ended).toEqual({ code: 0, signal: null, errors: '' });
  expect(writer.lines.at(-1)).toBe('closed');
  const steps = parseTrace(readFileSync(record, 'latin1'), scratch.path);
  const durable = durableFrom(steps);
  const own = steps.filter((step) => step.type === 'write').filter(({ path }) => path === data);
  return { steps, writes: new Map(own.map((step) => [step, durable.get(step)])), base, data, anchors };
}

/** The disks after a cut are many and short-lived. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const SEED = process.env['CUT_SEED'] ?? 'cut';

describeWith('strace', 'an acknowledgement', () => {
  /** Acknowledgements that were written while a write before them was not on the disk for certain. Only for one caller at a
   *  time: nothing of the next append is under way yet. */
  function early({ steps, writes }: Run): readonly string[] {
    return steps.flatMap((step) => {
      if (step.type !== 'said' || !/^(ack|signed)/.test(step.line)) return [];
      const isUncertain = [...writes].some(([{ began }, from = Infinity]) => began < step.began && from > step.began);
      return isUncertain ? [step.line] : [];
    });
  }

  test('is written after the fdatasync that covers it has returned', async () => {
    await using scratch = await scratchLog();

    const run = await traced(scratch, { callers: 1, appends: 40 });

    expect(run.steps.filter((step) => step.type === 'said' && step.line.startsWith('ack'))).toHaveLength(40);
    expect(run.steps.filter((step) => step.type === 'sync' && step.path === run.data).length).toBeGreaterThan(40);
    expect(early(run)).toEqual([]);
  });

  test('of a build that flushes nothing is found out by the same check', async () => {
    await using scratch = await scratchLog();

    const run = await traced(scratch, { callers: 1, appends: 40, plantNoSync: true });

    expect(early(run).length).toBeGreaterThan(40);
  });
});

describeWith('strace', 'a power cut', () => {
  /** Cuts the power before every step that touched the data and after the last one; what then is wrong with the log. */
  async function faultsOf(
    run: Run,
    scratch: ScratchLog,
    subsets: number,
  ): Promise<{ cuts: number; faults: readonly string[] }> {
    const random = seededRandom(SEED);
    const touching = run.steps.filter(
      (step) => step.type !== 'said' && (step.path === run.data || step.type === 'rename'),
    );
    const moments = [...touching.map((step) => step.began), Number.POSITIVE_INFINITY];
    const faults: string[] = [];
    let cuts = 0;
    for (const moment of moments) {
      for (let n = 0; n <= subsets; n++) {
        cuts += 1;
        const fault = await faultAt(run, scratch, moment, n === 0 ? undefined : random.stream(`${moment}/${n}`));
        if (fault !== undefined) faults.push(`line ${moment}, subset ${n} (CUT_SEED=${SEED}): ${fault}`);
      }
    }
    return { cuts, faults };
  }

  async function faultAt(run: Run, scratch: ScratchLog, moment: number, random?: Random): Promise<string | undefined> {
    using place = mkdtempDisposableSync(join(MEMORY, 'ringmesh-cut-'));
    const [directory, anchors] = [join(place.path, 'log'), join(place.path, 'anchors')];
    cpSync(scratch.directory, directory, { recursive: true });
    rmSync(join(directory, 'epoch-0', 'lock.mdb'));
    writeFileSync(join(directory, 'epoch-0', 'data.mdb'), afterPowerCut(run.base, run.writes, moment, random));
    mkdirSync(anchors);
    restoreAnchors(run, anchors, moment);
    try {
      await verifyAsReader(directory);
      await using log = await openLog(directory, { anchors, reserveBytes: 4_096 }, ports);
      soundEventsOf(log);
      const lost = run.steps.flatMap((step) => {
        if (step.type !== 'said' || step.ended >= moment) return [];
        const [, index = '', count = '', number = ''] = /^ack (\d+) (\d+) (\d+)$/.exec(step.line) ?? [];
        const numbers = Array.from({ length: Number(count) }, (_, n) => n);
        return numbers.filter((n) => log.find(eventId(Number(number) + n)) !== Number(index) + n);
      });
      return lost.length > 0 ? `${lost.length} acknowledged events lost` : undefined;
    } catch (error) {
      return hasCode(error) ? `${error.code} ${error.message}` : String(error);
    }
  }

  /** A verifier may come before any writer has. */
  async function verifyAsReader(directory: string): Promise<void> {
    await using reader = await openReader(directory, ports.clock);
    soundEventsOf(reader);
  }

  /** The newest anchors that can be there: every rename that had begun. */
  function restoreAnchors({ steps, anchors }: Run, into: string, moment: number): void {
    for (const step of steps) {
      if (step.type !== 'rename' || step.began >= moment || !step.path.startsWith(anchors)) continue;
      const written = steps.findLast(
        (write) => write.type === 'write' && write.path === step.from && write.began < step.began,
      );
      if (written?.type === 'write') writeFileSync(step.path.replace(anchors, into), written.bytes);
    }
  }

  test('at any moment leaves a log that verifies and holds every acknowledged event', async () => {
    await using scratch = await scratchLog();
    const run = await traced(scratch);

    const { cuts, faults } = await faultsOf(run, scratch, 2);

    expect(faults).toEqual([]);
    expect(cuts).toBeGreaterThan(300);
    console.log(`power cut: ${cuts} disks, ${run.steps.length} steps traced`);
  });

  test('finds out a build that flushes nothing', async () => {
    await using scratch = await scratchLog();
    const run = await traced(scratch, { plantNoSync: true });

    const { faults } = await faultsOf(run, scratch, 0);

    expect(faults.filter((fault) => fault.includes('acknowledged events lost')).length).toBeGreaterThan(10);
  });
});
