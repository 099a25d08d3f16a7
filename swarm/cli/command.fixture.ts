/** The real command line in a process of its own, with a place for logs and a state folder that are gone afterwards. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempDisposableSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import { type EventId, parseStreamId } from '../../runtime/codec/record.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { systemClock, systemRandom, thisProcess } from '../../runtime/core/system.ts';
import { uuidv7 } from '../../runtime/core/uuid.ts';
import { createLog, openLog } from '../../runtime/log/log-directory.ts';
import { logEvent } from '../../runtime/log/vocabulary.ts';

const MAIN = resolve(import.meta.dirname, 'main.ts');
const DEADLINE_MS = 120_000;

export type Ran = {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

type Setting = {
  readonly input?: string | Uint8Array;
  readonly env?: { readonly [name: string]: string };
  readonly nodeArgs?: readonly string[];
};

export type Desk = Disposable & {
  readonly path: string;
  /** Runs to the end. */
  readonly run: (args: readonly string[], setting?: Setting) => Ran;
  /** Starts, for tests that talk to it. */
  readonly start: (args: readonly string[], setting?: Setting) => ChildProcessWithoutNullStreams;
};

export function desk(): Desk {
  const directory = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-cli-'));
  const { path } = directory;
  const options = ({ env = {} }: Setting) => ({
    cwd: path,
    env: { PATH: process.env['PATH'] ?? '', XDG_STATE_HOME: join(path, 'state'), ...env },
  });
  return {
    path,
    run(args, setting = {}) {
      const { input = '', nodeArgs = [] } = setting;
      const all = { ...options(setting), input, timeout: DEADLINE_MS, maxBuffer: 2 ** 28, encoding: 'utf8' } as const;
      const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...nodeArgs, MAIN, ...args], all);
      return { status, signal, stdout, stderr };
    },
    start(args, setting = {}) {
      const { nodeArgs = [] } = setting;
      return spawn(process.execPath, [...nodeArgs, MAIN, ...args], { ...options(setting), timeout: DEADLINE_MS });
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

/** A log of `count` events of one stream, signed, made without the command line: that is for the tests to try. */
export async function withLog(at: Desk, count: number, name = 'log'): Promise<void> {
  const directory = join(at.path, name);
  const options = { anchors: join(at.path, 'state/ringmesh/anchors'), reserveBytes: 0 };
  await createLog(directory, options, systemRandom);
  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  await using log = await openLog(directory, options, ports);
  const stream = unwrap(parseStreamId('orders-7'), 'a stream');
  const events = Array.from({ length: count }, (_, n) => {
    const id = uuidv7(systemClock, systemRandom) as EventId;
    return logEvent('import.recorded', { n }, { id, actor: log.did });
  });
  await Promise.all(events.map((event) => log.append([{ stream, expected: 'any', events: [event] }])));
  if (count > 0) await log.checkpoint();
}

export function line(n: number, fields: object = {}): string {
  return `${JSON.stringify({ stream: 'orders-7', type: 'import.recorded', data: { n }, ...fields })}\n`;
}

export function lines(count: number, from = 0): string {
  return Array.from({ length: count }, (_, n) => line(from + n)).join('');
}

/** JSON lines, parsed. */
export function objects(text: string): readonly Record<string, unknown>[] {
  const rows = text.split('\n').filter((row) => row !== '');
  return rows.map((row) => JSON.parse(row) as Record<string, unknown>);
}

/** Resolves with the output so far once it holds `count` lines. */
export async function linesFrom(child: ChildProcessWithoutNullStreams, count: number): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.split('\n').length > count) break;
  }
  return text;
}

/** How a process ended, and the rest of what it said. */
export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ran> {
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const { promise, resolve: onEnd } = Promise.withResolvers<Ran>();
  child.on('close', (status, signal) => onEnd({ status, signal, stdout, stderr }));
  return promise;
}

/** The verifier key of the log called `log`. */
export function vkey(at: Desk): string {
  return readFileSync(join(at.path, 'log/log.vkey'), 'utf8').trimEnd();
}

/** One error with this code on stderr, nothing on stdout. */
export function expectError({ status, stdout, stderr }: Ran, exit: number, code: string): void {
  expect({ status, stdout }).toEqual({ status: exit, stdout: '' });
  expect(stderr).toMatch(new RegExp(`^ringmesh: ${RegExp.escape(code)}: .*\n$`));
}
