/**
 * One connection to a NATS server, kept for ever: what is built on it (the transport, discovery, a mailbox) attaches itself
 * and is given every new connection.
 *
 * L1. A connection is taken for lost when the server closes it or owes an answer to a ping for `pongMs`: a server that is
 *     stopped, or a network that swallows, is noticed without a word from either.
 * L2. Connecting again is tried for ever, after a pause that is bounded and drawn anew each time, so that a thousand nodes
 *     do not come back in the same moment. A refused login and an old server are tried again too, and reported.
 * L3. Who attached hears of a new connection (`back`) only once the server has taken all subscriptions.
 * L4. Disposing hands over what was sent and ends, within `drainMs` whatever the server does.
 *
 * The client's own reconnection is off: it waits without a bound for its last write to a server that takes nothing, sends
 * what it kept meanwhile without saying so, and looks at no version.
 */
import { type ConnectionOptions, connect, type NatsConnection } from 'nats';
import type { KeyPair } from '../runtime/codec/ed25519.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Clock } from '../runtime/core/clock.ts';
import { withDeadline } from '../runtime/core/deadline.ts';
import { CodedError, hasCode, messageOf } from '../runtime/core/errors.ts';
import type { Random } from '../runtime/core/random.ts';
import { closed } from './memory-transport.ts';
import { type NatsServer, readServer } from './nats-server.ts';
import { signNonce } from './nkey.ts';

/** How long everything may take, in milliseconds. */
export type Pace = {
  /** From connecting to being logged in. */
  readonly connectMs: number;
  /** From one answered ping to the next ping (L1). */
  readonly pingEveryMs: number;
  readonly pongMs: number;
  /** The first pause before connecting again, and the longest (L2). */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
  readonly drainMs: number;
};

/** A dead server is noticed within ten seconds, well before the authority lease of 15 s is over; a healthy one is asked a
 *  few bytes every five. Two seconds are many times what a drain takes where the server answers at all. */
export const PACE: Pace = {
  connectMs: 5_000,
  pingEveryMs: 5_000,
  pongMs: 5_000,
  retryMsMin: 100,
  retryMsMax: 5_000,
  drainMs: 2_000,
};

export type LinkOptions = {
  /** `host:port`, one or several, tried in turn. */
  readonly servers: readonly string[];
  /** How the server's monitoring names the client. */
  readonly name: string;
  /** Under which the client may receive answers. */
  readonly inboxPrefix?: string;
  /** The nkey; absent only for a server on loopback that asks for none. */
  readonly login?: KeyPair;
  readonly clock: Clock;
  readonly random: Random;
  readonly pace?: Pace;
  /** What the server refused: a publish or subscribe without permission, a login, an old version. For the log. */
  readonly onRefused?: (reason: string) => void;
};

export type Attachment = {
  /** Subscribes on a new connection, at once. */
  readonly subscribe: (connection: NatsConnection) => void;
  /** The server has taken all subscriptions of a connection that replaces a lost one (L3). */
  readonly back?: () => void;
};

/** How long to wait before the attempt of this number, from 0 (L2): between half of a doubling bound and all of it. */
export function retryMs(attempt: number, { retryMsMin, retryMsMax }: Pace, random: Random): number {
  const bound = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(attempt, 30));
  const half = Math.ceil(bound / 2);
  return half + random.below(half + 1);
}

export class NatsLink implements AsyncDisposable {
  readonly #options: LinkOptions;
  readonly #pace: Pace;
  readonly #ended = new AbortController();
  readonly #attachments: Attachment[] = [];
  readonly #keeping: Promise<void>;
  #opened: Opened | undefined;
  #server: NatsServer;

  private constructor(options: LinkOptions, opened: Opened) {
    this.#options = options;
    this.#pace = options.pace ?? PACE;
    this.#opened = opened;
    this.#server = opened.server;
    this.#keeping = this.#keep(opened);
  }

  /**
   * @throws {CodedError} `transport.unreachable` (retryable) no server took the connection · `transport.old_server` the server is
   *   older than 2.9.10; or the signal's reason
   */
  static async open(options: LinkOptions, signal: AbortSignal): Promise<NatsLink> {
    signal.throwIfAborted();
    assert(options.servers.length > 0, 'open: a server');
    for (let turn = 0; ; turn++) {
      try {
        return new NatsLink(options, await dial(options, turn, signal));
      } catch (error) {
        if (signal.aborted || turn === options.servers.length - 1) throw error;
      }
    }
  }

  /** The connection, while there is one. */
  get connection(): NatsConnection | undefined {
    return this.#opened?.connection.isClosed() === false ? this.#opened.connection : undefined;
  }

  /** The server of this connection, or of the last one. */
  get server(): NatsServer {
    return this.#server;
  }

  get isEnded(): boolean {
    return this.#ended.signal.aborted;
  }

  attach(attachment: Attachment): void {
    this.#attachments.push(attachment);
    const { connection } = this;
    if (connection !== undefined) attachment.subscribe(connection);
  }

