/** The port behind which agents' code runs. A host speaks the protocol, ends once, and may end at any moment. */

import type { Ring } from '../kernel/ring.ts';
import { Host } from './host.ts';
import type { Implementation } from './implement.ts';
import type { FromHost, ToHost } from './protocol.ts';
import { installStrictMode, outOfTurn } from './strict.ts';

export type HostExit = { readonly code: string; readonly message: string };

/** What a host's owner hears. After `exited` it hears nothing more. */
export type HostListener = {
  readonly heard: (message: FromHost) => void;
  readonly exited: (exit: HostExit) => void;
  /** Whether it has used more than its share of CPU: then what it is sent waits, and it owes nothing. */
  readonly held?: (isHeld: boolean) => void;
};

export interface HostProcess {
  /** One host from another, in this log's life. */
  readonly id: string;
  /** Says something; what is said to a host that has ended is lost. */
  send(message: ToHost): void;
  /** Ends it now; `exited` follows. */
  kill(exit: HostExit): void;
}

/** Who shares a process: agents of one implementation, in one ring, for whom one sponsor answers. So one agent's fault is
 *  never a stranger's, and a limit of a ring is a limit of its processes. */
export type HostProfile = { readonly contract: string; readonly ring: Ring; readonly sponsor: string };

export interface Hosts {
  start(profile: HostProfile, listener: HostListener): HostProcess;
}

type InlineOptions = {
  readonly strict?: boolean;
  /** As `Host` takes it. */
  readonly code?: string;
};

/** Hosts within this process, for tests: the same protocol, every message through JSON, no isolation at all. */
export function inlineHosts(implementations: readonly Implementation[], options: InlineOptions = {}): Hosts {
  if (options.strict ?? true) installStrictMode();
  let started = 0;
  return {
    start(_profile, listener) {
      let isOver = false;
      const said = (message: FromHost): void => {
        const copy = JSON.parse(JSON.stringify(message)) as FromHost;
        queueMicrotask(() => {
          if (!isOver) listener.heard(copy);
        });
      };
      const host = new Host(implementations, said, options.code);
      host.announce();
      return {
        id: `inline ${++started}`,
        send(message) {
          const copy = JSON.parse(JSON.stringify(message)) as ToHost;
          queueMicrotask(() => {
            if (!isOver) outOfTurn(() => host.receive(copy));
          });
        },
        kill(exit) {
          if (isOver) return;
          isOver = true;
          queueMicrotask(() => listener.exited(exit));
        },
      };
    },
  };
}
