/** One way of one connection through the fault proxy (`fault-proxy.ts`): units come in, wait their time, and go on or not. */
import type { Socket } from 'node:net';
import type { Clock } from '../runtime/core/clock.ts';
import type { Random } from '../runtime/core/random.ts';
import { NatsStream, type NatsUnit } from './nats-stream.ts';

export type Way = 'to_server' | 'to_client';

/** Ways default to both. Chances are out of 1,000 messages. `of` says which subjects are meant; default all. */
export type NetworkFault = { readonly way?: Way; readonly of?: (subject: string) => boolean } & (
  | { readonly type: 'drop' | 'duplicate'; readonly perMille: number }
  /** A message waits for the next one, which goes first; not longer than a moment, and not past any other command. */
  | { readonly type: 'reorder'; readonly perMille: number }
  /** The connection is reset in place of the message. */
  | { readonly type: 'cut'; readonly perMille: number }
  /** Everything comes so much later, in the same order; `jitterMs` more at most. Whole milliseconds. */
  | { readonly type: 'delay'; readonly ms: number; readonly jitterMs?: number }
  | { readonly type: 'throttle'; readonly bytesPerSecond: number }
  | { readonly type: 'partition' }
);

/** A fault as flows see it. */
export type LiveFault = { readonly id: number; readonly fault: NetworkFault; fired: number };

type Ends = { readonly from: Socket; readonly to: Socket; readonly cut: () => void };

type World = {
  readonly clock: Clock;
  readonly random: Random;
  /** The faults that are set for this way, in the order of their setting. */
  readonly faults: () => Iterable<LiveFault>;
  readonly fire: (live: LiveFault) => void;
  /** A message went on. */
  readonly pass: () => void;
};

type Waiting = { readonly unit: NatsUnit; readonly dueMs: number };

/** As many bytes as wait here before the sender is slowed down, like a socket's buffers. */
const FLOW_BYTES_MAX = 4 * 1024 * 1024;
/** How long a message to be overtaken waits for another. */
const REORDER_MS_MAX = 20;

export class FaultFlow {
  readonly #ends: Ends;
  readonly #world: World;
  readonly #stream = new NatsStream();
  readonly #draws = new Map<number, Random>();
  readonly #queue: Waiting[] = [];
  /** A message that the next one shall overtake, and the fault that wants it. */
  #held: { readonly unit: NatsUnit; readonly live: LiveFault; readonly timer: Disposable } | undefined;
  #queuedBytes = 0;
  /** When what came last may go on, and when the throttle lets the next byte through. */
  #lastDueMs = 0;
  #freeMs = 0;
  #hasEnded = false;
  #isBlocked = false;
  #isPartitioned = false;
  #timer: Disposable | undefined;

