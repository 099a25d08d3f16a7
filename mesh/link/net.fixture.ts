/** Several nodes on one wire that can be told to fail, under one clock that moves when told. */
import type { Random } from '../../runtime/core/random.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { nextTurn } from '../../runtime/core/system.ts';
import { closed, MemoryCarrier } from '../memory-transport.ts';
import type { Lane, NodeToken } from '../subject.ts';
import type { Arrival, Transport } from '../transport.ts';

/** What becomes of a message on the wire: in how many milliseconds each copy of it arrives. */
export type Wire = (message: {
  readonly lane: Lane;
  readonly to: NodeToken;
  readonly from: NodeToken;
  readonly bytes: Uint8Array;
}) => readonly number[];

/** A transport whose messages go through `Net.wire`. */
class Wired implements Transport {
  readonly #inner: Transport;
  readonly #net: Net;
  #isClosed = false;

  constructor(inner: Transport, net: Net) {
    this.#inner = inner;
    this.#net = net;
  }

  get self(): NodeToken {
    return this.#inner.self;
  }

  get messageBytesMax(): number {
    return this.#inner.messageBytesMax;
  }

  get dropped(): number {
    return this.#inner.dropped;
  }

  send(lane: Lane, to: NodeToken, bytes: Uint8Array): void {
    if (this.#isClosed) throw closed();
    const copy = Uint8Array.from(bytes);
    this.#net.sent.push({ lane, from: this.self, to, bytes: copy });
    for (const delay of this.#net.wire({ lane, to, from: this.self, bytes })) {
      if (delay === 0) this.#inner.send(lane, to, copy);
      else this.#net.clock.after(delay, () => this.#net.carrier.carry(lane, this.self, to, copy));
    }
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#inner.flush(signal);
  }

  arrivals(signal: AbortSignal): AsyncIterable<readonly Arrival[]> {
    return this.#inner.arrivals(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#inner[Symbol.asyncDispose]();
  }
}

export type Sent = {
  readonly lane: Lane;
  readonly from: NodeToken;
  readonly to: NodeToken;
  readonly bytes: Uint8Array;
};

/** Several nodes on one wire, under one clock that moves when told. */
export class Net {
  readonly clock = new ManualClock();
  readonly random: Random;
  readonly carrier = new MemoryCarrier();
  readonly sent: Sent[] = [];
  wire: Wire = () => [0];

  constructor(seed: string) {
    this.random = seededRandom(seed);
  }

  attach(token: NodeToken): Transport {
    return new Wired(this.carrier.attach(token), this);
  }

  async detach(transport: Transport): Promise<void> {
    await transport[Symbol.asyncDispose]();
  }

  /** Lets time pass until it holds. */
  async until(what: string, holds: () => boolean, withinMs = 120_000): Promise<void> {
    for (let passed = 0; passed <= withinMs; passed += STEP_MS) {
      for (let turn = 0; turn < 12; turn++) {
        if (holds()) return;
        await nextTurn();
      }
      this.clock.advance(STEP_MS);
    }
    throw new Error(`expected ${what} within ${withinMs} ms`);
  }

  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await this.until(`${ms} ms to pass`, () => this.clock.now() >= until, ms + STEP_MS);
  }

  /** What a promise comes to while time passes. */
  async outcome<T>(work: Promise<T>, withinMs = 120_000): Promise<T> {
    const settled: { value: T }[] = [];
    work.then(
      (value) => void settled.push({ value }),
      () => undefined,
    );
    await this.until('an outcome', () => settled.length > 0, withinMs);
    return work;
  }
}

const STEP_MS = 25;
