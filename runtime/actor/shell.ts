/**
 * The parts of a node as they see one another. Each is a class in a file of its own; whatever two of them need of each
 * other stands here, and nowhere else.
 */

import type { Kernel } from '../kernel/kernel.ts';
import type { NotOk, Outcome } from '../kernel/outcome.ts';
import type { Write } from '../log/event-log.ts';
import type { AgentView } from './agent-view.ts';
import type { Alarms } from './alarms.ts';
import type { Background } from './background.ts';
import type { Contract } from './contract.ts';
import type { HostPool } from './host-pool.ts';
import type { AcceptedAnswer, Arriving, Due, Known, Live, ParkedWait, Roster, SpawnData } from './live.ts';
import type { NodeParts } from './node-parts.ts';
import type { Operation } from './protocol.ts';
import type { Records } from './records.ts';
import type { AgentName } from './ref.ts';
import type { RunningTurn } from './running-turn.ts';
import type { Said } from './segment-events.ts';
import type { Exit } from './supervision.ts';

/** Accepting messages, and answering whoever waits (N1, N5). */
export interface Inbox {
  /** Resolves once it is on disk, together with `also`; or says why not. */
  accept(to: string, arriving: Arriving, also?: readonly Write[]): Promise<AcceptedAnswer | NotOk>;
  /** Sends a message and waits for what comes back. The wait itself has no bound: its caller's has. */
  request(to: string, arriving: Arriving): Promise<Outcome>;
  answer(message: string, outcome: Outcome): void;
}

/** What an agent's commits leave to be sent (N6). */
export interface Outbox {
  sendAll(live: Live): void;
}

/** Taking turns (N2, N3, N4). */
export interface Turns {
  kick(live: Live): void;
  /** A turn's wait has ended. */
  wake(live: Live, turn: string, due: Due): void;
  /** Gives a parked turn the first event from outside that it waits for. */
  takeSignal(live: Live, turn: string): void;
  /** An unfinished turn is the next to be taken. */
  putBack(live: Live, turn: RunningTurn): void;
  /** Ends the attempt under way, and takes the turn again: in another host, or when the agent goes on. */
  interrupt(live: Live): void;
}

/** Beginnings and ends of agents, and who hears of them. */
export interface Lives {
  spawn(parent: string | null, agent: AgentName, contract: string, options: SpawnData): Promise<Outcome>;
  /** Ends an agent for good, its children before it. */
  stop(agent: string, message: string): Promise<void>;
  /** At the start: what was left to do for agents that ended before. */
  finish(ended: readonly { readonly known: Known; readonly view: AgentView }[]): void;
  /** Nobody will answer a message that an agent accepted before it ended. */
  endMessage(agent: string, message: string): Promise<void>;
  /** One agent asks for the end of another, or for its own. */
  performStop(by: string, agent: string): Promise<Outcome>;
  /** An instance has ended by itself: its supervisor decides. */
  exit(live: Live, exit: Exit): Promise<void>;
  restart(agents: readonly string[], delayMs: number): void;
  watch(watched: string, watcher: string, name: string): void;
  /** Tells the watchers of an agent that is not there any more. */
  notifyEnded(agent: string): void;
}

/** Bringing agents into memory, and putting them away (N7). */
export interface Waking {
  awaken(known: Known, folded?: AgentView): Live;
}

/** What turns ask for, as actions of the kernel. */
export interface Effects {
  begin(turn: RunningTurn, ordinal: number, operation: Operation): void;
  /** The verdict on a message that a segment leaves, as the record holds it. */
  decide(turn: RunningTurn, message: string, operation: Operation): Said;
  /** What may be seen of the turn's reply. */
  review(turn: RunningTurn, reply: Outcome): Outcome;
}

/** Timers and the ends of waits, when their time has come. */
export type TimerValue =
  | { readonly type: 'timer'; readonly agent: string; readonly timer: string }
  | {
      readonly type: 'wait';
      readonly agent: string;
      readonly turn: string;
      readonly wait: ParkedWait;
      readonly event: string | null;
    };

export type Shell = {
  readonly parts: NodeParts;
  readonly contracts: ReadonlyMap<string, Contract>;
  readonly background: Background;
  readonly records: Records;
  readonly roster: Roster;
  readonly alarms: Alarms<TimerValue>;
  readonly pool: HostPool;
  readonly kernel: Kernel;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly turns: Turns;
  readonly lives: Lives;
  readonly waking: Waking;
  readonly effects: Effects;
};