  /**
   * Resolves once the server has everything that was sent before.
   * @throws {CodedError} `transport.lost` (retryable) there is no connection, or it was lost before the server said so ·
   *   `transport.closed`; or the signal's reason
   */
  async flush(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.isEnded) throw closed();
    const opened = this.#opened;
    if (opened === undefined || opened.gone.aborted) throw lost();
    try {
      await raced(opened.connection.flush(), [signal, opened.gone]);
    } catch (error) {
      if (signal.aborted || !(error instanceof Error)) throw error;
      throw this.isEnded ? closed() : lost(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isEnded) {
      this.#ended.abort();
      const { connection } = this;
      if (connection !== undefined) await drain(connection, this.#options.clock, this.#pace.drainMs);
    }
    await this.#keeping;
  }

  /** Ends when the link is disposed. */
  async #keep(first: Opened): Promise<void> {
    for (let opened: Opened | undefined = first; opened !== undefined; ) {
      const reporting = this.#report(opened.connection);
      while ((await this.#pause(this.#pace.pingEveryMs, opened.gone)) && (await this.#answers(opened)));
      this.#opened = undefined;
      await opened.connection.close();
      await reporting;
      opened = await this.#reopen();
    }
  }

  /** Whether the server answers a ping in time, and so has taken all that was sent before (L1). */
  async #answers({ connection, gone }: Opened): Promise<boolean> {
    const bound = { clock: this.#options.clock, limitMs: this.#pace.pongMs, what: 'a pong', signal: gone };
    try {
      await withDeadline(connection.flush(), bound);
      return true;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  }

  /** The next connection, with everything subscribed (L2, L3); none once the link is disposed. */
  async #reopen(): Promise<Opened | undefined> {
    const { signal } = this.#ended;
    for (let attempt = 0; ; attempt++) {
      const mayTry = await this.#pause(retryMs(attempt, this.#pace, this.#options.random), signal);
      if (!mayTry) return undefined;
      const opened = await this.#dialAgain(attempt);
      if (opened === undefined) continue;
      this.#server = opened.server;
      this.#opened = opened;
      for (const { subscribe } of this.#attachments) subscribe(opened.connection);
      if (await this.#answers(opened)) {
        for (const { back } of this.#attachments) back?.();
        return opened;
      }
      this.#opened = undefined;
      await opened.connection.close();
    }
  }

  async #dialAgain(turn: number): Promise<Opened | undefined> {
    try {
      return await dial(this.#options, turn, this.#ended.signal);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (!this.isEnded) this.#options.onRefused?.(messageOf(error));
      return undefined;
    }
  }

  /** Waits; false if `end` ended it before the time was over. */
  async #pause(delayMs: number, end: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _ = this.#options.clock.after(delayMs, resolve);
    try {
      await raced(promise, [end]);
      return true;
    } catch (error) {
      if (end.aborted) return false;
      throw error;
    }
  }

  /** Ends when the connection is closed. */
  async #report(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'error') this.#options.onRefused?.(status.error.message);
    }
  }
}

function lost(cause?: Error): CodedError {
  const message = 'expected the server to take what was sent, found the connection lost: it may not have';
  return new CodedError('transport.lost', message, { cause, retryable: true });
}

/** A connection; `gone` aborts when it is closed, whoever closed it. */
type Opened = { readonly connection: NatsConnection; readonly server: NatsServer; readonly gone: AbortSignal };

/** Logs in to the server whose turn it is: one that takes connections and says nothing must not use up the time of others. */
async function dial(options: LinkOptions, turn: number, signal: AbortSignal): Promise<Opened> {
  const { servers, name, inboxPrefix, login, clock, pace = PACE } = options;
  const server = servers[turn % servers.length] ?? '';
  const settings: ConnectionOptions = {
    servers: [server],
    name,
    noEcho: true,
    noRandomize: true,
    reconnect: false,
    ignoreClusterUpdates: true,
    timeout: pace.connectMs,
    pingInterval: NEVER_MS,
  };
  if (inboxPrefix !== undefined) settings.inboxPrefix = inboxPrefix;
  if (login !== undefined) settings.authenticator = (nonce) => signNonce(login, nonce);
  const opening = connect(settings);
  try {
    const bound = { clock, limitMs: pace.connectMs, what: 'a login', signal };
    return await taken(await withDeadline(opening, bound));
  } catch (error) {
    // Whoever is no longer waited for may still get through, and is then not wanted.
    void opening.then(
      (late) => late.close(),
      () => undefined,
    );
    if (!(error instanceof Error) || signal.aborted || hasCode(error, 'transport.old_server')) throw error;
    const message = `expected a NATS server at ${server}: ${messageOf(error)}`;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('transport.unreachable', message, { cause: error, retryable: true });
  }
}

/** @throws {CodedError} `transport.old_server` */
async function taken(connection: NatsConnection): Promise<Opened> {
  const server = readServer(connection.info);
  if (!server.ok) {
    await connection.close();
    throw new CodedError(server.error.code, server.error.message);
  }
  const gone = new AbortController();
  void connection.closed().then(() => gone.abort());
  return { connection, server: server.value, gone: gone.signal };
}

/** What `work` comes to, or the reason of the first signal that aborts. Leaves no listener behind. */
async function raced<T>(work: Promise<T>, signals: readonly AbortSignal[]): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (event: Event): void => reject((event.target as AbortSignal).reason);
  for (const signal of signals) {
    signal.throwIfAborted();
    signal.addEventListener('abort', onAbort);
  }
  try {
    return await Promise.race([work, promise]);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', onAbort);
  }
}

/** Hands over what was sent, as far as the server takes it in time, and closes (L4). */
async function drain(connection: NatsConnection, clock: Clock, limitMs: number): Promise<void> {
  try {
    await withDeadline(connection.drain(), { clock, limitMs, what: 'a drain' });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  await connection.close();
}

/** The client's own pings: this file has its own. As long as a timer can wait. */
const NEVER_MS = 2 ** 31 - 1;
