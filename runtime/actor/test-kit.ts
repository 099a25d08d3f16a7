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
  #faults: { fault: 'lost' | 'reply_lost'; type: string } | undefined;

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
    store.faultOf = (batch) => this.#faultOf(batch.records);
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
    void this.#node.ended.then((fault) => {
      this.#fault ??= fault;
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

  /** The node loses power as it records the next event of this type: `lost` before it is on disk, `reply_lost` after. */
  crashAt(type: string, fault: 'lost' | 'reply_lost'): void {
    this.#faults = { type, fault };
  }

  /** The node and its hosts are gone; the disk stays. */
  async crash(): Promise<void> {
    await this.#node?.[Symbol.asyncDispose]();
    this.#node = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
  }

  #faultOf(records: readonly Uint8Array[]): 'lost' | 'reply_lost' | undefined {
    const armed = this.#faults;
    if (armed === undefined) return undefined;
    const isHit = records.some((bytes) => new TextDecoder().decode(bytes).includes(`"t":"${armed.type}"`));
    if (!isHit) return undefined;
    this.#faults = undefined;
    return armed.fault;
  }
}
