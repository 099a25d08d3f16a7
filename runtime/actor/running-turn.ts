/** A turn under way, on the node's side: what it has asked of the kernel and not heard yet, and how it will end. */

import type { JsonValue } from '../codec/json.ts';
import type { Cause } from '../codec/record.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { Outcome } from '../kernel/outcome.ts';
import type { Accepted, TurnMemory } from './agent-view.ts';
import type { Call } from './call-chain.ts';
import type { Entry, Recorded, TurnDiverged, TurnDone, TurnFailed, TurnParked, TurnStale } from './protocol.ts';
import type { Said } from './segment-events.ts';

export type TurnEnd =
  | TurnDone
  | TurnParked
  | TurnFailed
  | TurnDiverged
  | TurnStale
  /** Its host has ended under it: whose fault that was nobody knows. */
  | { readonly type: 'lost'; readonly incident: string; readonly code: string; readonly message: string }
  /** It is to be taken again, here or in another host, when nothing of it is under way. */
  | { readonly type: 'interrupted' }
  /** The node has ended it: the agent stops. What it began may be in doubt. */
  | { readonly type: 'ended' };

/** What one turn may ask for. A turn entered again repeats all of them; more belong to several messages. */
export const OPERATIONS_PER_TURN_MAX = 1_000;

/** What one segment may hold: it is one append. */
export const ENTRIES_PER_SEGMENT_MAX = 200;

const FOREIGN = {
  type: 'failed',
  code: 'turn.foreign_message',
  message: 'expected messages of this turn, each once, found another',
} as const;

export class RunningTurn {
  readonly agent: string;
  readonly accepted: Accepted;
  readonly memory: TurnMemory | undefined;
  /** What was in doubt when it began: by operation, the last attempt's number. */
  readonly doubts: ReadonlyMap<number, number>;
  readonly at: number;
  /** The call that it answers; `undefined` where nobody waits. */
  readonly call: Call | undefined;
  readonly startedMs: number;
  readonly #end = Promise.withResolvers<TurnEnd>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #operations = new Set<Promise<void>>();
  #told: readonly Recorded[] = [];
  #forgotten = 0;
  readonly #abort = new AbortController();
  /** What the gates said of the messages that it is about to send, by message, and to which operation they said it. */
  readonly admitted = new Map<string, Said & { readonly digest: JsonValue | undefined }>();
  /** What its host was given to begin from: nothing, because it has the state; a state that was kept; or every fact. */
  given: 'nothing' | 'kept' | 'all' = 'all';
  operations: number;
  /** The acceptance of its message, as what it does names it; found out once. */
  cause: Cause | undefined;
  /** Whether it has asked that its agent stop. */
  leaves: boolean;
  /** When its host was last heard. */
  heardMs: number;
  /** Operations that it waits for: while there are any, the host owes nothing. */
  inFlight = 0;

  constructor(
    agent: string,
    accepted: Accepted,
    memory: TurnMemory | undefined,
    time: { readonly at: number; readonly monotonicMs: number },
  ) {
    this.agent = agent;
    this.accepted = accepted;
    this.memory = memory;
    this.doubts = new Map(memory?.doubts);
    this.at = time.at;
    this.operations = memory?.journal.length ?? 0;
    this.leaves = memory?.journal.some(({ name, outcome }) => isLeave(name, outcome, agent)) ?? false;
    this.startedMs = time.monotonicMs;
    this.heardMs = time.monotonicMs;
    const { deadline, chain } = accepted;
    this.call = deadline === null ? undefined : { chain, deadline: deadline as Call['deadline'] };
  }

  get id(): string {
    return this.accepted.message;
  }

  get ended(): Promise<TurnEnd> {
    return this.#end.promise;
  }

  /** What it came to is on record. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  close(): void {
    this.#closed.resolve();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  end(end: TurnEnd): void {
    this.#end.resolve(
      (end.type === 'done' || end.type === 'park') && !this.#isOwn(end) ? { ...FOREIGN, turn: this.id } : end,
    );
  }

  /**
   * Answers that it was given and that no event of their own records: a refusal that was only counted, a message that is
   * recorded with the segment. The turn's next record carries them, so that a turn entered again is told the same.
   */
  get told(): readonly Recorded[] {
    return this.#told;
  }

  /** How many answers it has been told so far, for `recorded`. */
  get toldSoFar(): number {
    return this.#forgotten + this.#told.length;
  }

  tell(answer: Recorded): void {
    this.#told = [...this.#told, answer];
  }

  /** It hears how an operation has ended. */
  heard(name: string, outcome: Outcome): void {
    this.leaves ||= isLeave(name, outcome, this.agent);
  }

  /** The first `count` answers have their place in the log. */
  recorded(count: number): void {
    const gone = Math.max(0, count - this.#forgotten);
    this.#told = this.#told.slice(gone);
    this.#forgotten += gone;
  }

  /** Ends the turn and leaves in doubt what it has begun. */
  abandon(): void {
    this.#abort.abort(new DOMException('the turn was ended', 'AbortError'));
    this.end({ type: 'ended' });
    this.close();
  }

  /** Keeps an operation in sight until it has settled. */
  track(operation: Promise<void>): void {
    this.inFlight += 1;
    this.#operations.add(operation);
    void operation.finally(() => {
      this.inFlight -= 1;
      this.#operations.delete(operation);
    });
  }

  /** Whether what it sends are messages of its own, each once: their ids name the turn, and one of its operations. */
  #isOwn({ segment: { entries }, ...end }: TurnDone | TurnParked): boolean {
    const sent = entries.filter((entry): entry is Entry & { readonly type: 'tell' } => entry.type === 'tell');
    const messages = new Set(sent.map(({ message }) => message));
    if (messages.size < sent.length || sent.some(({ message }) => this.memory?.sent.has(message))) return false;
    for (const message of this.admitted.keys()) messages.delete(message);
    const waits = (this.memory?.parked?.waits.length ?? 0) + (end.type === 'park' ? end.waits.length : 0);
    for (let n = 0; n < this.operations + waits && messages.size > 0; n++)
      messages.delete(eventIdOf(this.id, 'message', n));
    return messages.size === 0;
  }

  /** Until nothing that it began is under way: only then may it be entered again. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#operations);
  }
}

function isLeave(name: string, { type }: Outcome, agent: string): boolean {
  return type === 'ok' && name === `stop ${agent}`;
}
