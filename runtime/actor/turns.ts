/**
 * Taking turns: one at a time per agent, again after a failure, each segment committed in one append (N2, N3, N4).
 */
import { eventIdOf } from '../kernel/event-id.ts';
import type { Outcome } from '../kernel/outcome.ts';
import { emittedBy } from './agent-stream.ts';
import { type Accepted, isParked } from './agent-view.ts';
import type { Due, Live } from './live.ts';
import { laneOf, waitingOf } from './mailbox.ts';
import type { Entry, History, TurnDone, TurnParked, Wait } from './protocol.ts';
import { ENTRIES_PER_SEGMENT_MAX, RunningTurn, type TurnEnd } from './running-turn.ts';
import { eventsOf, type NewAgentEvent } from './segment-events.ts';
import type { Shell, Turns } from './shell.ts';
import { keepState, keptState } from './snapshots.ts';
import type { Exit } from './supervision.ts';
import { armWaits } from './timers.ts';

/** Failures of one turn before its message becomes a dead letter. */
const ATTEMPTS_MAX = 3;

const NEEDS_MORE = { code: 'host.stale', message: 'expected a turn from a host that was given every fact' };

const TOO_MANY_ENTRIES = {
  code: 'turn.too_many_entries',
  message: `expected at most ${ENTRIES_PER_SEGMENT_MAX} facts, messages and timers in one segment`,
};

export class NodeTurns implements Turns {
  readonly #shell: Shell;
  readonly #serving = new Set<Promise<void>>();

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** Agents that are being served. */
  get serving(): Iterable<Promise<void>> {
    return this.#serving;
  }

  kick(live: Live): void {
    if (live.isServing || !this.#mayServe(live)) return;
    live.isServing = true;
    const serving = this.#serve(live).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
    this.#shell.background.track(serving);
  }

  wake(live: Live, turn: string, due: Due): void {
    live.due.set(turn, due);
    live.mailbox.wake(turn);
    this.kick(live);
  }

  takeSignal(live: Live, turn: string): void {
    const memory = live.view.turns.get(turn);
    if (memory === undefined || !isParked(memory) || live.due.has(turn)) return;
    for (const wait of memory.parked?.waits ?? []) {
      if (wait.event === null) continue;
      for (const signal of live.view.signals.values()) {
        const isTaken = [...live.due.values()].some((due) => due.signal === signal.message);
        if (signal.name !== wait.event || isTaken) continue;
        live.due.set(turn, { wait, outcome: { type: 'ok', value: signal.body }, signal: signal.message });
        live.mailbox.wake(turn);
        return;
      }
    }
  }

  putBack(live: Live, turn: RunningTurn): void {
    this.#putBack(live, turn.accepted);
  }

  #putBack(live: Live, accepted: Accepted): void {
    if (live.mailbox.isParked(accepted.message)) live.mailbox.wake(accepted.message);
    else live.mailbox.putBack(waitingOf(accepted, this.#shell.contracts.get(live.known.contract)));
  }

  /** What became of the turn is on record: whoever waits to end the agent may. */
  #close(live: Live, turn: RunningTurn): void {
    live.running = undefined;
    turn.close();
  }

  interrupt(live: Live): void {
    const { running } = live;
    if (running === undefined) return;
    this.#shell.pool.drop(running);
    running.end({ type: 'interrupted' });
  }

  #mayServe(live: Live): boolean {
    return live.status === 'ready' && !live.view.isSuspended && this.#shell.background.isOpen;
  }

