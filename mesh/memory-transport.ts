/**
 * A carrier inside one process: for agents of one node, for tests, for the simulator. It keeps the contract of `Transport`,
 * delivers in the microtask after the sending, and can be told to lose, double or hold messages.
 */
import { assert } from '../runtime/core/assert.ts';
import { CodedError } from '../runtime/core/errors.ts';
import { ArrivalQueue } from './arrival-queue.ts';
import { CARRIED_BYTES_MAX } from './limits.ts';
import { ALL, isForAll, type Lane, type NodeToken } from './subject.ts';
import type { Arrival, Transport } from './transport.ts';

/** What to do with one message. A drop is silent, as on a wire. */
export type Fault = (message: {
  readonly lane: Lane;
  readonly from: NodeToken;
  readonly to: NodeToken;
  readonly bytes: Uint8Array;
}) => 'deliver' | 'drop' | 'deliver twice';

export class MemoryCarrier {
  readonly #nodes = new Map<NodeToken, MemoryTransport>();
  /** Asked for every message; delivers by default. */
  fault: Fault = () => 'deliver';

  /** Attaches a node. The carrier vouches for `self`: who attaches speaks under no other token. */
  attach(self: NodeToken): Transport {
    assert(!this.#nodes.has(self) && self !== ALL, 'attach: a node that is not attached');
    const node = new MemoryTransport(self, this);
    this.#nodes.set(self, node);
    return node;
  }

  detach(self: NodeToken): void {
    this.#nodes.delete(self);
  }

  carry(lane: Lane, from: NodeToken, to: NodeToken, bytes: Uint8Array): void {
    queueMicrotask(() => {
      const targets = to === ALL ? [...this.#nodes.keys()].filter((node) => node !== from) : [to];
      for (const target of targets) this.#deliver(lane, from, target, bytes);
    });
  }

  #deliver(lane: Lane, from: NodeToken, to: NodeToken, bytes: Uint8Array): void {
    const verdict = this.fault({ lane, from, to, bytes });
    if (verdict === 'drop') return;
    const target = this.#nodes.get(to);
    if (target === undefined) {
      this.#nodes.get(from)?.arrive({ type: 'absent', lane, to });
      return;
    }
    const arrival: Arrival = { type: 'message', lane, from, bytes };
    target.arrive(arrival);
    if (verdict === 'deliver twice') target.arrive(arrival);
  }
}

class MemoryTransport implements Transport {
  readonly self: NodeToken;
  readonly messageBytesMax = CARRIED_BYTES_MAX;
  readonly #carrier: MemoryCarrier;
  readonly #queue = new ArrivalQueue();
  #isClosed = false;

  constructor(self: NodeToken, carrier: MemoryCarrier) {
    this.self = self;
    this.#carrier = carrier;
  }

  get dropped(): number {
    return this.#queue.dropped;
  }

  send(lane: Lane, to: NodeToken, bytes: Uint8Array): void {
    if (this.#isClosed) throw closed();
    checkMessage(this, lane, to, bytes);
    this.#carrier.carry(lane, this.self, to, Uint8Array.from(bytes));
  }

  async flush(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#isClosed) throw closed();
    const { promise, resolve } = Promise.withResolvers<void>();
    queueMicrotask(resolve);
    await promise;
  }

  arrivals(signal: AbortSignal): AsyncIterable<readonly Arrival[]> {
    return this.#queue.read(signal);
  }

  arrive(arrival: Arrival): void {
    this.#queue.push(arrival);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#carrier.detach(this.self);
    this.#queue.close();
    return Promise.resolve();
  }
}

/** What every transport checks before it sends.
 *  @throws {CodedError} `transport.too_large` */
export function checkMessage(
  transport: Pick<Transport, 'self' | 'messageBytesMax'>,
  lane: Lane,
  to: NodeToken,
  bytes: Uint8Array,
): void {
  assert(to !== transport.self, 'send: to another node');
  assert((to === ALL) === isForAll(lane), 'send: to all on the lanes for all, and only there');
  if (bytes.length <= transport.messageBytesMax) return;
  const message = `expected at most ${transport.messageBytesMax} bytes, found ${bytes.length}`;
  throw new CodedError('transport.too_large', message);
}

export function closed(): CodedError {
  return new CodedError('transport.closed', 'expected an open transport');
}
