import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { describeWith } from '../core/program.fixture.ts';
import { event, eventId, write } from './event.fixture.ts';
import { settle } from './event-log.contract.ts';
import { type ScratchLog, scratchLog } from './scratch-log.fixture.ts';
import { soundEventsOf } from './sound-events.fixture.ts';
import { startWriter, type Writer, type WriterTask } from './writer.fixture.ts';

/** What the disk does wrong with a call. The request is lost: the call fails, having done nothing. The reply is lost: the
 *  process dies at the call, or the answer comes after the deadline. */
const FAULTS = {
  'fails with EIO': 'error=EIO',
  'finds the disk full': 'error=ENOSPC',
  'is the last': 'signal=SIGKILL',
  'begins too late': 'delay_enter=1500000',
  'answers too late': 'delay_exit=1500000',
} as const;
const FLUSH_MS_MAX = 400;
/** More occurrences than any phase has: a run that still meets a fault there is a mistake of this test. */
const OCCURRENCES_MAX = 40;

type Phase = 'opening' | 'appending' | 'closing';
type Outcome = {
  readonly writer: Writer;
  readonly wasMet: boolean;
  /** `null` for a process that was killed. */
  readonly code: number | null;
  readonly errors: string;
};

async function runWithFault(scratch: ScratchLog, phase: Phase, inject: string): Promise<Outcome> {
  const data = join(scratch.directory, 'epoch-0', 'data.mdb');
  const [call = ''] = inject.split(':');
  const strace = ['strace', '-f', '-P', data, '-e', 'signal=none', '-e', `trace=${call}`, '-e', `inject=${inject}`];
  const task: WriterTask = {
    ...{ ...scratch.options, directory: scratch.directory, from: 1_000, callers: 2, appends: 2, eventsMax: 90 },
    ...{
      signEvery: 2,
      blobEvery: 40,
      flushMsMax: FLUSH_MS_MAX,
      reopens: phase === 'appending' && !inject.includes('delay'),
    },
    ...(phase === 'opening' ? {} : { stopAt: phase === 'appending' ? 'opened' : 'appended' }),
  };
  if (phase === 'opening') {
    const writer = startWriter(process, task, [...strace, '--seccomp-bpf']);
    writer.go();
    const { code, signal, errors } = await writer.ended;
    return { writer, wasMet: signal === 'SIGKILL' || MET.test(errors), code, errors };
  }
  const writer = startWriter(process, task);
  writer.go();
  await writer.said('at');
  const [command = '', ...args] = [...strace, '-p', `${writer.child.pid}`];
  const tracer = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const { promise: attached, resolve } = Promise.withResolvers<void>();
  let seen = '';
  createInterface({ input: tracer.stderr }).on('line', (line) => {
    seen += `${line}\n`;
    if (line.includes('attached')) resolve();
  });
  const traced = new Promise((done) => tracer.on('close', done));
  await attached;
  writer.go();
  await Promise.race([writer.ended, settle(writer.said('at closed'))]);
  tracer.kill(); // which lets the writer go: from here on the disk is sound
  await traced;
  writer.go();
  const { code, signal, errors } = await writer.ended;
  return { writer, wasMet: signal === 'SIGKILL' || MET.test(seen), code, errors };
}

const MET = /INJECTED|DELAYED/;

/** What must hold after any of it. */
async function mustHaveHeld(scratch: ScratchLog, { writer, errors }: Outcome): Promise<void> {
  expect(errors).not.toMatch(/unhandled|uncaught/i);
  await using log = await scratch.open();
  soundEventsOf(log);
  const lost = writer
    .acks()
    .filter(({ index, count, number }) =>
      Array.from({ length: count }, (_, n) => log.find(eventId(number + n)) === index + n).includes(false),
    );
  expect(lost).toEqual([]);
  await log.append([write('after', [event(1)])]);
  expect((await log.checkpoint()).checkpoint.size).toBe(log.size);
}

const PHASES = [
  ['opening', ['pwrite64', 'writev', 'fdatasync']],
  ['appending', ['pwrite64', 'writev', 'fdatasync']],
  ['closing', ['pwrite64', 'fdatasync']],
] as const;

const cases = [
  ...PHASES.flatMap(([phase, calls]) =>
    calls.flatMap((call) =>
      (['fails with EIO', 'finds the disk full', 'is the last'] as const).map((fault) => [phase, call, fault] as const),
    ),
  ),
  ['appending', 'fdatasync', 'begins too late'],
  ['appending', 'fdatasync', 'answers too late'],
] as const;

describeWith('strace', 'a disk', () => {
  test.each(cases)('that, while the log is %s, meets a %s that %s', async (phase, call, fault) => {
    let met = 0;
    for (let when = 1; when <= OCCURRENCES_MAX; when++) {
      await using scratch = await scratchLog();
      const outcome = await runWithFault(scratch, phase, `${call}:${FAULTS[fault]}:when=${when}`);
      await mustHaveHeld(scratch, outcome);
      if (!outcome.wasMet) break;
      met += 1;
      expect(outcome.code).toBe(fault === 'is the last' ? null : 0);
      if (fault === 'is the last') continue;
      const { lines } = outcome.writer;
      const failures = lines.filter((line) => line.startsWith('fail'));
      const code = fault === 'finds the disk full' ? 'log.full' : 'log.stopped';
      expect(failures).not.toEqual([]);
      for (const line of failures) expect(line).toMatch(new RegExp(`^fail ${code} `));
      // Fail-stop is for the log that met the fault: the next one, in the same process too, goes on from what is on disk.
      if (lines.includes('at closed')) expect(lines.at(-1)).toMatch(/^again /);
    }
    expect(met).toBeGreaterThan(phase === 'appending' ? 1 : 0);
    expect(met).toBeLessThan(OCCURRENCES_MAX);
  });
});
