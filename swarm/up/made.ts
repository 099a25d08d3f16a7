/** What the steps of a swarm are given, and what they have made so far. */
import type { childHosts } from '../../runtime/actor/child-hosts.ts';
import type { AgentNode } from '../../runtime/actor/node.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import type { Random } from '../../runtime/core/random.ts';
import type { ProcessIdentity } from '../../runtime/core/system.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import type { Configuration } from '../file/configuration.ts';
import type { SwarmFile } from '../file/swarm-file.ts';
import type { Governance } from '../governance.ts';
import type { RealmNode } from '../realm/realm-folder.ts';
import type { Given } from './given.ts';
import type { Loaded } from './load.ts';
import type { StepNews } from './sequence.ts';

export type StepName = 'read' | 'identity' | 'log' | 'fold' | 'policy' | 'broker' | 'hosts' | 'agents';

/** What a swarm is given of the world. */
export type SwarmPorts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: ProcessIdentity;
  /** Where a `nats-server` is looked for: the PATH variable. */
  readonly searchPath: string | undefined;
  /** Flags for Node in the hosts: how this process finds modules is how its children do. */
  readonly execArgv: readonly string[];
  readonly onStep: (news: StepNews<StepName>) => void;
  /** Where agents' code runs; default: child processes. */
  readonly startHosts?: typeof childHosts;
  /** What agents' code prints. */
  readonly printed: (contract: string, text: string) => void;
  /** What goes wrong beside the swarm and ends nothing of it; default: nobody is told. */
  readonly trouble?: (text: string) => void;
};

/** Directories. */
export type Place = { readonly log: string; readonly anchors: string };

/** What the steps have made so far. */
export type Made = {
  loaded?: Loaded;
  log?: EventLog;
  begunAt?: number;
  realm?: RealmNode;
  /** Held: no process is left that had the node before. */
  claim?: Disposable;
  place?: Place;
  authority?: NodeAuthority;
  given?: Given;
  governance?: Governance;
  servers?: readonly string[];
  hosts?: ReturnType<typeof childHosts>;
  node?: RunningNode;
};

export type RunningNode = {
  readonly agents: AgentNode;
  readonly ended: Promise<never>;
  readonly drain: (ms: number) => Promise<void>;
};

export type Opening = { readonly swarm: SwarmFile; readonly ports: SwarmPorts; readonly signal: AbortSignal };

/** Where the log goes: as configured, unless a step has found another place. */
export function placeOf({ place }: Made, { log, anchors }: Pick<Configuration, 'log' | 'anchors'>): Place {
  return place ?? { log: log.value, anchors: anchors.value };
}

/** Made by an earlier step. */
export function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('expected the steps in their order');
  return value;
}
