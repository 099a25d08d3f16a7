/** What a command sees of the process it runs in. Nothing else under `swarm/cli` touches a standard stream. */
import type { Readable, Writable } from 'node:stream';
import { CodedError } from '../../runtime/core/errors.ts';

export type Shell = {
  readonly env: { readonly [name: string]: string | undefined };
  /** Opened when first asked for: a command that reads nothing must not wait for a terminal. */
  readonly input: () => Readable;
  /** Data. */
  readonly out: Sink;
  /** Everything else: errors, progress, notes to people. */
  readonly notes: Sink;
};

export function systemShell(): Shell {
  const { env } = process;
  return {
    env,
    input: () => process.stdin,
    out: new Sink(process.stdout, env),
    notes: new Sink(process.stderr, env),
  };
}

/** A standard stream that is written to. */
export class Sink {
  readonly isTerminal: boolean;
  readonly hasColour: boolean;
  readonly #stream: Writable & { readonly columns?: number };

  constructor(stream: Writable & { readonly isTTY?: boolean; readonly columns?: number }, env: Shell['env']) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY === true;
    this.hasColour = this.isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
    stream.on('error', () => undefined); // each write reports its own
  }

  /** The width of a terminal; `undefined` elsewhere. */
  get columns(): number | undefined {
    return this.isTerminal ? this.#stream.columns : undefined;
  }

  /** Resolves once the text has left the process, so that a slow reader slows the writer.
   *  @throws `output.closed` the reader has gone away */
  write(text: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stream.write(text, (error) => {
      if (error === undefined || error === null) resolve();
      else reject(isClosed(error) ? closed(error) : error);
    });
    return promise;
  }
}

/** A signal that asked for an orderly end, which has been brought about. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: NodeJS.Signals;
  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
  }
}

/** Until disposed, the first signal that asks the process to end aborts `signal`; the second one ends it. A process that was
 *  started with a channel is hung up on when the other end is gone. */
export function catchInterrupts(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    stop();
    controller.abort(new Interrupted(name));
  };
  const onHangUp = (): void => onSignal('SIGHUP');
  const stop = (): void => {
    for (const name of INTERRUPTS) process.removeListener(name, onSignal);
    process.removeListener('disconnect', onHangUp);
  };
  for (const name of INTERRUPTS) process.on(name, onSignal);
  if (process.connected === true) process.on('disconnect', onHangUp);
  return { signal: controller.signal, [Symbol.dispose]: stop };
}

const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function isClosed(error: Error & { readonly code?: string }): boolean {
  return error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED' || error.code === 'ECONNRESET';
}

function closed(cause: Error): CodedError {
  return new CodedError('output.closed', 'expected somebody to read the output, found that they have gone away', {
    cause,
  });
}
