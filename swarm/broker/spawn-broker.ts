/**
 * A NATS server of our own, for the nodes of one realm on this machine.
 *
 * B1. It listens on loopback only, and lets in the nodes that it was given, each with no more rights than a node needs.
 * B2. It ends with us: when disposed, and also when this process dies without a word. A guard waits at the other end of a
 *     pipe that this process alone holds open.
 * B3. It does not end before us: the terminal's Ctrl-C goes to us, and we drain first.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type NatsOperator, type NatsUser, natsConfig } from '../../mesh/nats-config.ts';
import { readServer } from '../../mesh/nats-server.ts';
import type { Realm } from '../../mesh/subject.ts';

import { assert } from '../../runtime/core/assert.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { withDeadline } from '../../runtime/core/deadline.ts';
import { CodedError, messageOf } from '../../runtime/core/errors.ts';
import type { BrokerBinary } from './find-broker.ts';

export type SpawnOptions = {
  readonly binary: BrokerBinary;
  readonly realm: Realm;
  /** The nodes that may log in. */
  readonly users: readonly NatsUser[];
  /** The operators' tools that may log in. */
  readonly operators?: readonly NatsOperator[];
  /** Default: one that is free. */
  readonly port?: number;
  /** Turns JetStream on, with its files there. They stay. */
  readonly jetStreamDirectory?: string;
};

/** A server that runs. Disposing ends it, and resolves when it has ended. */
export type Broker = AsyncDisposable & {
  /** `host:port`, for `connectNats`. */
  readonly url: string;
  readonly version: string;
  readonly pid: number;
  /** Resolves when the process has ended, asked or not, with its last words. */
  readonly ended: Promise<string>;
};

/**
 * Starts a server; when it resolves, nodes can connect.
 * @throws {CodedError} `broker.failed`: it did not start, with what it said · `transport.old_server` · the signal's reason
 */
export async function spawnBroker(options: SpawnOptions, clock: Clock, signal: AbortSignal): Promise<Broker> {
  signal.throwIfAborted();
  const { binary, realm, users, operators = [], port = -1, jetStreamDirectory } = options;
  if (jetStreamDirectory !== undefined) await mkdir(jetStreamDirectory, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(tmpdir(), 'ringmesh-broker-'));
  const jetStream = jetStreamDirectory === undefined ? {} : { jetStreamDirectory };
  const config = natsConfig({ listen: `127.0.0.1:${port}`, realm, users, operators, ...jetStream }); // (B1)
  await writeFile(join(directory, CONFIG), config, { mode: 0o600 });
  const server = new Server(binary.path, directory, clock);
  try {
    const bound = { clock, limitMs: START_MS_MAX, what: 'a broker that takes connections', signal };
    const ready = server.ready();
    ready.catch(() => undefined); // who has stopped waiting does not hear of it
    const { url, version } = await withDeadline(ready, bound);
    const { pid, ended } = server;
    return { url, version, pid, ended, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    if (signal.aborted || (error instanceof CodedError && error.code === 'transport.old_server')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('broker.failed', `${binary.path}: ${messageOf(error)}`, { cause: error });
  }
}

const CONFIG = 'nats.conf';
/** With a large JetStream store to recover, servers take seconds. */
const START_MS_MAX = 30_000;
/** After a request to end, JetStream's writes are flushed. */
const STOP_MS_MAX = 5_000;
/** The last words of a server that did not start. */
const LINES_KEPT = 10;
/** Waits for the end of its input, which is our end (B2). */
const GUARD = 'read -r _; kill -TERM "$1"; rm -f -- "$2/nats.conf"; rmdir -- "$2"';
/** A group of its own keeps the terminal's signals away (B3); nothing of our environment is the server's business. */
const APART = { detached: true, env: { PATH: '/usr/bin:/bin' } } as const;

class Server implements AsyncDisposable {
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;
  readonly #guard: ChildProcess | undefined;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #said: string[] = [];
  readonly #address = Promise.withResolvers<string>();

  constructor(path: string, directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
    this.#process = spawn(path, ['-c', join(directory, CONFIG)], { ...APART, stdio: ['ignore', 'ignore', 'pipe'] });
    const { pid } = this.#process;
    if (pid !== undefined) {
      const guarded = ['-c', GUARD, 'guard', String(pid), directory];
      this.#guard = spawn('/bin/sh', guarded, { ...APART, stdio: ['pipe', 'ignore', 'ignore'] });
      this.#guard.on('error', (error) => this.#address.reject(error)); // without a guard, no broker
    }
    this.ended = this.#watch();
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Where it listens, once it has greeted a connection. */
  async ready(): Promise<{ readonly url: string; readonly version: string }> {
    const url = await this.#address.promise;
    const greeting = await greetingAt(url);
    const server = readServer(greeting);
    if (server.ok) return { url, version: server.value.version };
    throw new CodedError(server.error.code, server.error.message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGTERM');
    using _ = this.#clock.after(STOP_MS_MAX, () => void this.#process.kill('SIGKILL'));
    await this.ended;
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Reads what it says, until it ends; then lets the guard go, before its pid can be anybody else's. */
  async #watch(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#process.on('error', (error) => resolve(error.message));
    this.#process.on('exit', (code, by) => {
      this.#guard?.kill('SIGKILL');
      resolve(`ended with ${code ?? by}`);
    });
    const heard = this.#process.pid === undefined ? undefined : this.#hearAll();
    const how = await promise;
    await heard;
    const words = [how, ...this.#said].join('; ');
    this.#address.reject(new Error(words));
    return words;
  }

  /** To the end: a pipe that nobody reads would stop the server. */
  async #hearAll(): Promise<void> {
    const { stderr } = this.#process;
    assert(stderr !== null, 'spawnBroker: a pipe');
    for await (const line of createInterface({ input: stderr })) {
      this.#said.push(line);
      if (this.#said.length > LINES_KEPT) this.#said.shift();
      const [, url] = /Listening for client connections on (127\.0\.0\.1:\d+)$/.exec(line) ?? [];
      if (url !== undefined) this.#address.resolve(url);
    }
  }
}

/** The INFO with which a server greets whoever connects. */
async function greetingAt(url: string): Promise<{ readonly version: string; readonly max_payload: number }> {
  const [host, port] = url.split(':');
  const socket = connect({ host, port: Number(port) });
  try {
    for await (const line of createInterface({ input: socket })) {
      return JSON.parse(line.replace(/^INFO /, '')) as { readonly version: string; readonly max_payload: number };
    }
  } finally {
    socket.destroy();
  }
  throw new Error('expected a greeting, found a closed connection');
}
