/**
 * The other processes of an audit of several nodes: their keys, their broker, and whoever starts them again.
 *
 * F1. A process that ends before it was asked to is started again, over its log, after a pause that doubles. After
 *     RESTARTS_MAX in one run the audit goes on without it.
 * F2. When the first process ends, in whatever way, the others do.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { brokerOperators, brokerUsers, findBroker, type RealmNode, spawnBroker } from 'ringmesh';
import type { Clock } from 'ringmesh/runtime';
import type { AuditOptions } from './options.ts';
import { FIRST, realmOf, shareOf } from './realm.ts';

const RESTARTS_MAX = 5;
const RESTART_MS = 500;
const STOP_MS_MAX = 20_000;

/** What a node's process is told. */
export type NodeTask = {
  readonly name: string;
  readonly realm: string;
  readonly servers: readonly string[];
  readonly log: string;
  readonly anchors: string;
  readonly lock: string;
  readonly policy: string;
  readonly researchers: readonly string[];
  /** Its share of the registry's patience. */
  readonly perSecond: number;
};

export type FleetParts = {
  readonly options: AuditOptions;
  readonly first: RealmNode;
  readonly policy: string;
  readonly perSecond: number;
  readonly clock: Clock;
  readonly environment: { readonly [name: string]: string | undefined };
  /** What the processes print. */
  readonly printed: (text: string) => void;
};

export class Fleet implements AsyncDisposable {
  readonly first: RealmNode;
  readonly servers: readonly string[];
  /** Researchers on other nodes, by name. */
  readonly elsewhere: readonly string[];
  /** The logs of the other nodes. */
  readonly logs: readonly string[];
  readonly #parts: FleetParts;
  readonly #tasks: readonly NodeTask[];
  readonly #broker: AsyncDisposable | undefined;
  readonly #running = new Map<string, ChildProcess>();
  readonly #ends: Promise<void>[] = [];
  #isStopping = false;

  private constructor(parts: FleetParts, first: RealmNode, servers: readonly string[], broker?: AsyncDisposable) {
    const { options, perSecond, policy } = parts;
    this.#parts = parts;
    this.first = first;
    this.servers = servers;
    this.#broker = broker;
    const others = first.roster.nodes.filter(({ name }) => name !== FIRST).slice(0, options.nodes - 1);
    const { anchors, lock } = options;
    this.#tasks = others.map(({ name }, n) => ({
      name,
      ...{ realm: realmOf(options), servers, log: `${options.log}-${name}`, anchors, lock, policy },
      researchers: shareOf(n, options),
      perSecond: Math.max(1, Math.floor(perSecond / others.length)),
    }));
    this.elsewhere = this.#tasks.flatMap(({ researchers }) => researchers);
    this.logs = this.#tasks.map(({ log }) => log);
  }

  /** @throws {CodedError} `broker.*` · `realm.*` · `key.*` */
  static async open(parts: FleetParts, signal: AbortSignal): Promise<Fleet> {
    const { options, clock, environment, first } = parts;
    const { roster } = first;
    if (options.broker !== undefined) return new Fleet(parts, first, [options.broker]);
    const binary = await findBroker(environment['PATH']);
    const users = brokerUsers(roster);
    const operators = brokerOperators(roster);
    const broker = await spawnBroker({ binary, realm: roster.realm, users, operators }, clock, signal);
    return new Fleet(parts, first, [broker.url], broker);
  }

  /** Starts the processes; they are ready when their researchers can be heard. */
  start(): void {
    for (const task of this.#tasks) this.#ends.push(this.#keep(task));
  }

  /** Processes, by node: `undefined` while one is away. */
  pidOf(node: string): number | undefined {
    return this.#running.get(node)?.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    for (const child of this.#running.values()) child.kill('SIGTERM');
    using _ = this.#parts.clock.after(STOP_MS_MAX, () => {
      for (const child of this.#running.values()) child.kill('SIGKILL');
    });
    await Promise.all(this.#ends);
    await this.#broker?.[Symbol.asyncDispose]();
  }

  async #keep(task: NodeTask): Promise<void> {
    for (let restarts = 0; !this.#isStopping && restarts <= RESTARTS_MAX; restarts += 1) {
      const how = await this.#run(task);
      if (this.#isStopping) return;
      this.#parts.printed(`${task.name} ended with ${how}; starting it again\n`); // F1
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#parts.clock.after(RESTART_MS * 2 ** restarts, resolve);
      await promise;
    }
  }

  async #run(task: NodeTask): Promise<string> {
    const child = fork(new URL('./audit-node.ts', import.meta.url), [JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#running.set(task.name, child);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Uint8Array) => this.#parts.printed(new TextDecoder().decode(chunk)));
    }
    const { promise, resolve } = Promise.withResolvers<string>();
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, by) => resolve(String(by ?? code)));
    const how = await promise;
    this.#running.delete(task.name);
    return how;
  }
}
