/**
 * Stands between NATS clients and a server, and does to their messages what networks do: on purpose, repeatably, and counted.
 *
 *     await using proxy = await FaultProxy.listen(server, { clock, random });
 *     using loss = proxy.inject({ type: 'drop', way: 'to_server', perMille: 100 });    // clients connect to proxy.url
 *     …
 *     loss.fired                                                                       // a fault that never fired proves nothing
 *
 * X3. Without a fault, what leaves is what came, both ways.
 * X4. Messages are lost, repeated and reordered whole, and only messages: the stream stays one that both ends can read.
 * X5. The same seed, faults and bytes on a connection give the same choices; other connections and faults do not disturb them.
 * X6. A fault that is lifted is lifted for what waits, too. A partition holds what is sent, as a network does whose ends do not
 *     know yet; healed, it comes through, and ends of connections with it. At most FLOW_BYTES_MAX wait in one flow; then its
 *     sender is slowed down.
 *
 * A client that the server tells of further addresses (a cluster's) may go past the proxy. TLS can be cut, held and slowed
 * down; its messages are not seen.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { assert } from '../runtime/core/assert.ts';
import type { Clock } from '../runtime/core/clock.ts';
import type { Random } from '../runtime/core/random.ts';
import { FaultFlow, type LiveFault, type NetworkFault, type Way } from './fault-flow.ts';

/** A fault that is set. Disposing lifts it. */
export type Injected = Disposable & {
  /** How often it has done something: to how many messages, or, where it takes commands too, commands. */
  readonly fired: number;
};

/** What the proxy did, since it began. */
export type FaultCounts = {
  readonly connections: number;
  /** Messages that went on, repetitions included. */
  readonly passed: number;
  /** Connections that were reset. */
  readonly cut: number;
} & { readonly [type in NetworkFault['type']]: number };

export class FaultProxy implements AsyncDisposable {
  /** `host:port` on loopback, for clients. */
  readonly url: string;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #faults = new Map<number, LiveFault>();
  readonly #counts = { connections: 0, passed: 0 };
  readonly #fired = { drop: 0, duplicate: 0, reorder: 0, cut: 0, delay: 0, throttle: 0, partition: 0 };
  readonly #ports: { readonly clock: Clock; readonly random: Random };
  #injected = 0;

  /** Listens on a free port of loopback, before the server at `host:port`. */
  static async listen(
    upstream: string,
    ports: { readonly clock: Clock; readonly random: Random },
  ): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(server, upstream, ports);
  }

  private constructor(server: Server, upstream: string, ports: { readonly clock: Clock; readonly random: Random }) {
    const address = server.address();
    assert(typeof address === 'object' && address !== null, 'FaultProxy: a port');
    this.url = `127.0.0.1:${address.port}`;
    this.#ports = ports;
    this.#server = server;
    const colon = upstream.lastIndexOf(':');
    const to = { host: upstream.slice(0, colon), port: Number(upstream.slice(colon + 1)) };
    server.on('connection', (client) => this.#join(client, connect({ ...to, allowHalfOpen: true, noDelay: true })));
  }

  /** Sets a fault, for connections that are there and those to come. */
  inject(fault: NetworkFault): Injected {
    if ('perMille' in fault) assert(fault.perMille >= 0 && fault.perMille <= 1000, 'inject: 0..1000 of 1,000');
    const live: LiveFault = { id: this.#injected++, fault, fired: 0 };
    this.#faults.set(live.id, live);
    this.#wake();
    return {
      get fired() {
        return live.fired;
      },
      [Symbol.dispose]: () => {
        this.#faults.delete(live.id);
        this.#wake();
      },
    };
  }

  /** Lifts every fault. */
  heal(): void {
    this.#faults.clear();
    this.#wake();
  }

  /** Resets every connection; how many there were. */
  cut(): number {
    const links = [...this.#links];
    for (const link of links) link.cut();
    this.#fired.cut += links.length;
    return links.length;
  }

  get counts(): FaultCounts {
    return { ...this.#counts, ...this.#fired };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const link of this.#links) link.cut();
    await closed;
  }

  #wake(): void {
    for (const { flows } of this.#links) for (const flow of flows) flow.wake();
  }

  #join(client: Socket, server: Socket): void {
    const number = this.#counts.connections++;
    const cut = (): void => {
      client.resetAndDestroy();
      server.resetAndDestroy();
      this.#links.delete(link);
    };
    const flow = (way: Way, from: Socket, to: Socket): FaultFlow =>
      new FaultFlow(
        { from, to, cut },
        {
          clock: this.#ports.clock,
          random: this.#ports.random.stream(`${number}/${way}`), // (X5)
          faults: () => this.#faults.values().filter(({ fault }) => (fault.way ?? way) === way),
          fire: (live) => {
            live.fired++;
            this.#fired[live.fault.type]++;
          },
          pass: () => void this.#counts.passed++,
        },
      );
    const flows = [flow('to_server', client, server), flow('to_client', server, client)];
    const link: Link = { flows, cut };
    this.#links.add(link);
    const forget = (): void => {
      if (client.destroyed && server.destroyed) this.#links.delete(link);
    };
    client.on('close', forget);
    server.on('close', forget);
  }
}

type Link = { readonly flows: readonly FaultFlow[]; readonly cut: () => void };
