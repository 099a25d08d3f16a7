/**
 * A process that appends to a log and says on its standard output what was acknowledged: what the crash tests kill, trace
 * and starve. One line each, written at once and never buffered:
 *
 * ```
 * open SIZE · ack INDEX COUNT NUMBER · signed SIZE · fail CODE CAUSE · at WHERE · closed · again SIZE
 * ```
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readSync, writeSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { hasCode } from '../core/errors.ts';
import { seededRandom } from '../core/simulation.ts';
import { systemClock, systemRandom, thisProcess } from '../core/system.ts';
import { event, events, write } from './event.fixture.ts';
import type { EventLog, NewEvent } from './event-log.ts';
import { type OpenOptions, openLog } from './log-directory.ts';

/** What a writer is to do. Event numbers begin at `from`, so that no two writers of one test share an id. */
export type WriterTask = OpenOptions & {
  readonly directory: string;
  readonly from: number;
  /** Appends under way at the same time. */
  readonly callers: number;
  /** Appends per caller; then it closes the log. */
  readonly appends: number;
  /** Events per append: 1 to this, drawn. */
  readonly eventsMax: number;
  /** A checkpoint after every so many appends of a caller; 0 for none. */
  readonly signEvery: number;
  /** One event in so many has a payload that becomes a blob; 0 for none. */
  readonly blobEvery: number;
  /** Opens the log once more in the end, says `again SIZE`, and closes it. */
  readonly reopens?: boolean;
  /** Where it waits to be let go once more: said as `at WHERE`. */
  readonly stopAt?: 'opened' | 'appended';
};

/** Runs the task once a line arrives on standard input, so that a test can start a process before it needs one.
 *  @public called by name, in the process that `startWriter` starts */
export async function runWriter(task: WriterTask): Promise<void> {
  waitForGo();
  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  try {
    const log = await openLog(task.directory, task, ports);
    say(`open ${log.size}`);
    if (task.stopAt === 'opened') standAt('opened');
    await Promise.all(Array.from({ length: task.callers }, (_, caller) => runCaller(task, caller, log)));
    await readdir(task.directory); // a turn of the event loop, in which a rejection that nobody observed ends the process
    if (task.stopAt === 'appended') standAt('appended');
    await log[Symbol.asyncDispose]();
    say('closed');
    if (task.reopens !== true) return;
    standAt('closed');
    await using again = await openLog(task.directory, task, ports);
    say(`again ${again.size}`);
  } catch (error) {
    sayFailure(error);
  }
}

async function runCaller(task: WriterTask, caller: number, log: EventLog): Promise<void> {
  const random = seededRandom(`${task.from}/${caller}`);
  let next = task.from + caller * task.appends * task.eventsMax;
  for (let n = 1; n <= task.appends; n++) {
    const count = 1 + random.below(task.eventsMax);
    const added = events(next, next + count).map((one, k) => grown(one, next + k, task.blobEvery));
    try {
      const [first] = await log.append([write(`caller/${caller}`, added)]);
      say(`ack ${first?.index} ${count} ${next}`);
      if (task.signEvery > 0 && n % task.signEvery === 0) {
        say(`signed ${(await log.checkpoint()).checkpoint.size}`);
      }
    } catch (error) {
      return sayFailure(error);
    }
    next += count;
  }
}

function grown(one: NewEvent, n: number, blobEvery: number): NewEvent {
  if (blobEvery === 0 || n % blobEvery !== 0) return one;
  const bytes = new Uint8Array(5_000 + (n % 1_000)).fill(n % 251);
  return event(n, { payload: { type: 'bytes', media: 'application/octet-stream', bytes } });
}

function standAt(where: string): void {
  say(`at ${where}`);
  waitForGo();
}

function waitForGo(): void {
  readSync(0, new Uint8Array(1));
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function sayFailure(error: unknown): void {
  const { cause } = error as { readonly cause?: unknown };
  say(`fail ${hasCode(error) ? error.code : String(error)} ${hasCode(cause) ? cause.code : String(cause)}`);
}

/** One acknowledged append: `count` events from number `number` on, at `index` and after. */
export type Ack = { readonly index: number; readonly count: number; readonly number: number };

export type Writer = {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** The lines so far. */
  readonly lines: string[];
  /** Resolves with the line once one begins with `start`, `count` times; rejects when the process ends before. */
  said(start: string, count?: number): Promise<string>;
  /** Lets it begin. */
  go(): void;
  /** What it ended with. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null; readonly errors: string }>;
  acks(): readonly Ack[];
};

/** The process that starts others: `process`. */
export type Host = { readonly execPath: string; readonly env: Readonly<Record<string, string | undefined>> };

/** Starts a writer that waits for `go`. `through` is a command to run it under, such as strace. */
export function startWriter(host: Host, task: WriterTask, through: readonly string[] = []): Writer {
  const source = `await (await import(${JSON.stringify(import.meta.url)})).runWriter(${JSON.stringify(task)})`;
  const [command = '', ...args] = [...through, host.execPath, '--input-type=module', '--eval', source];
  // One thread for the file system, so that a trace counts its calls in one order; compiled code kept, to start fast.
  const env = { ...host.env, UV_THREADPOOL_SIZE: '1', NODE_COMPILE_CACHE: join(tmpdir(), 'ringmesh-compile-cache') };
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let isOver = false;
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdin.on('error', () => undefined); // killed before it was let go
  const wake = (): void => {
    for (const look of waiting) look();
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    wake();
  });
  const ended = new Promise<{ code: number | null; signal: string | null; errors: string }>((resolve) => {
    child.on('close', (code, signal) => {
      isOver = true;
      wake();
      resolve({ code, signal, errors });
    });
  });
  const said = (start: string, count = 1): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const look = (): void => {
      const found = lines.filter((line) => line.startsWith(start))[count - 1];
      if (found === undefined && !isOver) return;
      waiting.delete(look);
      if (found !== undefined) resolve(found);
      else reject(new Error(`expected "${start}" ${count} times, found ${lines.join(' | ')} ${errors}`));
    };
    waiting.add(look);
    look();
    return promise;
  };
  return { child, lines, said, go: () => void child.stdin.write('\n'), ended, acks: () => lines.flatMap(ackOf) };
}

function ackOf(line: string): readonly Ack[] {
  const [, index, count, number] = /^ack (\d+) (\d+) (\d+)$/.exec(line) ?? [];
  return number === undefined ? [] : [{ index: Number(index), count: Number(count), number: Number(number) }];
}
