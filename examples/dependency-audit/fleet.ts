/**
 * The other processes of an audit of several nodes: `ringmesh up swarm.yaml --only researcher`, and whoever starts them again.
 *
 * F1. A process that ends before it was asked to is started again, over its log, after a pause that doubles. After
 *     RESTARTS_MAX in one run the audit goes on without it.
 * F2. When the first process ends, in whatever way, the others do.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Swarm } from 'ringmesh';
import type { Clock } from 'ringmesh/runtime';
import { type Patience, realmOf, SWARM_FILE, settingsOf } from './audit-swarm.ts';
import type { AuditOptions } from './options.ts';
import { REGISTRY_LIMITS } from './registry.ts';

const RESTARTS_MAX = 5;
const RESTART_MS = 500;
const STOP_MS_MAX = 20_000;

/** `ringmesh`, of this clone. */
const COMMAND = fileURLToPath(new URL('../../swarm/cli/main.ts', import.meta.url));

type FleetPorts = {
  readonly clock: Clock;
  /** What the processes print. */
  readonly printed: (node: string, text: string) => void;
  readonly patience?: Patience;
};

/** A replica: its log is a folder of its name. */
type Node = { readonly name: string; readonly args: readonly string[] };

export class Fleet {
  /** The logs of the other nodes. */
  readonly logs: readonly string[];
  readonly #ports: FleetPorts;
  readonly #nodes: readonly Node[];
  readonly #running = new Map<string, ChildProcess>();
  readonly #ends: Promise<void>[] = [];
  #isStopping = false;

  constructor({ servers: [broker = ''] }: Swarm, options: AuditOptions, ports: FleetPorts) {
    this.#ports = ports;
    const { rate = REGISTRY_LIMITS.perSecond } = ports.patience ?? {};
    const patience = { ...ports.patience, rate: Math.max(1, Math.floor(rate / (options.nodes - 1))) };
    const logs = `${options.log}-nodes`;
    const common = ['--broker', broker, '--keys', realmOf(options), '--log', logs, '--anchor', options.anchors];
    const told = ['--set', ...settingsOf(options, patience)];
    const names = Array.from({ length: options.nodes - 1 }, (_, n) => `researcher-${n + 1}`);
    this.#nodes = names.map((name) => ({ name, args: ['up', SWARM_FILE, '--only', name, ...common, ...told] }));
    this.logs = names.map((name) => join(logs, name));
  }

  /** Starts the processes; they are ready when their researchers answer. */
  start(): void {
    for (const node of this.#nodes) this.#ends.push(this.#keep(node));
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const child of this.#running.values()) child.kill('SIGTERM');
    using _ = this.#ports.clock.after(STOP_MS_MAX, () => {
      for (const child of this.#running.values()) child.kill('SIGKILL');
    });
    await Promise.all(this.#ends);
  }

  async #keep(node: Node): Promise<void> {
    for (let restarts = 0; !this.#isStopping && restarts <= RESTARTS_MAX; restarts += 1) {
      const how = await this.#run(node);
      if (this.#isStopping) return;
      this.#print(node, `ended with ${how}; starting it again\n`); // F1
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#ports.clock.after(RESTART_MS * 2 ** restarts, resolve);
      await promise;
    }
  }

  async #run(node: Node): Promise<string> {
    const { name, args } = node;
    // A channel, so that it ends when this process does (F2).
    const child = fork(COMMAND, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#running.set(name, child);
    child.stderr?.on('data', (chunk: Uint8Array) => this.#print(node, new TextDecoder().decode(chunk)));
    const { promise, resolve } = Promise.withResolvers<string>();
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, by) => resolve(String(by ?? code)));
    const how = await promise;
    this.#running.delete(name);
    return how;
  }

  /** What is no step that went as it should. */
  #print({ name }: Node, text: string): void {
    for (const line of text.split('\n')) {
      if (line !== '' && !STEP.test(line)) this.#ports.printed(name, `${line}\n`);
    }
  }
}

const STEP = /^(started|stopped|ready|answer)\b/;
