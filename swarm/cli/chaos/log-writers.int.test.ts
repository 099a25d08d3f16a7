import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock, thisProcess } from '../../../runtime/core/system.ts';
import { leavePen } from '../../../runtime/log/scratch-log.fixture.ts';
import { type Desk, desk, lines, linesFrom, withLog } from '../command.fixture.ts';
import { LogWriters } from './log-writers.ts';

const LONG_MS = 600_000;

type Ended = { readonly status: number | null; readonly signal: string | null };

/** A process that writes a log, as a node does, until its input ends. */
async function writer(
  at: Desk,
): Promise<{ readonly child: ChildProcessWithoutNullStreams; readonly end: Promise<Ended> }> {
  at.run(['log', 'init', 'log']); // not in this process, which may be reading already
  const child = at.start(['log', 'append', 'log']);
  const { promise: end, resolve } = Promise.withResolvers<Ended>();
  child.on('exit', (status, signal) => resolve({ status, signal }));
  child.stdin.write(lines(1));
  await linesFrom(child, 1);
  return { child, end };
}

function logWriters(): LogWriters {
  return new LogWriters({ clock: systemClock, identity: thisProcess() });
}

/** proc_pid_stat(5), field 3. */
function stateOf({ pid }: { readonly pid?: number | undefined }): string | undefined {
  return / ([A-Z]) \d+ [^()]*$/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
}

async function until(isSo: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = setInterval(() => isSo() && resolve(), 20);
  await promise.finally(() => clearInterval(look));
}

/** How often something had to be written before it was seen. */
async function writtenUntil(seen: Promise<void>, write: () => Promise<void>): Promise<number> {
  let [isSeen, count] = [false, 0];
  const noted = seen.then(() => {
    isSeen = true;
  });
  for (; !isSeen; count++) await write();
  await noted;
  return count;
}

describe('the process that writes a log', () => {
  test('N2: is gone when it was killed', async () => {
    using at = desk();
    const { child, end } = await writer(at);
    await using nodes = logWriters();

    expect(await nodes.kill(join(at.path, 'log'))).toEqual({ pid: child.pid });
    expect(await end).toMatchObject({ signal: 'SIGKILL' });
    await expect(nodes.kill(join(at.path, 'log'))).rejects.toMatchObject({
      code: 'chaos.no_node',
      message: expect.stringContaining('dead'),
    });
  });

  test('N2: stands still when it was stopped, and goes on when it may', async () => {
    using at = desk();
    const { child, end } = await writer(at);
    await using nodes = logWriters();
    const states = [];
    await nodes.stop(join(at.path, 'log'), LONG_MS);
    states.push(stateOf(child));
    await nodes.resume(join(at.path, 'log'));
    states.push(stateOf(child));
    child.stdin.end(lines(1, 1));

    expect(states).toEqual(['T', expect.stringMatching(/[SR]/)]);
    expect(await linesFrom(child, 1)).toContain('"index":');
    expect(await end).toMatchObject({ status: 0 });
  });

  test('N3: goes on by itself when its time is over', async () => {
    using at = desk();
    const { child, end } = await writer(at);
    await using nodes = logWriters();
    await nodes.stop(join(at.path, 'log'), 2_000);
    await until(() => stateOf(child) !== 'T');
    child.stdin.end();

    expect(await end).toMatchObject({ status: 0 });
  });

  test('N3: goes on when the experiment is over', async () => {
    using at = desk();
    const { child, end } = await writer(at);
    const nodes = logWriters();
    await nodes.stop(join(at.path, 'log'), LONG_MS);
    await nodes[Symbol.asyncDispose]();
    await until(() => stateOf(child) !== 'T');
    child.stdin.end();

    expect(await end).toMatchObject({ status: 0 });
  });

  // The process is the one that runs this test: were the signal sent, there would be nothing to report.
  test.each([
    ['its pid has another start time', { ...thisProcess(), started: '1' }],
    ['it ran before the machine was booted', { ...thisProcess(), boot: 'another' }],
    ['its pid counts in another namespace', { ...thisProcess(), namespace: 'pid:[1]' }],
    ['it runs on another machine', { ...thisProcess(), host: 'another' }],
    ['nobody can tell when it started', { ...thisProcess(), started: '' }],
  ])('N1: gets no signal when %s', async (_, identity) => {
    using at = desk();
    await withLog(at, 0);
    await leavePen(join(at.path, 'log'), identity);
    await using nodes = logWriters();

    for (const strike of [nodes.kill.bind(nodes), nodes.resume.bind(nodes)]) {
      await expect(strike(join(at.path, 'log'))).rejects.toMatchObject({ code: 'chaos.no_node' });
    }
  });

  test('a log that was closed has none, and one that is not there is not found', async () => {
    using at = desk();
    await withLog(at, 1);
    await using nodes = logWriters();

    await expect(nodes.kill(join(at.path, 'log'))).rejects.toMatchObject({ code: 'chaos.no_node' });
    await expect(nodes.kill(join(at.path, 'none'))).rejects.toMatchObject({ code: 'log.not_found' });
  });
});

describe('a moment', () => {
  test('is so many events after it was waited for, and no fewer, in a log that may be made meanwhile', async () => {
    using at = desk();
    await using nodes = logWriters();
    const moment = { log: join(at.path, 'log'), event: 'import.recorded', count: 3 };
    const { signal } = new AbortController();
    const first = nodes.seen(moment, signal); // where the log is made before the first look, it counts from there
    const { child, end } = await writer(at);
    let written = 1;
    const write = async (): Promise<void> => {
      child.stdin.write(lines(1, written++));
      await linesFrom(child, 1);
    };

    const [before, after] = [await writtenUntil(first, write), await writtenUntil(nodes.seen(moment, signal), write)];
    child.stdin.end();

    expect(before).toBeGreaterThanOrEqual(2); // and one by the writer's start
    expect(after).toBeGreaterThanOrEqual(3);
    expect(await end).toMatchObject({ status: 0 });
  });

  test('is waited for no longer than anybody wants to know', async () => {
    using at = desk();
    await using nodes = logWriters();
    const over = new AbortController();
    const waiting = nodes.seen({ log: join(at.path, 'log'), event: 'e', count: 1 }, over.signal);
    over.abort(new Error('over'));

    await expect(waiting).rejects.toThrow('over');
  });
});
