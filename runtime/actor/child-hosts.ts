/**
 * Hosts as child processes: the operating system stands between the authors' code and the log. The child has no log, no
 * tools and no keys; it is given a module to import and speaks the protocol over Node's IPC channel.
 *
 * What is not here: another user, another network, limits of memory and CPU. They belong to the sandbox that wraps the
 * command line, when there is one.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { HostExit, HostListener, HostProcess, HostProfile, Hosts } from './hosts.ts';
import type { FromHost } from './protocol.ts';

/** Where an implementation can be imported from. */
export type AgentModule = { readonly module: string; readonly name: string };

export type ChildOptions = {
  /** Per contract. */
  readonly modules: { readonly [contract: string]: AgentModule };
  /** Flags for Node, such as `--max-old-space-size=128`. */
  readonly execArgv?: readonly string[];
  /** Where what the children print goes; default: nowhere. */
  readonly printed?: (contract: string, text: string) => void;
};

/** Bytes that a child may print between two messages before it counts as a flood. */
const PRINTED_BYTES_MAX = 1024 * 1024;

/** As source under Node's type stripping, as JavaScript in the published package. */
const HOST_MAIN = import.meta.url.endsWith('.ts') ? './host-main.ts' : './host-main.js';

export function childHosts(options: ChildOptions): Hosts {
  let started = 0;
  return {
    start({ contract }: HostProfile, listener) {
      const agent = options.modules[contract];
      if (agent === undefined) return missing(contract, listener);
      const id = `${contract} ${++started}`;
      const child = fork(new URL(HOST_MAIN, import.meta.url), [agent.module, agent.name], {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        execArgv: [...(options.execArgv ?? [])],
        env: {},
        serialization: 'json',
      });
      return new Child(id, child, listener, (text) => options.printed?.(contract, text));
    },
  };
}

class Child implements HostProcess {
  readonly id: string;
  readonly #child: ChildProcess;
  readonly #listener: HostListener;
  #reason: HostExit | undefined;
  #isOver = false;
  #printed = 0;

  constructor(id: string, child: ChildProcess, listener: HostListener, print: (text: string) => void) {
    this.id = `${id} pid ${child.pid ?? 'none'}`;
    this.#child = child;
    this.#listener = listener;
    child.on('message', (message) => {
      this.#printed = 0;
      if (!this.#isOver) listener.heard(message as FromHost);
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Uint8Array) => {
        this.#printed += chunk.length;
        if (this.#printed <= PRINTED_BYTES_MAX) print(new TextDecoder().decode(chunk));
        else this.kill({ code: 'host.flooded', message: `printed more than ${PRINTED_BYTES_MAX} bytes` });
      });
    }
    child.on('error', (error) => this.#end({ code: 'host.failed', message: error.message }));
    child.on('exit', (code, signal) =>
      this.#end({ code: 'host.exited', message: `ended by itself with ${signal ?? `code ${code}`}` }),
    );
  }

  send(message: object): void {
    if (!this.#isOver && this.#child.connected) this.#child.send(message, () => undefined); // an exit says what it means
  }

  kill(exit: HostExit): void {
    this.#reason ??= exit;
    this.#child.kill('SIGKILL');
  }

  #end(exit: HostExit): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.exited(this.#reason ?? exit);
  }
}

function missing(contract: string, listener: HostListener): HostProcess {
  const message = `expected a module that implements ${contract}, found none`;
  queueMicrotask(() => listener.exited({ code: 'host.failed', message }));
  return { id: `${contract} none`, send: () => undefined, kill: () => undefined };
}
