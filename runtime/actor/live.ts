/** What a node keeps in memory of its agents: a little of everyone, more of those that have work. */

import type { Did } from '../codec/did.ts';
import type { JsonValue } from '../codec/json.ts';
import type { Cause, DigestText, EventId, RecordedDecision } from '../codec/record.ts';
import type { NotOk, Outcome } from '../kernel/outcome.ts';
import type { Accepted, AgentView, Started } from './agent-view.ts';
import type { Mailbox } from './mailbox.ts';
import type { AgentName } from './ref.ts';
import type { Pay } from './remote.ts';
import type { RunningTurn } from './running-turn.ts';
import type { ChildKind } from './supervision.ts';
import type { AgentPayload } from './vocabulary.ts';

/** What is known of every agent, put away or not. */
export type Known = {
  readonly agent: AgentName;
  contract: string;
  parent: string | null;
  kind: ChildKind;
  live: Live | undefined;
  isAlive: boolean;
};

/** An agent that has work, or had some lately. */
export type Live = {
  readonly known: Known;
  readonly view: AgentView;
  readonly mailbox: Mailbox;
  /** Waits of parked turns that have ended and not been told. */
  readonly due: Map<string, Due>;
  running: RunningTurn | undefined;
  isServing: boolean;
  /** It has asked to stop once its turn is over. */
  mustExit: boolean;
  /** Messages that have no place in its mailbox yet: their acceptance is on its way to the disk. */
  accepting: number;
  /** Messages in its mailbox whose acceptance is (N9). */
  ahead: number;
  /** The host that has its state. */
  hostId: string | undefined;
  /** A state that was kept is of no use to its code: all facts are folded until another is kept. */
  mustFold: boolean;
  /** The last event of its stream that a kept view has folded. */
  keptVersion: number;
  status: 'ready' | 'restarting' | 'stopping';
  activeMs: number;
  readonly sending: Set<string>;
};

/** The end of a wait, for the turn that waits. */
export type Due = { readonly wait: ParkedWait; readonly outcome: Outcome; readonly signal: string | null };
export type ParkedWait = { readonly ordinal: number; readonly name: string; readonly digest: string };

/** A message that wants to be accepted. */
export type Arriving = {
  readonly message: EventId;
  readonly kind: Accepted['kind'];
  readonly name: string;
  readonly body: JsonValue;
  readonly from: string | null;
  readonly chain: readonly string[];
  readonly deadline: number | null;
  readonly correlation: EventId;
  readonly cause?: Cause;
  /** For a message of another node: its sender, and the envelope that brought it. */
  readonly did?: Did;
  readonly envelope?: DigestText;
  /** What this node's gates say to it, asked in the tick that records the answer. */
  readonly govern?: () => Governed;
  /** What accepting it costs, asked after that, in the same tick. */
  readonly pay?: Pay;
};

/** A verdict for the record, or a refusal that is being recorded. */
export type Governed =
  | {
      readonly type: 'allowed';
      readonly record: { readonly decision?: RecordedDecision };
      readonly judged: AgentPayload<'message.accepted'>['judged'];
    }
  | { readonly type: 'refused'; readonly outcome: Promise<NotOk> };

/** An acceptance on disk. */
export type AcceptedAnswer = { readonly type: 'accepted'; readonly event: EventId };

export type SpawnData = Pick<Started, 'restart' | 'stop_within_ms' | 'supervise'>;

/** A message without a sender, a deadline or a history. */
export function arrivingOf(message: EventId, kind: Accepted['kind'], name: string, body: JsonValue): Arriving {
  return { message, kind, name, body, from: null, chain: [], deadline: null, correlation: message };
}

/** The agents of a node, by name. */
export class Roster {
  readonly #known = new Map<string, Known>();

  get(agent: string): Known | undefined {
    return this.#known.get(agent);
  }

  isAlive(agent: string): boolean {
    return this.#known.get(agent)?.isAlive === true;
  }

  get all(): Iterable<Known> {
    return this.#known.values();
  }

  register(agent: AgentName, { contract, parent, restart: kind }: Started): Known {
    const known: Known = { agent, contract, parent, kind, live: undefined, isAlive: true };
    this.#known.set(agent, known);
    return known;
  }

  /** In start order. */
  childrenOf(parent: string | null): readonly Known[] {
    return [...this.#known.values()].filter((known) => known.parent === parent && known.isAlive);
  }

  *awake(): Generator<Live> {
    for (const { live } of this.#known.values()) if (live !== undefined) yield live;
  }

  /** Agents known, and those in memory. */
  get census(): { readonly known: number; readonly awake: number; readonly running: number } {
    let [awake, running] = [0, 0];
    for (const live of this.awake()) {
      awake += 1;
      if (live.running !== undefined) running += 1;
    }
    return { known: this.#known.size, awake, running };
  }
  /** Messages that wait in all mailboxes, and when the oldest turn under way began, in monotonic milliseconds. */
  get load(): { readonly mailbox: number; readonly oldestTurnMs: number | undefined } {
    let mailbox = 0;
    let oldestTurnMs: number | undefined;
    for (const live of this.awake()) {
      mailbox += live.mailbox.length;
      const { startedMs = Number.POSITIVE_INFINITY } = live.running ?? {};
      if (startedMs < (oldestTurnMs ?? Number.POSITIVE_INFINITY)) oldestTurnMs = startedMs;
    }
    return { mailbox, oldestTurnMs };
  }
}
