/**
 * Hosts as child processes: the operating system stands between the authors' code and the log. The child has no log, no
 * tools and no keys; it is given a module to import and speaks the protocol over Node's IPC channel.
 *
 * K1. None of an author's code runs before the limits of its ring are in place.
 * K2. What a host says is data of a stranger: what is no message of the protocol ends the host, and nothing else.
 * K3. A host has one zone and one language, whatever the machine has: dates read the same in every re-entry.
 *
 * By Node's permissions a host starts no process and no thread, and writes no file; from Node 25 on it has no network.
 * They bind JavaScript only: whoever imports a native addon is past them, and a process may signal those of its user. What
 * is not here is another user and another network: the sandbox that wraps the command line, when there is one.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { systemClock } from '../core/system.ts';
import { RING_LIMITS, type Ring, type RingLimits } from '../kernel/ring.ts';
import { parseFromHost } from './from-host.ts';
import { heapFlags, type Isolation, type Limiter, type Limits, openLimiter } from './host-limits.ts';
import type { HostExit, HostListener, HostProcess, HostProfile, Hosts } from './hosts.ts';

/** Where an implementation can be imported from. */
export type AgentModule = { readonly module: string; readonly name: string };

export type ChildOptions = {
  /** Per contract. */
  readonly modules: { readonly [contract: string]: AgentModule };
  /** Flags for Node, after those of the ring. */
  readonly execArgv?: readonly string[];
  /** Where what the children print goes; default: nowhere. */
  readonly printed?: (contract: string, text: string) => void;
  /** What a host of a ring may use; default: `RING_LIMITS`. */
  readonly limitsOf?: (ring: Ring) => RingLimits;
  /** Directories of Linux control groups that this node was given to make groups in; default: none, and a watchdog. */
  readonly cgroups?: readonly string[];
  /** By which the watchdog looks; default: the real one. */
  readonly clock?: Clock;
};

export type ChildHosts = Hosts & {
  /** By what the limits are enforced, on this machine. */
  describeIsolation(): Isolation;
};

/** Bytes that a child may print between two messages before it counts as a flood. */
const PRINTED_BYTES_MAX = 1024 * 1024;

/** As source under Node's type stripping, as JavaScript in the published package. */
const HOST_MAIN = import.meta.url.endsWith('.ts') ? './host-main.ts' : './host-main.js';

const PERMISSIONS = [
  '--permission',
  '--allow-fs-read=*', // to import modules
  '--allow-addons', // the public module of this package loads one
  '--disable-warning=SecurityWarning',
];

const ENVIRONMENT = { TZ: 'UTC', LC_ALL: 'C' };

/** @throws `cgroup.unusable` */
export function childHosts(options: ChildOptions): ChildHosts {
  const { cgroups = [], clock = systemClock, limitsOf = (ring: Ring) => RING_LIMITS[ring] } = options;
  const limiter = openLimiter(cgroups, clock);
  let started = 0;
  return {
    describeIsolation: () => limiter.isolation,
    start({ contract, ring }: HostProfile, listener) {
      const agent = options.modules[contract];
      if (agent === undefined) return missing(contract, listener);
      const id = `${contract} ${++started}`;
      const limits = limitsOf(ring);
      const child = fork(new URL(HOST_MAIN, import.meta.url), [agent.module, agent.name], {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        execArgv: [...heapFlags(limits), ...PERMISSIONS, ...(options.execArgv ?? [])],
        env: ENVIRONMENT,
        serialization: 'json',
      });
      const host = new Child(id, child, listener, (text) => options.printed?.(contract, text));
      host.begin(limiter, limits);
      return host;
    },
  };
}

class Child implements HostProcess {
  readonly id: string;
  readonly #child: ChildProcess;
  readonly #listener: HostListener;
  #limits: Limits | undefined;
  #waiting: object[] | undefined;
  #reason: HostExit | undefined;
  #isOver = false;
  #printed = 0;
  #isOutOfHeap = false;

  constructor(id: string, child: ChildProcess, listener: HostListener, print: (text: string) => void) {
    this.id = `${id} pid ${child.pid ?? 'none'}`;
    this.#child = child;
    this.#listener = listener;
    child.on('message', (message) => this.#hear(message));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Uint8Array) => {
        this.#printed += chunk.length;
        const text = new TextDecoder().decode(chunk);
        this.#isOutOfHeap ||= text.includes('JavaScript heap out of memory');
        if (this.#printed <= PRINTED_BYTES_MAX) print(text);
        else this.kill({ code: 'host.flooded', message: `printed more than ${PRINTED_BYTES_MAX} bytes` });
      });
    }
    child.on('error', (error) => this.#end({ code: 'host.failed', message: error.message }));
    child.on('exit', (code, signal) => {
      if (signal === 'SIGABRT')
        child.once('close', () => this.#end(this.#exitOf(code, signal))); // first what it printed
      else this.#end(this.#exitOf(code, signal));
    });
  }

  /** K1: then it may import what it is to run. */
  begin(limiter: Limiter, limits: RingLimits): void {
    const { pid } = this.#child;
    if (pid === undefined) return; // the error says why
    try {
      this.#limits = limiter.limit(pid, limits, {
        hold: (isHeld) => this.#hold(isHeld),
        kill: (exit) => this.kill(exit),
      });
    } catch (error) {
      this.kill({ code: 'host.failed', message: `could not be limited: ${messageOf(error)}` });
      return;
    }
    this.#transmit({ type: 'begin' });
  }

  send(message: object): void {
    if (this.#waiting === undefined) this.#transmit(message);
    else this.#waiting.push(message);
  }

  kill(exit: HostExit): void {
    this.#reason ??= exit;
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) this.#child.kill('SIGKILL');
    else this.#end(exit);
  }

  #transmit(message: object): void {
    if (!this.#isOver && this.#child.connected) this.#child.send(message, () => undefined); // an exit says what it means
  }

  /** What is sent to a host beyond its share waits, until it has earned it. */
  #hold(isHeld: boolean): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = isHeld ? waiting : undefined;
    if (!isHeld) for (const message of waiting) this.#transmit(message);
    if (!this.#isOver) this.#listener.held?.(isHeld);
  }

  /** K2. */
  #hear(message: unknown): void {
    if (this.#isOver) return;
    const parsed = parseFromHost(message);
    if (parsed.ok) {
      this.#printed = 0;
      this.#listener.heard(parsed.value);
    } else this.kill(parsed.error);
  }

  #exitOf(code: number | null, signal: NodeJS.Signals | null): HostExit {
    if (this.#isOutOfHeap && signal === 'SIGABRT') {
      return { code: 'host.memory_exceeded', message: "V8's heap was full" };
    }
    const otherwise = { code: 'host.exited', message: `ended by itself with ${signal ?? `code ${code}`}` };
    return this.#limits?.exitOf(signal) ?? otherwise;
  }

  #end(exit: HostExit): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#limits?.[Symbol.dispose]();
    this.#listener.exited(this.#reason ?? exit);
  }
}

function missing(contract: string, listener: HostListener): HostProcess {
  const message = `expected a module that implements ${contract}, found none`;
  queueMicrotask(() => listener.exited({ code: 'host.failed', message }));
  return { id: `${contract} none`, send: () => undefined, kill: () => undefined };
}
