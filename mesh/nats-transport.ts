/**
 * The transport over NATS: core publish and subscribe, one subscription for what is sent to this node, one for what is sent
 * to all, one for the private inbox. The broker's permissions (`nats-config.ts`) make `from` trustworthy; nothing of NATS
 * but subject and payload is read, no header, no reply subject of a peer.
 *
 * Reconnects by itself for ever, and says so with a `gap`. Supported servers: 2.9.10 and newer.
 */
import { type ConnectionOptions, connect, type Msg, type NatsConnection } from 'nats';
import type { KeyPair } from '../runtime/codec/ed25519.ts';
import { CodedError, messageOf } from '../runtime/core/errors.ts';
import { ArrivalQueue } from './arrival-queue.ts';
import { checkMessage, closed } from './memory-transport.ts';
import { signNonce } from './nkey.ts';
import {
  ALL,
  isForAll,
  type Lane,
  type NodeToken,
  parseAbsenceSubject,
  parseMessageSubject,
  type Realm,
  subject,
} from './subject.ts';
import type { Arrival, Transport } from './transport.ts';

export type NatsOptions = {
  /** `host:port`, one or several. */
  readonly servers: readonly string[];
  readonly realm: Realm;
  readonly self: NodeToken;
  /** The nkey; absent only for a broker on loopback that asks for none. */
  readonly login?: KeyPair;
  /** What the broker refused: a publish or subscribe without permission, a stale login. For the log. */
  readonly onRefused?: (reason: string) => void;
};

/**
 * Connects and subscribes; when it resolves, messages to this node arrive.
 * @throws {CodedError} `transport.unreachable` (retryable) no server took the connection · `transport.old_server` the server is
 *   older than 2.9.10
 */
export async function connectNats(options: NatsOptions, signal: AbortSignal): Promise<Transport> {
  signal.throwIfAborted();
  const connection = await open(options);
  const version = connection.info?.version ?? '0.0.0';
  if (!isSupported(version)) {
    await connection.close();
    throw new CodedError('transport.old_server', `expected nats-server 2.9.10 or newer, found ${version}`);
  }
  const transport = new NatsTransport(connection, options);
  await connection.flush();
  return transport;
}

/** Whether a server of this version can carry a realm. */
export function isSupported(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  return major > 2 || (major === 2 && (minor > 9 || (minor === 9 && patch >= 10)));
}

async function open({ servers, login, self }: NatsOptions): Promise<NatsConnection> {
  const settings: ConnectionOptions = {
    servers: [...servers],
    name: self,
    noEcho: true,
    noRandomize: true,
    inboxPrefix: subject.inboxPrefix(self),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    pingInterval: 10_000,
    maxPingOut: 2,
    timeout: 5_000,
  };
  if (login !== undefined) settings.authenticator = (nonce) => signNonce(login, nonce);
  try {
    return await connect(settings);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const message = `expected a NATS server at ${servers.join(', ')}: ${messageOf(error)}`;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('transport.unreachable', message, { cause: error, retryable: true });
  }
}

class NatsTransport implements Transport {
  readonly self: NodeToken;
  readonly messageBytesMax: number;
  readonly #connection: NatsConnection;
  readonly #realm: Realm;
  readonly #queue = new ArrivalQueue();
  readonly #watching: Promise<void>;
  #malformed = 0;

  constructor(connection: NatsConnection, { realm, self, onRefused }: NatsOptions) {
    this.self = self;
    this.#realm = realm;
    this.#connection = connection;
    this.messageBytesMax = connection.info?.max_payload ?? 0;
    for (const to of [self, ALL]) {
      connection.subscribe(subject.arriving(realm, to), { callback: (_error, message) => this.#take(message) });
    }
    connection.subscribe(subject.inbox(self), { callback: (_error, message) => this.#takeAbsence(message) });
    this.#watching = this.#watch(onRefused);
  }

  get dropped(): number {
    return this.#queue.dropped + this.#malformed;
  }

  send(lane: Lane, to: NodeToken, bytes: Uint8Array): void {
    if (this.#connection.isClosed()) throw closed();
    checkMessage(this, lane, to, bytes);
    const address = subject.message(this.#realm, lane, { to, from: this.self });
    // A reply subject makes the broker say so when nobody listens; it names what was sent, so no table is needed.
    if (isForAll(lane)) this.#connection.publish(address, bytes);
    else this.#connection.publish(address, bytes, { reply: subject.absence(this.self, lane, to) });
  }

  async flush(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#connection.isClosed()) throw closed();
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#connection.flush(), promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  arrivals(signal: AbortSignal): AsyncIterable<readonly Arrival[]> {
    return this.#queue.read(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
    this.#queue.close();
    await this.#watching;
  }

  #take(message: Msg | null): void {
    const parts = message === null ? undefined : parseMessageSubject(message.subject);
    if (message === null || parts === undefined || (parts.to === ALL) !== isForAll(parts.lane)) {
      this.#malformed++;
      return;
    }
    this.#queue.push({ type: 'message', lane: parts.lane, from: parts.from, bytes: message.data });
  }

  /** An empty message on the inbox with status 503: the broker's word that nobody listened. */
  #takeAbsence(message: Msg | null): void {
    const parts = message === null ? undefined : parseAbsenceSubject(message.subject);
    if (parts === undefined || message?.headers?.code !== 503) this.#malformed++;
    else this.#queue.push({ type: 'absent', ...parts });
  }

  /** Whether the broker has taken the subscriptions again: the client says that it is back before that. If the connection
   *  was lost once more meanwhile, another reconnection will come. */
  async #isListening(): Promise<boolean> {
    try {
      await this.#connection.flush();
      return true;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  }

  /** Ends when the connection is closed. */
  async #watch(onRefused: NatsOptions['onRefused']): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'reconnect' && (await this.#isListening())) this.#queue.push({ type: 'gap' });
      if (status.type === 'error') onRefused?.(status.error.message);
    }
    this.#queue.close();
  }
}
