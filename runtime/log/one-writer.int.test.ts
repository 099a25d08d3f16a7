import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ProcessIdentity, thisProcess } from '../core/system.ts';
import { event, write } from './event.fixture.ts';
import { settle } from './event-log.contract.ts';
import { writerOf } from './log-directory.ts';
import { leavePen, type ScratchLog, scratchLog } from './scratch-log.fixture.ts';
import { soundEventsOf } from './sound-events.fixture.ts';
import { startWriter, type Writer } from './writer.fixture.ts';

function startEndless(scratch: ScratchLog, from = 1_000): Writer {
  const { directory, options } = scratch;
  const writer = startWriter(process, {
    ...{ ...options, directory, from, callers: 2, appends: 1_000_000 },
    ...{ eventsMax: 3, signEvery: 50, blobEvery: 0 },
  });
  writer.go();
  return writer;
}

async function kill(writer: Writer): Promise<void> {
  writer.child.kill('SIGKILL');
  await writer.ended;
}

describe('one writer', () => {
  test('a second process is refused while the first lives, and leaves its reserve alone', async () => {
    await using scratch = await scratchLog();
    const writer = startEndless(scratch);
    await writer.said('ack', 5);
    const reserve = join(scratch.directory, 'epoch-0', 'reserve');
    const { ino, size } = statSync(reserve);

    const refused = await settle(scratch.open({ reserveBytes: 9_000 }));
    const said = writer.lines.length;
    await writer.said('ack', 50 + writer.acks().length);
    await kill(writer);

    expect(refused).toMatchObject({ code: 'log.locked', message: expect.stringContaining(`${writer.child.pid}`) });
    expect(statSync(reserve)).toMatchObject({ ino, size });
    expect(writer.lines.slice(said).filter((line) => line.startsWith('fail'))).toEqual([]);
  });

  test('who writes is told beside it; of a writer that was killed, still; of one that closed, no more', async () => {
    await using scratch = await scratchLog();
    const writer = startEndless(scratch);
    await writer.said('ack', 1);
    const running = await writerOf(scratch.directory);
    await kill(writer);
    const killed = await writerOf(scratch.directory);
    await (await scratch.open())[Symbol.asyncDispose]();
    const closed = await writerOf(scratch.directory);

    expect(running).toMatchObject({ ...thisProcess(), pid: writer.child.pid, started: expect.stringMatching(/^\d+$/) });
    expect(killed).toEqual(running);
    expect(closed).toBeUndefined();
  });

  test('a second opening in the same process is refused, and harms nothing', async () => {
    await using scratch = await scratchLog();
    await using log = await scratch.open();
    await log.append([write('a', [event(0)])]);

    expect(await settle(scratch.open())).toMatchObject({ code: 'log.locked' });

    await log.append([write('a', [event(1)])]);
    expect(soundEventsOf(log)).toHaveLength(2);
  });

  test('of two that open at once, one writes', async () => {
    await using scratch = await scratchLog();
    for (let round = 0; round < 5; round++) {
      const writers = [1, 2].map((n) => startEndless(scratch, (2 * round + n) * 1_000_000));
      const first = await Promise.all(
        writers.map((writer) => Promise.race([writer.said('open'), writer.said('fail')])),
      );
      await Promise.all(writers.map(kill));

      expect(first.map((line) => line.replace(/\d+/, 'N')).sort()).toEqual(['fail log.locked undefined', 'open N']);
    }
    await using log = await scratch.open();
    expect(soundEventsOf(log).length).toBe(log.size);
  });

  test('a killed writer is succeeded without a flag', async () => {
    await using scratch = await scratchLog();
    const writer = startEndless(scratch);
    await writer.said('ack', 5);
    await kill(writer);

    await using log = await scratch.open();
    await log.append([write('a', [event(0)])]);
    expect(soundEventsOf(log).length).toBe(log.size);
  });

  test('a takeover fences the first writer: its next append is refused and nothing of it is written', async () => {
    await using scratch = await scratchLog();
    const writer = startEndless(scratch);
    await writer.said('ack', 5);

    await using log = await scratch.open({ takeover: true });
    const taken = log.size;
    await log.append([write('new', [event(0)])]);
    const ended = await writer.ended;

    expect(ended).toEqual({ code: 0, signal: null, errors: '' });
    expect(writer.lines.filter((line) => line.startsWith('fail'))).toEqual(
      Array(2).fill('fail log.stopped log.fenced'),
    );
    expect(Math.max(...writer.acks().map(({ index, count }) => index + count))).toBeLessThanOrEqual(taken);
    await log.append([write('new', [event(1)])]); // the fenced writer has closed, and has not taken the pen along
    expect(
      soundEventsOf(log)
        .slice(taken)
        .map((found) => found.stream),
    ).toEqual(['new', 'new']);
  });

  const self = thisProcess();
  const pens: readonly (readonly [string, ProcessIdentity | 'somebody', boolean])[] = [
    ['this very process', self, false],
    ['a process of the same pid that started at another time', { ...self, started: '1' }, true],
    ['a process that has ended', { ...self, pid: 2 ** 22 - 1, started: '1' }, true],
    ['a process in another pid namespace', { ...self, namespace: 'pid:[1]' }, false],
    ['a process of another machine', { ...self, host: 'elsewhere', boot: 'other' }, false],
    ['a process of this machine before it was booted', { ...self, boot: 'before' }, true],
    ['nobody knows whom', 'somebody', false],
  ];
  for (const [who, holder, isFree] of pens) {
    test(`a pen held by ${who} is ${isFree ? 'free to take' : 'taken only by a takeover'}`, async () => {
      await using scratch = await scratchLog();
      await leavePen(scratch.directory, holder);

      const opened = await settle(scratch.open());
      if (isFree) {
        if ('value' in opened) await opened.value[Symbol.asyncDispose]();
        expect(opened).toHaveProperty('value');
        return;
      }
      expect(opened).toMatchObject({ code: 'log.locked' });
      await using log = await scratch.open({ takeover: true });
      await log.append([write('a', [event(0)])]);
      expect(log.size).toBe(1);
    });
  }
});

