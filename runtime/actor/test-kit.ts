/**
 * The test kit: a node whose world is all in memory. Its clock moves when told, its chance repeats, its disk survives
 * `crash`, its hosts run inline and strict. Nothing here waits for real time.
 */
import type { JsonValue } from '../codec/json.ts';
import { CodedError } from '../core/errors.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { allowList } from '../kernel/allow-list.ts';
import type { Gates } from '../kernel/gate.ts';
import type { EventLog } from '../log/event-log.ts';
import { MemoryWorld } from '../log/memory-log.ts';
import { stateAt } from './agent-stream.ts';
import type { ContractSpec } from './contract.ts';
import { type Duration, toMillis } from './duration.ts';
import { type Hosts, inlineHosts } from './hosts.ts';
import type { Implementation } from './implement.ts';
import { AgentNode, type NodeParts } from './node.ts';
import type { Ref } from './ref.ts';
import { endOfTick } from './tick.ts';
import type { ProvidedTool } from './tool.ts';
import { jsonOf } from './vocabulary.ts';

export type TestNodeOptions = Pick<NodeParts, 'supervise' | 'idleMs' | 'silenceMs'> & {
  readonly seed?: number;
  readonly implementations: readonly Implementation[];
  readonly tools?: readonly ProvidedTool[];
  /** Default: everything that is provided is allowed. */
  readonly gates?: Gates;
  /** Default: inline, strict. */
  readonly hosts?: Hosts;
};

/** An event as tests look at it. */
export type Seen = {
  readonly index: number;
  readonly stream: string;
  readonly type: string;
  readonly payload: JsonValue;
};

/** Where power is lost: with the batch that holds the event of this index. */
export type CrashPoint = { readonly index: number; readonly fault: 'lost' | 'reply_lost' };

/** More than any test waits for, child processes on a busy machine included. */
const TICKS_MAX = 20_000_000;

