/**
 * The nodes of an experiment, each found as the process that writes a log: no list of pids is kept, so none can be stale.
 *
 * N1. A process gets a signal only if it is, by its start time in this boot, the one that the log names. Where the system
 *     does not tell start times (other than Linux), none gets one.
 * N2. A fault has fired when it was seen: the process is gone, or stands still.
 * N3. A stopped process goes on by itself when its time is over, even if this process is gone by then; and at the latest
 *     when this object is disposed of.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../../runtime/core/clock.ts';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import { liveness, type ProcessIdentity } from '../../../runtime/core/system.ts';
import { openReader, writerOf } from '../../../runtime/log/log-directory.ts';
import type { FaultOutput } from '../../../sre/chaos/journal.ts';
import type { Moment, Nodes } from '../../../sre/chaos/run.ts';

/** Between two looks at a log or a process. */
const LOOK_MS = 50;
/** A signal takes effect at once, or never. */
const SEEN_MS_MAX = 10_000;

export class LogWriters implements Nodes, AsyncDisposable {
  readonly #ports: { readonly clock: Clock; readonly identity: ProcessIdentity };
  /** By log: who stands still, and what lets it go on later. */
  readonly #stopped = new Map<string, { readonly node: ProcessIdentity; readonly waker: Disposable }>();

  constructor(ports: { readonly clock: Clock; readonly identity: ProcessIdentity }) {
    this.#ports = ports;
  }

  async seen({ log, event, count }: Moment, signal: AbortSignal): Promise<void> {
    let next = (await this.#typesFrom(log, 0)).length;
    let left = count;
    for (;;) {
      signal.throwIfAborted();
      const found = await this.#typesFrom(log, next);
      next += found.length;
      left -= found.filter((type) => type === event).length;
      if (left <= 0) return;
      await this.#pause();
    }
  }

  async kill(log: string): Promise<FaultOutput> {
    const node = await this.#nodeOf(log);
    this.#send(node, 'SIGKILL');
    await this.#until(() => this.#isGone(node), `process ${node.pid} to be gone`);
    return { pid: node.pid };
  }

  async stop(log: string, forMs: number): Promise<FaultOutput> {
    const node = await this.#nodeOf(log);
    const waker = wakeLater(node, forMs); // N3: before it stops
    this.#stopped.get(log)?.waker[Symbol.dispose]();
    this.#stopped.set(log, { node, waker });
    this.#send(node, 'SIGSTOP');
    await this.#until(async () => (await stateOf(node)) === 'T', `process ${node.pid} to stand still`);
    return { pid: node.pid };
  }

  async resume(log: string): Promise<FaultOutput> {
    const node = this.#stopped.get(log)?.node ?? (await this.#nodeOf(log));
    this.#send(node, 'SIGCONT');
    await this.#until(async () => (await stateOf(node)) !== 'T', `process ${node.pid} to go on`);
    this.#stopped.get(log)?.waker[Symbol.dispose]();
    this.#stopped.delete(log);
    return { pid: node.pid };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { node, waker } of this.#stopped.values()) {
      if (!(await this.#isGone(node))) process.kill(node.pid, 'SIGCONT');
      waker[Symbol.dispose]();
    }
    this.#stopped.clear();
  }

  async #nodeOf(log: string): Promise<ProcessIdentity> {
    const node = await writerOf(log);
    if (node === undefined) throw noNode(log, 'none: its log is closed');
    return node;
  }

  /** N1. */
  #send(node: ProcessIdentity, signal: NodeJS.Signals): void {
    const state = node.started === '' ? 'unknown' : liveness(node, this.#ports.identity);
    if (state !== 'alive') throw noNode(`process ${node.pid}`, state);
    process.kill(node.pid, signal);
  }

  /** Whether it has ended: one that its parent has not asked about yet (a zombie) has, too. */
  async #isGone(node: ProcessIdentity): Promise<boolean> {
    return liveness(node, this.#ports.identity) === 'dead' || (await stateOf(node)) === 'Z';
  }

  async #until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const { clock } = this.#ports;
    const end = clock.monotonicMs() + SEEN_MS_MAX;
    while (!(await isSo())) {
      if (clock.monotonicMs() > end) throw new CodedError('chaos.not_fired', `expected ${what}, and it did not happen`);
      await this.#pause();
    }
  }

  /** The types of the events from an index on; none of a log that is not there yet. */
  async #typesFrom(log: string, from: number): Promise<readonly string[]> {
    try {
      await using reader = await openReader(log, this.#ports.clock);
      return [...reader.read(Math.min(from, reader.size))].map(({ type }) => type);
    } catch (error) {
      if (hasCode(error, 'log.not_found')) return [];
      throw error;
    }
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ports.clock.after(LOOK_MS, resolve);
    return promise;
  }
}

function noNode(what: string, found: string): CodedError {
  return new CodedError('chaos.no_node', `expected a running node at ${what}, found ${found}`);
}

/** `T` while it stands still, `Z` once it has ended and nobody has asked (proc_pid_stat(5), field 3). */
async function stateOf({ pid }: ProcessIdentity): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0];
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return undefined;
    throw error;
  }
}

/** A process that outlives this one, and only lets the other go on. */
function wakeLater({ pid }: ProcessIdentity, afterMs: number): Disposable {
  const script = 'sleep "$1"; kill -CONT "$2"';
  const options = { detached: true, stdio: 'ignore' } as const;
  const waker = spawn('/bin/sh', ['-c', script, 'sh', String(afterMs / 1_000), String(pid)], options);
  waker.unref();
  const end = (): void => {
    if (waker.pid !== undefined && waker.exitCode === null) process.kill(-waker.pid, 'SIGTERM'); // and its sleep
  };
  return { [Symbol.dispose]: end };
}
