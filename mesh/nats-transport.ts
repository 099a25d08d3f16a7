/**
 * The transport over NATS: core publish and subscribe, one subscription for what is sent to this node, one for what is sent
 * to all, one for the private inbox. The broker's permissions (`nats-config.ts`) make `from` trustworthy; nothing of NATS
 * but subject and payload is read, no header, no reply subject of a peer.
 *
 * T1. Comes back by itself, for ever (`nats-link.ts`), and says so with a `gap`.
 * T2. What is sent while there is no connection is dropped and counted; so is what a broker that takes nothing would make
 *     this process keep beyond UNTAKEN_BYTES_MAX.
 *
 * Supported servers: 2.9.10 and newer.
 */
import type { Msg, NatsConnection } from 'nats';
import type { KeyPair } from '../runtime/codec/ed25519.ts';
import type { Clock } from '../runtime/core/clock.ts';
import type { Random } from '../runtime/core/random.ts';
import { ArrivalQueue } from './arrival-queue.ts';
import { checkMessage, closed } from './memory-transport.ts';
import { NatsLink, type Pace } from './nats-link.ts';
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
  readonly clock: Clock;
  readonly random: Random;
  readonly pace?: Pace;
  /** What the broker refused: a publish or subscribe without permission, a stale login. For the log. */
  readonly onRefused?: (reason: string) => void;
};

/** A transport, and the connection under it for what else speaks NATS. */
export interface NatsTransport extends Transport {
  readonly link: NatsLink;
}

/**
 * Connects and subscribes; when it resolves, messages to this node arrive.
 * @throws {CodedError} `transport.unreachable` (retryable) no server took the connection · `transport.old_server` the server is
 *   older than 2.9.10; or the signal's reason
 */
export async function connectNats(options: NatsOptions, signal: AbortSignal): Promise<NatsTransport> {
  const { realm, self, ...rest } = options;
  const link = await NatsLink.open({ ...rest, name: self, inboxPrefix: subject.inboxPrefix(self) }, signal);
  const transport = new OverNats(link, realm, self);
  try {
    await link.flush(signal);
  } catch (error) {
    await transport[Symbol.asyncDispose]();
    throw error;
  }
  return transport;
}

/** What a broker may owe an answer for: more than a second of the fastest sender, and no danger to the process (T2). */
const UNTAKEN_BYTES_MAX = 64 * 1024 * 1024;
/** How often it is asked what it has taken. */
const ASK_EVERY_BYTES = 4 * 1024 * 1024;

class OverNats implements NatsTransport {
  readonly self: NodeToken;
  readonly link: NatsLink;
  readonly #realm: Realm;
  readonly #queue = new ArrivalQueue();
  #untaken = { connection: undefined as NatsConnection | undefined, bytes: 0, isAsking: false };
  #malformed = 0;
  #unsent = 0;

  constructor(link: NatsLink, realm: Realm, self: NodeToken) {
    this.self = self;
    this.link = link;
    this.#realm = realm;
    link.attach({
      subscribe: (connection) => this.#subscribe(connection),
      back: () => this.#queue.push({ type: 'gap' }),
    });
  }

  get messageBytesMax(): number {
    return this.link.server.messageBytesMax;
  }

  get dropped(): number {
    return this.#queue.dropped + this.#malformed + this.#unsent;
  }

  send(lane: Lane, to: NodeToken, bytes: Uint8Array): void {
    if (this.link.isEnded) throw closed();
    checkMessage(this, lane, to, bytes);
    const { connection } = this.link;
    if (connection === undefined || !this.#hasRoom(connection, bytes.length)) {
      this.#unsent++;
      return;
    }
    const address = subject.message(this.#realm, lane, { to, from: this.self });
    // A reply subject makes the broker say so when nobody listens; it names what was sent, so no table is needed.
    if (isForAll(lane)) connection.publish(address, bytes);
    else connection.publish(address, bytes, { reply: subject.absence(this.self, lane, to) });
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.link.flush(signal);
  }

  arrivals(signal: AbortSignal): AsyncIterable<readonly Arrival[]> {
    return this.#queue.read(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.link[Symbol.asyncDispose]();
    this.#queue.close();
  }

  #subscribe(connection: NatsConnection): void {
    for (const to of [this.self, ALL]) {
      const pattern = subject.arriving(this.#realm, to);
      connection.subscribe(pattern, { callback: (error, message) => this.#take(error, message) });
    }
    connection.subscribe(subject.inbox(this.self), { callback: (error, message) => this.#takeAbsence(error, message) });
  }

  /** Whether so many bytes may be sent more (T2). */
  #hasRoom(connection: NatsConnection, bytes: number): boolean {
    if (this.#untaken.connection !== connection) this.#untaken = { connection, bytes: 0, isAsking: false };
    const untaken = this.#untaken;
    if (untaken.bytes + bytes > UNTAKEN_BYTES_MAX) return false;
    untaken.bytes += bytes;
    if (untaken.bytes < ASK_EVERY_BYTES || untaken.isAsking) return true;
    untaken.isAsking = true;
    const asked = untaken.bytes;
    connection.flush().then(
      () => {
        untaken.bytes -= asked;
        untaken.isAsking = false;
      },
      // Lost: the next connection owes nothing.
      () => undefined,
    );
    return true;
  }

  /** An error is a refused subscription, of which the link has said so. */
  #take(error: Error | null, message: Msg): void {
    if (error !== null) return;
    const parts = parseMessageSubject(message.subject);
    if (parts === undefined || (parts.to === ALL) !== isForAll(parts.lane)) this.#malformed++;
    else this.#queue.push({ type: 'message', lane: parts.lane, from: parts.from, bytes: message.data });
  }

  /** An empty message on the inbox with status 503: the broker's word that nobody listened. What else comes there answers a
   *  request of whoever shares the connection. */
  #takeAbsence(error: Error | null, message: Msg): void {
    if (error !== null) return;
    const parts = parseAbsenceSubject(message.subject);
    if (parts !== undefined && message.headers?.code === 503) this.#queue.push({ type: 'absent', ...parts });
  }
}
