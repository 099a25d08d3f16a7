/**
 * Verification in a process of its own. LMDB reads a mapped file by pointers that are in the file: one that was tampered with
 * can end its reader by a signal or send it in circles, and then that is the finding.
 *
 * X1. A reader that dies, or says nothing for a while, has found damage: `log.unreadable`, with the signal's name.
 * X2. A reader that could not even start has found nothing: that is an error.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { CodedError } from '../core/errors.ts';
import { systemClock } from '../core/system.ts';
import type { LogReport, VerifyOptions } from './fsck.ts';
import type { VerifyAnswer, VerifyJob } from './fsck-child.ts';

export type ChildOptions = VerifyOptions & {
  /** How long the child may say nothing before it counts as stuck; default a minute. It speaks several times a second. */
  readonly silenceMsMax?: number;
  /** For tests; other processes live in real time. */
  readonly clock?: Clock;
};

const SILENCE_MS_MAX = 60_000;

/** `verifyLog`, in a child process (X1).
 *  @throws `log.not_found` · `log.verifier_failed` (X2) · the signal's reason */
export async function verifyInChild(directory: string, options: ChildOptions = {}): Promise<LogReport> {
  using reader = new VerifierProcess();
  return await reader.verify(directory, options);
}

/** A child that verifies one log after the other, and is replaced when one of them has killed it. */
export class VerifierProcess implements Disposable {
  #child: ChildProcess | undefined;
  #hasSpoken = false;

  async verify(directory: string, options: ChildOptions = {}): Promise<LogReport> {
    options.signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<LogReport>();
    const child = this.#child ?? startChild();
    this.#child = child;
    const clock = options.clock ?? systemClock;
    const silenceMsMax = options.silenceMsMax ?? SILENCE_MS_MAX;
    let [isStuck, complaint] = [false, ''];
    let timer = clock.after(silenceMsMax, onSilence);
    function onSilence(): void {
      isStuck = true;
      child.kill('SIGKILL');
    }
    const onMessage = (message: VerifyAnswer): void => {
      timer[Symbol.dispose]();
      timer = clock.after(silenceMsMax, onSilence);
      this.#hasSpoken = true;
      if (message.type === 'progress') options.progress?.(message.done, message.size);
      if (message.type === 'report') resolve(message.report);
      if (message.type === 'failed') reject(new CodedError(message.code, message.message));
    };
    const onExit = (status: number | null, signal: NodeJS.Signals | null): void => {
      const isReady = this.#hasSpoken;
      this.#forget();
      const how = isStuck ? `said nothing for ${silenceMsMax} ms` : `ended by ${signal ?? `exit status ${status}`}`;
      if (isReady) resolve(unreadable(`expected to read it, but the process that did ${how}${complaint}`));
      else
        reject(
          new CodedError('log.verifier_failed', `expected a verifying process to start, found it ${how}${complaint}`),
        );
    };
    const onAbort = (): void => {
      reject(options.signal?.reason);
      this[Symbol.dispose]();
    };
    const onComplaint = (chunk: Buffer): void => {
      complaint = `: ${chunk.toString('utf8').trim().slice(-500)}`;
    };
    child.on('message', onMessage).on('exit', onExit).on('error', reject);
    child.stderr?.on('data', onComplaint);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const job: VerifyJob = options.anchors === undefined ? { directory } : { directory, anchors: options.anchors };
    child.send(job);
    try {
      return await promise;
    } finally {
      timer[Symbol.dispose]();
      child.off('message', onMessage).off('exit', onExit).off('error', reject);
      child.stderr?.off('data', onComplaint);
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  #forget(): void {
    this.#child = undefined;
    this.#hasSpoken = false;
  }

  [Symbol.dispose](): void {
    this.#child?.kill('SIGKILL');
    this.#forget();
  }
}

/** Beside this file under the same ending: `.ts` in the clone, `.js` in the package. */
function startChild(): ChildProcess {
  const entry = new URL(`./fsck-child${extname(import.meta.url)}`, import.meta.url);
  return fork(entry, { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
}

function unreadable(message: string): LogReport {
  const problem = { code: 'log.unreadable', place: 'data.mdb', message };
  return { origin: '', size: 0, checkpoints: 0, anchor: 'unasked', epochs: [], problems: [problem], problemCount: 1 };
}