  async #serve(live: Live): Promise<void> {
    const { clock } = this.#shell.parts;
    try {
      while (this.#mayServe(live)) {
        const next = live.mailbox.next();
        if (next === undefined) break;
        const started = clock.monotonicMs();
        const id = next.type === 'message' ? next.message : next.turn;
        const isOver = await this.#take(live, id);
        if (isOver) live.mailbox.finish(id, clock.monotonicMs() - started);
        live.activeMs = clock.monotonicMs();
        if (live.mustExit || live.view.isLeaving) await this.#shell.lives.exit(live, { type: 'normal' });
      }
    } finally {
      live.isServing = false;
    }
    if (live.mailbox.length > 0 && live.mailbox.parked === 0) this.kick(live);
  }

  /** Takes a turn, again and again if it fails (N4). Whether the message is done with, for now or for good. */
  async #take(live: Live, id: string): Promise<boolean> {
    const { clock } = this.#shell.parts;
    for (;;) {
      const accepted = live.view.inbox.get(id);
      if (accepted === undefined) return true;
      if (accepted.deadline !== null && accepted.deadline <= clock.now() && !live.view.turns.has(id)) {
        await this.#deadLetter(live, accepted, 'ask.expired', 'nobody waits for it any more');
        return true;
      }
      await this.#wake(live, id);
      if (!this.#mayServe(live)) {
        this.#putBack(live, accepted); // stopped or suspended meanwhile
        return false;
      }
      const turn = this.#enter(live, accepted);
      live.running = turn;
      const end = await turn.ended;
      if (end.type !== 'ended') await turn.settled();
      const isOver = await this.#end(live, turn, turn.signal.aborted ? { type: 'ended' } : end);
      this.#close(live, turn);
      if (isOver !== undefined) return isOver;
    }
  }

  /** Records what a parked turn waited for, in the moment in which it goes on. */
  async #wake(live: Live, id: string): Promise<void> {
    const due = live.due.get(id);
    if (due === undefined) return;
    live.due.delete(id);
    const { wait, outcome, signal } = due;
    const { ordinal, name, digest } = wait;
    const at = this.#shell.parts.clock.now();
    const payload = { turn: id, at, ordinal, name, digest, outcome, emitted: live.view.emitted, signal };
    await this.#shell.records.add(live, [{ type: 'turn.woken', payload }]);
  }

  #enter(live: Live, accepted: Accepted): RunningTurn {
    const { parts, pool, records } = this.#shell;
    const { known, view } = live;
    const memory = view.turns.get(accepted.message);
    const at = memory?.at ?? parts.clock.now();
    const turn = new RunningTurn(known.agent, accepted, memory, { at, monotonicMs: parts.clock.monotonicMs() });
    const hosted = pool.hostOf(known.agent, known.contract);
    const hostId = hosted.process.id;
    const isFresh = memory?.parked === undefined && live.hostId === hostId;
    if (live.hostId !== hostId) pool.evict(live.hostId, known.agent);
    live.hostId = memory?.parked === undefined ? hostId : undefined;
    const { from, chain } = accepted;
    const start = memory?.parked?.start ?? view.emitted;
    const history = isFresh ? undefined : this.#historyOf(live, start);
    turn.given = history === undefined ? 'nothing' : history.base === undefined ? 'all' : 'kept';
    pool.enter(hosted, turn, {
      type: 'enter',
      turn: turn.id,
      agent: known.agent,
      contract: known.contract,
      message: accepted.name,
      body: accepted.body,
      caller: { did: accepted.did ?? records.didOf(from), agent: from, chain },
      at,
      start,
      ...(history === undefined ? {} : { history }),
      journal: memory?.journal ?? [],
      committed: memory?.committed ?? null,
    });
    return turn;
  }

  /** What its state is folded from: as little as is known to do. */
  #historyOf(live: Live, start: number): History {
    const { log } = this.#shell.parts;
    const { agent } = live.known;
    const kept = live.mustFold ? undefined : keptState(log, agent, start);
    if (kept === undefined) return { facts: emittedBy(log, agent) };
    const { version, ...base } = kept;
    return { base, facts: emittedBy(log, agent, { after: version }) };
  }

  /** What follows from the end of an attempt: whether the message is done with, or `undefined` to try again. */
  async #end(live: Live, turn: RunningTurn, end: TurnEnd): Promise<boolean | undefined> {
    const { inbox, lives, records } = this.#shell;
    switch (end.type) {
      case 'done':
        if (end.segment.entries.length > ENTRIES_PER_SEGMENT_MAX) return this.#failed(live, turn, TOO_MANY_ENTRIES);
        return this.#commit(live, turn, end);
      case 'park':
        if (end.segment.entries.length > ENTRIES_PER_SEGMENT_MAX) return this.#failed(live, turn, TOO_MANY_ENTRIES);
        return this.#park(live, turn, end);
      case 'failed':
        return this.#failed(live, turn, end);
      case 'diverged': {
        const { expected, found } = end;
        await records.add(live, [{ type: 'turn.stuck', payload: { turn: turn.id, expected, found } }]);
        live.mailbox.park(turn.id, laneOf(turn.accepted, this.#shell.contracts.get(live.known.contract)));
        inbox.answer(turn.id, { type: 'failed', code: 'turn.stuck', message: `expected ${expected}, found ${found}` });
        return false;
      }
      case 'lost': {
        const isOver = await this.#failed(live, turn, end);
        if (isOver === undefined) this.putBack(live, turn);
        this.#close(live, turn);
        const exit: Exit = { type: 'abnormal', why: end.message, incident: end.incident };
        await lives.exit(live, exit);
        return isOver ?? false;
      }
      case 'stale':
        live.hostId = undefined;
        live.mustFold ||= turn.given === 'kept';
        return turn.given === 'all' ? this.#failed(live, turn, NEEDS_MORE) : undefined;
      case 'interrupted':
        live.hostId = undefined;
        await records.flushed(); // what it was told, and has to be told again
        records.catchUp(live);
        if (this.#mayServe(live)) return undefined;
        this.putBack(live, turn);
        return false;
      case 'ended':
        return false;
    }
  }

  /** N3, the last segment. */
  async #commit(live: Live, turn: RunningTurn, end: TurnDone): Promise<boolean> {
    const { inbox, parts, records } = this.#shell;
    const { accepted, id } = turn;
    const entries = this.#eventsOf(turn, end.segment.entries);
    const late = accepted.deadline !== null && accepted.deadline < parts.clock.now();
    const emitted = end.segment.entries.filter(({ type }) => type === 'emit').length;
    const committed = eventIdOf('committed', live.known.agent, id);
    const shown = this.#shell.effects.review(turn, end.reply);
    const reply: Outcome = { event: committed, ...shown };
    const payload = { emitted, late, reply, state: end.state, turn: id };
    const leaves: readonly NewAgentEvent[] = turn.leaves ? [{ type: 'agent.leaving', payload: {} }] : [];
    const mark: NewAgentEvent = { id: committed, type: 'turn.committed', payload };
    const version = await records.add(live, [...entries, mark, ...leaves], accepted);
    inbox.answer(id, reply);
    if (end.kept?.emitted === live.view.emitted) {
      keepState(parts.log, live.known.agent, { ...end.kept, version });
      live.mustFold = false;
    }
    this.#afterSegment(live, end.segment.entries);
    return true;
  }

  /** N3, a segment that is not the last. */
  async #park(live: Live, turn: RunningTurn, end: TurnParked): Promise<boolean> {
    const { id, accepted, memory, at } = turn;
    const now = this.#shell.parts.clock.now();
    const before = new Map(memory?.parked?.waits.map((wait) => [wait.ordinal, wait.until]));
    const until = ({ ordinal, withinMs }: Wait): number | null =>
      before.has(ordinal) ? (before.get(ordinal) ?? null) : withinMs === null ? null : now + withinMs;
    const waits = end.waits.map((wait) => {
      const { ordinal, name, digest, event } = wait;
      return { ordinal, name, digest, event, until: until(wait) };
    });
    const start = memory?.parked?.start ?? live.view.emitted;
    const { total, digest, entries } = end.segment;
    const payload = { turn: id, at, start, entries: total, digest, waits, told: [...turn.told] };
    const events: NewAgentEvent[] = [...this.#eventsOf(turn, entries), { type: 'turn.parked', payload }];
    await this.#shell.records.add(live, events, accepted);
    const lane = laneOf(accepted, this.#shell.contracts.get(live.known.contract));
    if (!live.mailbox.isParked(id)) live.mailbox.park(id, lane);
    armWaits(this.#shell.alarms, live.known.agent, id, waits);
    this.takeSignal(live, id);
    this.#afterSegment(live, entries);
    return false;
  }

  async #failed(
    live: Live,
    turn: RunningTurn,
    { code, message }: { code: string; message: string },
  ): Promise<true | undefined> {
    const attempt = (live.view.turns.get(turn.id)?.attempts ?? 0) + 1;
    const payload = { turn: turn.id, attempt, code, message };
    await this.#shell.records.add(live, [{ type: 'turn.failed', payload }], turn.accepted);
    if (attempt < ATTEMPTS_MAX || live.status !== 'ready') return undefined; // whoever ends an agent ends its messages
    await this.#deadLetter(live, turn.accepted, code, message);
    return true;
  }

  async #deadLetter(live: Live, accepted: Accepted, code: string, detail: string): Promise<void> {
    const attempts = live.view.turns.get(accepted.message)?.attempts ?? 0;
    const id = eventIdOf('dead', live.known.agent, accepted.message);
    const payload = { message: accepted.message, code, detail, attempts };
    await this.#shell.records.add(live, [{ id, type: 'message.dead_lettered', payload }], accepted);
    this.#shell.inbox.answer(accepted.message, { type: 'failed', code, message: detail, event: id });
  }

  #eventsOf(turn: RunningTurn, entries: readonly Entry[]): readonly NewAgentEvent[] {
    const { effects, parts } = this.#shell;
    return eventsOf(turn.id, entries, parts.clock.now(), (message, operation) =>
      effects.decide(turn, message, operation),
    );
  }

  /** What becomes visible once a segment is on disk. */
  #afterSegment(live: Live, entries: readonly Entry[]): void {
    const { alarms, lives, outbox, parts, roster } = this.#shell;
    const { agent } = live.known;
    for (const entry of entries) {
      if (entry.type === 'arm') {
        const { timer } = entry;
        alarms.arm(`${agent} ${timer}`, live.view.timers.get(timer)?.at ?? 0, { type: 'timer', agent, timer });
      }
      if (entry.type === 'cancel') alarms.disarm(`${agent} ${entry.timer}`);
      if (entry.type === 'watch') {
        lives.watch(entry.agent, agent, entry.message);
        const isElsewhere = roster.get(entry.agent) === undefined && parts.remote?.find(entry.agent) !== undefined;
        if (!roster.isAlive(entry.agent) && !isElsewhere) lives.notifyEnded(entry.agent);
      }
    }
    outbox.sendAll(live);
  }
}