describe('readers', () => {
  test('in another process see the log grow, each in its own view, and hold no writer up', async () => {
    await using scratch = await scratchLog();
    const writer = startEndless(scratch);
    await writer.said('ack', 5);

    await using early = await scratch.read();
    const reading = early.read()[Symbol.iterator]();
    reading.next(); // an iterator left open, as by a slow reader
    await writer.said('ack', 400);
    await using late = await scratch.read();
    await kill(writer);

    expect(late.size).toBeGreaterThan(early.size);
    const rest = [...Array(early.size + 5)].filter(() => reading.next().done !== true).length;
    expect(rest).toBe(early.size - 1);
    expect(soundEventsOf(early).length).toBe(early.size);
    expect(soundEventsOf(late).length).toBe(late.size);
  });

  test('in the process of the writer keep their view, and may go at any time', async () => {
    await using scratch = await scratchLog();
    await using log = await scratch.open();
    await log.append([write('a', [event(0)])]);
    const reader = await scratch.read();
    await log.append([write('b', [event(1)])]);

    expect(soundEventsOf(reader).map((found) => found.stream)).toEqual(['a']);
    await reader[Symbol.asyncDispose]();
    await log.append([write('c', [event(2)])]);
    expect(soundEventsOf(log)).toHaveLength(3);
  });

  test('keep a writer out of their own process, by name, until they have gone', async () => {
    await using scratch = await scratchLog();
    const reader = await scratch.read();

    expect(await settle(scratch.open())).toMatchObject({
      code: 'log.locked',
      message: expect.stringContaining('reader'),
    });
    expect(soundEventsOf(reader)).toEqual([]);
    await reader[Symbol.asyncDispose]();
    await using log = await scratch.open();
    await log.append([write('a', [event(0)])]);
    expect(soundEventsOf(log)).toHaveLength(1);
  });

  test('in the process of a writer may outlive it', async () => {
    await using scratch = await scratchLog();
    const log = await scratch.open();
    await log.append([write('a', [event(0)])]);
    await using reader = await scratch.read();
    await log[Symbol.asyncDispose]();

    expect(soundEventsOf(reader)).toHaveLength(1);
  });

  test('can neither append nor sign', async () => {
    await using scratch = await scratchLog();
    await using reader = await scratch.read();

    expect(await settle(reader.append([write('a', [event(0)])]))).toMatchObject({ code: 'log.read_only' });
    expect(await settle(reader.checkpoint())).toMatchObject({ code: 'log.read_only' });
    expect(reader.stopped).toMatchObject({ code: 'log.read_only' });
  });
});