  constructor(ends: Ends, world: World) {
    this.#ends = ends;
    this.#world = world;
    const { from, to } = ends;
    from.on('data', (chunk: Uint8Array) => this.#take(chunk));
    from.on('end', () => this.#end());
    from.on('close', () => this.#end());
    from.on('error', () => undefined); // 'close' follows
    to.on('drain', () => {
      this.#isBlocked = false;
      this.wake();
    });
    to.on('close', () => this.#drop());
  }

  /** Sends what may go now; to be called too when faults were set or lifted. */
  wake(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#ends.to.destroyed || this.#isHeldBack()) return;
    const set = new Set(Array.from(this.#world.faults(), ({ fault }) => fault.type));
    if (!set.has('throttle')) this.#freeMs = 0; // (X6)
    const now = this.#world.clock.monotonicMs();
    for (let next = this.#queue[0]; next !== undefined && !this.#isBlocked; next = this.#queue[0]) {
      const dueMs = Math.max(set.has('delay') ? next.dueMs : 0, this.#freeMs);
      if (dueMs > now) {
        this.#timer = this.#world.clock.after(dueMs - now, () => this.wake());
        return;
      }
      this.#queue.shift();
      this.#send(next.unit, now);
    }
    if (this.#hasEnded && this.#queue.length === 0) this.#ends.to.end();
  }

  #take(chunk: Uint8Array): void {
    for (const unit of this.#stream.push(chunk)) if (!this.#ends.to.destroyed) this.#judge(unit);
    if (this.#queuedBytes > FLOW_BYTES_MAX) this.#ends.from.pause();
    this.wake();
  }

  /** What becomes of a unit. Each fault draws for each message it is about, whatever the others did before it (X5). */
  #judge(unit: NatsUnit): void {
    if (unit.subject === undefined) {
      this.#release();
      this.#enqueue(unit);
      return;
    }
    let copies = 1;
    let overtaken: LiveFault | undefined;
    for (const live of this.#world.faults()) {
      if (!this.#strikes(live, unit.subject)) continue;
      if (live.fault.type === 'reorder') {
        overtaken ??= live; // counted when it has happened
        continue;
      }
      this.#world.fire(live);
      if (live.fault.type === 'cut') {
        this.#ends.cut();
        return;
      }
      copies = live.fault.type === 'drop' ? 0 : copies * 2;
    }
    if (overtaken !== undefined && copies === 1 && this.#held === undefined) {
      const timer = this.#world.clock.after(REORDER_MS_MAX, () => {
        this.#release();
        this.wake();
      });
      this.#held = { unit, live: overtaken, timer };
      return;
    }
    for (let n = 0; n < copies; n++) this.#enqueue(unit);
    if (copies > 0 && this.#held !== undefined) {
      this.#world.fire(this.#held.live);
      this.#release();
    }
  }

  #strikes(live: LiveFault, subject: string): boolean {
    const { fault, id } = live;
    if (!('perMille' in fault) || fault.of?.(subject) === false) return false;
    const draws = this.#draws.get(id) ?? this.#world.random.stream(`${id}`);
    this.#draws.set(id, draws);
    return draws.below(1000) < fault.perMille;
  }

  /** Lets the message that was held go on. */
  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.timer[Symbol.dispose]();
    if (held !== undefined) this.#enqueue(held.unit);
  }

  #enqueue(unit: NatsUnit): void {
    const now = this.#world.clock.monotonicMs();
    let dueMs = now;
    for (const live of this.#world.faults()) {
      const { fault } = live;
      if (fault.type !== 'delay' || (unit.subject !== undefined && fault.of?.(unit.subject) === false)) continue;
      const draws = this.#draws.get(live.id) ?? this.#world.random.stream(`${live.id}`);
      this.#draws.set(live.id, draws);
      dueMs += fault.ms + draws.below((fault.jitterMs ?? 0) + 1);
      this.#world.fire(live);
    }
    if (dueMs === now && this.#queue.length === 0) this.#lastDueMs = now;
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs); // nothing overtakes by being less late
    this.#queue.push({ unit, dueMs: this.#lastDueMs });
    this.#queuedBytes += unit.bytes.length;
  }

  #send(unit: NatsUnit, now: number): void {
    for (const live of this.#world.faults()) {
      const { fault } = live;
      if (fault.type !== 'throttle') continue;
      this.#freeMs = Math.max(this.#freeMs, now) + (unit.bytes.length * 1000) / fault.bytesPerSecond;
      this.#world.fire(live);
    }
    if (unit.subject !== undefined) this.#world.pass();
    this.#queuedBytes -= unit.bytes.length;
    this.#isBlocked = !this.#ends.to.write(unit.bytes);
    if (this.#queuedBytes <= FLOW_BYTES_MAX) this.#ends.from.resume();
  }

  /** Whether a partition holds what waits; it fires once for each time that it begins to hold something. */
  #isHeldBack(): boolean {
    const isAnything = this.#queue.length > 0 || this.#hasEnded;
    const partition = isAnything
      ? Array.from(this.#world.faults()).find(({ fault }) => fault.type === 'partition')
      : undefined;
    if (partition !== undefined && !this.#isPartitioned) this.#world.fire(partition);
    this.#isPartitioned = partition !== undefined;
    return this.#isPartitioned;
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#release();
    const rest = this.#stream.end();
    if (rest.length > 0) this.#enqueue({ bytes: rest, subject: undefined });
    this.wake();
  }

  /** The other end is gone, and nobody will read what waits. */
  #drop(): void {
    this.#timer?.[Symbol.dispose]();
    this.#held?.timer[Symbol.dispose]();
    this.#held = undefined;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#ends.from.resume(); // to its end
  }
}
