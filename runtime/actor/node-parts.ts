/** What a node is made of, as whoever opens one gives it. */
import type { Did } from '../codec/did.ts';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { Action } from '../kernel/action.ts';
import type { Epochs, Gates } from '../kernel/gate.ts';
import type { Outcome } from '../kernel/outcome.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Contract } from './contract.ts';
import type { Grant } from './delegate-tool.ts';
import type { HostProfile, Hosts } from './hosts.ts';
import type { Pay, Remote } from './remote.ts';
import type { Supervise } from './supervision.ts';
import type { ProvidedTool } from './tool.ts';

export type NodeParts = {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  /** What its agents answer; the hosts must be able to run each. */
  readonly contracts: readonly Contract[];
  readonly hosts: Hosts;
  readonly tools?: readonly ProvidedTool[];
  /** Default: no policy, and so nothing is allowed. */
  readonly gates?: Gates;
  /** What withdraws authority: a permit of an earlier epoch is worthless. */
  readonly epochs?: () => Epochs;
  /** Under which identity an agent acts; default: the node's own. */
  readonly didOf?: (agent: string) => Did;
  /** In which ring an agent runs, and who answers for it; default: ring 3, and nobody. */
  readonly standingOf?: (agent: string) => Omit<HostProfile, 'contract'>;
  /** Gives a child a part of what its parent may do, on record before this resolves; default: nobody needs to be given. */
  readonly endow?: (parent: string, child: string, grant: Grant) => Promise<Outcome>;
  /** What accepting a message between two of its agents takes of the chain under which it was allowed: to be recorded in the
   *  same append, or why it cannot be. Asked in the tick that accepts it. Default: nothing. */
  readonly pay?: (action: Action, delegations: readonly string[]) => ReturnType<Pay>;
  /** How it reaches agents of other nodes; default: there are none. */
  readonly remote?: Remote;
  /** Told when an agent begins to live here, when it has ended for good, and then when nothing that it said is under way. */
  readonly onLife?: (agent: string, isAlive: boolean) => void;
  /** How agents without a parent are supervised. */
  readonly supervise?: Supervise;
  /** Default 2 minutes. */
  readonly idleMs?: number;
  /** How long a host may be silent while a turn owes something; default, and at most: the step time of
   *  its ring. */
  readonly silenceMs?: number;
};