export class TestNode implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly #options: TestNodeOptions;
  readonly #world: MemoryWorld;
  readonly #seen: Seen[] = [];
  #lives = 0;
  #node: AgentNode | undefined;
  #log: EventLog | undefined;
  #fault: Error | undefined;
  readonly #points: CrashPoint[] = [];

  constructor(options: TestNodeOptions) {
    this.#options = options;
    this.#world = new MemoryWorld(seededRandom(options.seed ?? 1));
  }

  /** Opens the node, or opens it again on the same disk. */
  async open(): Promise<AgentNode> {
    const {
      implementations,
      tools = [],
      gates = { policy: allowList({ '*': ['*'] }) },
      hosts,
      seed = 1,
    } = this.#options;
    const { log, store } = await this.#world.open(this.clock);
    store.faultOf = (batch) => this.#faultOf(batch.first, batch.records.length);
    this.#log = log;
    this.#node = AgentNode.open({
      ...this.#options,
      log,
      clock: this.clock,
      random: seededRandom(`${seed}/${this.#lives++}`),
      contracts: implementations.map(({ contract }) => contract),
      tools,
      gates,
      hosts: hosts ?? inlineHosts(implementations),
    });
    const node = this.#node;
    void node.ended.then((fault) => {
      if (this.#node === node) this.#fault = fault;
    });
    return this.#node;
  }

  get node(): AgentNode {
    if (this.#node === undefined) throw new CodedError('node.not_open', 'expected an open node: await open() first');
    return this.#node;
  }

  get log(): EventLog {
    if (this.#log === undefined) throw new CodedError('node.not_open', 'expected an open node: await open() first');
    return this.#log;
  }

  /** Everything recorded so far. */
  get events(): readonly Seen[] {
    for (const record of this.log.read(this.#seen.length)) {
      const { index, stream, type } = record;
      this.#seen.push({ index, stream, type, payload: jsonOf(this.log, record) ?? null });
    }
    return this.#seen;
  }

  /** How many events of a type there are. */
  count(type: string): number {
    return this.events.filter((event) => event.type === type).length;
  }

  /** An agent's state, folded from the log. */
  stateOf<S extends ContractSpec>({ contract, agent }: Ref<S>): unknown {
    const implementation = this.#options.implementations.find((one) => one.contract.name === contract.name);
    if (implementation === undefined)
      throw new CodedError('contract.unknown', `expected an implementation of ${contract.name}`);
    return stateAt(this.log, implementation, agent);
  }

  /** Lets virtual time pass, and what it sets in motion come to rest. */
  async advance(by: Duration): Promise<void> {
    this.clock.advance(toMillis(by));
    await this.settle();
  }

  /** Until nothing moves without time or news from outside. */
  async settle(ticks = 60): Promise<void> {
    for (let n = 0; n < ticks; n++) await endOfTick();
  }

  /** Until `isTrue`, without letting time pass. */
  async until(what: string, isTrue: () => boolean): Promise<void> {
    for (let n = 0; n < TICKS_MAX; n++) {
      if (isTrue()) return;
      if (this.#fault !== undefined) throw this.#fault;
      await endOfTick();
    }
    throw new CodedError('test.never', `expected ${what}, and it never came`);
  }

  /** The node loses power as it records the event of this index: `lost` before it is on disk, `reply_lost` after. */
  crashAt(point: CrashPoint): void {
    this.#points.push(point);
  }

  get isOpen(): boolean {
    return this.#node !== undefined;
  }

  /** Whether the node has ended by a fault, such as a loss of power. */
  get hasFailed(): boolean {
    return this.#log?.stopped !== undefined;
  }

  /** How often it was opened. */
  get lives(): number {
    return this.#lives;
  }

  /** How many messages have been accepted. */
  get accepted(): number {
    return this.count('message.accepted');
  }

  /** The node and its hosts are gone; the disk stays. */
  async crash(): Promise<void> {
    await this.#node?.[Symbol.asyncDispose]();
    await this.#log?.[Symbol.asyncDispose](); // nobody writes to the disk of a dead node
    this.#node = undefined;
    this.#fault = undefined;
    this.#seen.length = 0; // the log may be shorter than what was seen: nothing here is older than the disk
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
  }

  #faultOf(first: number, length: number): CrashPoint['fault'] | undefined {
    const at = this.#points.findIndex(({ index }) => index >= first && index < first + length);
    return at === -1 ? undefined : this.#points.splice(at, 1)[0]?.fault;
  }
}

/** A world to be run again and again: a kit, and whatever else the run needs. */
export type CrashRun<W extends { readonly kit: TestNode }, E> = {
  readonly make: () => W;
  /** Drives the world to its end, opening the node again whenever `kit.hasFailed`. */
  readonly run: (world: W) => Promise<void>;
  /** What must be the same however the power fails: states, counts of effects. */
  readonly end: (world: W) => E;
  /** Only at events of this type; default: at all. */
  readonly type?: string;
};

/**
 * Runs a world once in peace, and then once for every event that it recorded and every way of losing power there; resolves
 * to the number of runs.
 * @throws `test.differs` naming the first event after whose loss the end is another
 */
export async function crashAfter<W extends { readonly kit: TestNode }, E>(run: CrashRun<W, E>): Promise<number> {
  const peace = run.make();
  await run.run(peace);
  const expected = JSON.stringify(run.end(peace));
  const points = crashPoints(peace.kit.events.filter(({ type }) => run.type === undefined || type === run.type));
  await peace.kit.crash();
  for (const point of points) {
    const world = run.make();
    world.kit.crashAt(point);
    await run.run(world);
    const found = JSON.stringify(run.end(world));
    const where = `power lost at event ${point.index} (${point.fault}), opened ${world.kit.lives} times`;
    if (found !== expected) throw new CodedError('test.differs', `${where}: expected ${expected}, found ${found}`);
    if (world.kit.lives < 2) throw new CodedError('test.differs', `${where}: the power was never lost`);
    await world.kit.crash();
  }
  return points.length;
}

/** Every way in which a run that recorded these events can lose power: at each batch's events, before and after. */
function crashPoints(events: readonly Seen[]): readonly CrashPoint[] {
  return events.flatMap(({ index }): CrashPoint[] => [
    { index, fault: 'lost' },
    { index, fault: 'reply_lost' },
  ]);
}
