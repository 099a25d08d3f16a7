/**
 * The test kit: a node whose world is all in memory. Its clock moves when told, its chance repeats, its disk survives
 * `crash`, its hosts run inline and strict. Nothing here waits for real time.
 */
import type { JsonValue } from '../codec/json.ts';
import { assert } from '../core/assert.ts';
import { CodedError, messageOf } from '../core/errors.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { allowList } from '../kernel/allow-list.ts';
import type { Gates } from '../kernel/gate.ts';
import type { EventLog } from '../log/event-log.ts';
import { MemoryWorld } from '../log/memory-log.ts';
import { stateAt, viewOf } from './agent-stream.ts';
import type { ContractSpec } from './contract.ts';
import { type Duration, toMillis } from './duration.ts';
import { type Hosts, inlineHosts } from './hosts.ts';
import type { Implementation } from './implement.ts';
import { AgentNode } from './node.ts';
import type { NodeParts } from './node-parts.ts';
import type { Ref } from './ref.ts';
import { endOfTick } from './tick.ts';
import type { ProvidedTool } from './tool.ts';
import { payloadOf } from './vocabulary.ts';

export type TestNodeOptions = Pick<
  NodeParts,
  'supervise' | 'idleMs' | 'silenceMs' | 'didOf' | 'standingOf' | 'remote'
> & {
  readonly seed?: number;
  readonly implementations: readonly Implementation[];
  readonly tools?: readonly ProvidedTool[];
  /** Default: everything that is provided is allowed. */
  readonly gates?: Gates;
  /** Default: inline, strict. */
  readonly hosts?: Hosts;
  /** What is made anew for each life of the node, over its log: what stands before its acts, and asks for payment. */
  readonly made?: (life: Pick<NodeParts, 'log' | 'clock' | 'random'>) => Promise<Made>;
};

type Made = Partial<Pick<NodeParts, 'gates' | 'epochs' | 'didOf' | 'endow' | 'pay' | 'tools'>>;

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
    const life = { log, clock: this.clock, random: seededRandom(`${seed}/${this.#lives++}`) };
    this.#node = AgentNode.open({
      ...this.#options,
      ...life,
      contracts: implementations.map(({ contract }) => contract),
      tools,
      gates,
      hosts: hosts ?? inlineHosts(implementations),
      ...(await this.#options.made?.(life)),
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
      this.#seen.push({ index, stream, type, payload: payloadOf(record, this.log) ?? null });
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

  /** What an agent of this node answers; `undefined` for one that it does not have. */
  contractOf(agent: string): string | undefined {
    return viewOf(this.log, agent).started?.contract;
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
  /** Only at this point: to look at one that failed. */
  readonly at?: CrashPoint;
  /** The test file in which every point is a test of its own, its name holding `crashPointName(point)`: errors say how to run one. */
  readonly file?: string;
};

/** A point in words that no other point's name holds, and that are themselves as a pattern of test names. */
export function crashPointName({ index, fault }: CrashPoint): string {
  return `at event ${index}, ${fault},`;
}

/**
 * Runs a world once in peace, and then once for every event that it recorded and every way of losing power there; resolves
 * to the number of runs.
 * @throws `test.differs` naming the first event after whose loss the end is another, and how to run that point alone
 */
export async function crashAfter<W extends { readonly kit: TestNode }, E>(run: CrashRun<W, E>): Promise<number> {
  const { expected, points } = await inPeace(run);
  const chosen = run.at === undefined ? points : [run.at];
  for (const point of chosen) await loseAt(run, point, expected);
  return chosen.length;
}

/** Every way in which a world can lose power: what a run in peace records, before and after each write. */
export async function crashPoints<W extends { readonly kit: TestNode }, E>(
  run: CrashRun<W, E>,
): Promise<readonly CrashPoint[]> {
  return (await inPeace(run)).points;
}

/** Does some work under the name of a test; an error of it says how to run that test alone.
 *  @throws `test.failed` with the error as its cause */
export async function repeatable(file: string, name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw failed(error, commandOf(file, name));
  }
}

function failed(cause: unknown, command: string): CodedError {
  return new CodedError('test.failed', `${messageOf(cause)}\nto run it alone: ${command}`, { cause });
}

/** `name` is a pattern: give it none of the signs that patterns and shells read otherwise. */
function commandOf(file: string, name: string): string {
  assert(/^[\w ,]+$/.test(name), 'a name that is its own pattern');
  return `npm test -- ${file} -t "${name}"`;
}

async function inPeace<W extends { readonly kit: TestNode }, E>(run: CrashRun<W, E>) {
  const world = run.make();
  await run.run(world);
  const expected = JSON.stringify(run.end(world));
  const events = world.kit.events.filter(({ type }) => run.type === undefined || type === run.type);
  const points = events.flatMap(({ index }): CrashPoint[] => [
    { index, fault: 'lost' },
    { index, fault: 'reply_lost' },
  ]);
  await world.kit.crash();
  return { expected, points };
}

async function loseAt<W extends { readonly kit: TestNode }, E>(
  run: CrashRun<W, E>,
  point: CrashPoint,
  expected: string,
): Promise<void> {
  const world = run.make();
  const differs = (what: string, cause?: unknown): CodedError => {
    const where = `power lost ${crashPointName(point)} opened ${world.kit.lives} times`;
    const how =
      run.file === undefined
        ? `give crashAfter \`at: { index: ${point.index}, fault: '${point.fault}' }\``
        : commandOf(run.file, crashPointName(point));
    return new CodedError('test.differs', `${where}: ${what}\nto run it alone: ${how}`, { cause });
  };
  world.kit.crashAt(point);
  let found: string;
  try {
    await run.run(world);
    found = JSON.stringify(run.end(world));
  } catch (error) {
    throw differs(messageOf(error), error);
  }
  if (found !== expected) throw differs(`expected ${expected}, found ${found}`);
  if (world.kit.lives < 2) throw differs('the power was never lost');
  await world.kit.crash();
}
