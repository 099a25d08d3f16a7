/**
 * The hosts of a node: which process runs whose turns, what it says, and what happens when it falls silent or ends.
 *
 * P1. One host per profile (contract, ring, sponsor). A profile that changes means another host for the agent's next turn.
 * P2. A host's end is recorded before any of its turns hears of it. Ending an idle one is no exit.
 * P3. A host that owes an answer and says nothing for its ring's step time is killed. It owes nothing while it waits itself:
 *     for its start, for an answer, or for its share of CPU.
 */
import { RING_LIMITS } from '../kernel/ring.ts';
import type { Background } from './background.ts';
import type { HostExit, HostProcess, HostProfile } from './hosts.ts';
import type { NodeParts } from './node-parts.ts';
import type { FromHost, ToHost } from './protocol.ts';
import type { Records } from './records.ts';
import { OPERATIONS_PER_TURN_MAX, type RunningTurn } from './running-turn.ts';

/** A host, as whoever enters a turn in it sees it. */
export type Hosted = {
  readonly process: HostProcess;
  readonly profile: HostProfile;
  readonly turns: Map<string, RunningTurn>;
  /** When it said that it was ready: until then it owes nothing but that. */
  readyMs: number | undefined;
  readonly startedMs: number;
  /** Whether what it is sent waits. */
  isHeld: boolean;
  isOver: boolean;
};

type OnOperation = (turn: RunningTurn, message: FromHost & { readonly type: 'operation' }) => void;

/** Ring 0 has no step time. */
const UNLIMITED = Number.POSITIVE_INFINITY;

/** How long a host may take to import an author's module. */
const START_MS_MAX = 60_000;

export class HostPool {
  readonly #parts: NodeParts;
  readonly #background: Background;
  readonly #records: Records;
  readonly #onOperation: OnOperation;
  readonly #hosts = new Map<string, Hosted>();

  constructor(parts: NodeParts, background: Background, records: Records, onOperation: OnOperation) {
    this.#parts = parts;
    this.#background = background;
    this.#records = records;
    this.#onOperation = onOperation;
  }

  /** The host for an agent's next turn (P1). */
  hostOf(agent: string, contract: string): Hosted {
    const profile = this.#profileOf(agent, contract);
    const key = keyOf(profile);
    const running = this.#hosts.get(key);
    if (running !== undefined && !running.isOver) return running;
    const hosted: Hosted = {
      profile,
      turns: new Map(),
      readyMs: undefined,
      startedMs: this.#parts.clock.monotonicMs(),
      isHeld: false,
      isOver: false,
      process: this.#parts.hosts.start(profile, {
        heard: (message) => this.#heard(hosted, message),
        exited: (exit) => this.#background.track(this.#exited(key, hosted, exit)),
        held: (isHeld) => this.#held(hosted, isHeld),
      }),
    };
    this.#hosts.set(key, hosted);
    return hosted;
  }

  /** Whether the turn runs where its agent's turns belong. */
  isAtHome(turn: RunningTurn, contract: string): boolean {
    const hosted = this.#hosts.get(keyOf(this.#profileOf(turn.agent, contract)));
    return hosted?.turns.get(turn.id) === turn;
  }

  /** Begins an attempt at a turn in a host. */
  enter(hosted: Hosted, turn: RunningTurn, message: ToHost & { readonly type: 'enter' }): void {
    hosted.turns.set(turn.id, turn);
    this.#give(hosted, turn, message);
    const guard = this.#guard(hosted, turn);
    this.#background.track(
      turn.ended.then(() => {
        guard.dispose();
        hosted.turns.delete(turn.id);
      }),
    );
  }

  /** The answer to one of the turn's operations. */
  settle(turn: RunningTurn, message: ToHost & { readonly type: 'settle' }): void {
    const hosted = this.#hostRunning(turn);
    if (hosted !== undefined) this.#give(hosted, turn, message);
  }

  /** The host is to forget the turn. */
  drop(turn: RunningTurn): void {
    const hosted = this.#hostRunning(turn);
    if (hosted !== undefined) this.#say(hosted, { type: 'drop', turn: turn.id });
  }

  /** The host with this id is to forget the agent's state. */
  evict(hostId: string | undefined, agent: string): void {
    for (const hosted of this.#hosts.values()) {
      if (hosted.process.id === hostId) this.#say(hosted, { type: 'evict', agent });
    }
  }

  /** Ends the host that runs this turn. */
  kill(turn: RunningTurn, exit: HostExit): void {
    this.#hostRunning(turn)?.process.kill(exit);
  }

  /** Ends hosts without a turn whose id is not in use: they cost a process for nothing (P2). */
  endIdle(inUse: ReadonlySet<string | undefined>): void {
    for (const [key, hosted] of this.#hosts) {
      if (inUse.has(hosted.process.id) || hosted.turns.size > 0) continue;
      hosted.isOver = true;
      this.#hosts.delete(key);
      hosted.process.kill({ code: 'host.idle', message: 'no agent of it is awake' });
    }
  }

  close(): void {
    for (const { process } of this.#hosts.values()) {
      process.kill({ code: 'node.closed', message: 'the node has ended' });
    }
  }

  #profileOf(agent: string, contract: string): HostProfile {
    return { contract, ...(this.#parts.standingOf?.(agent) ?? { ring: 3, sponsor: '' }) };
  }

  #hostRunning(turn: RunningTurn): Hosted | undefined {
    for (const hosted of this.#hosts.values()) if (hosted.turns.get(turn.id) === turn) return hosted;
    return undefined;
  }

  /** P3, and the deadline of a call, which its turn hears of. */
  #guard(hosted: Hosted, turn: RunningTurn): DisposableStack {
    const { clock, silenceMs = UNLIMITED } = this.#parts;
    const stepMs = Math.min(silenceMs, RING_LIMITS[hosted.profile.ring].stepMsMax ?? UNLIMITED);
    const stack = new DisposableStack();
    const check = (): void => {
      const { limitMs, sinceMs } = this.#owes(hosted, turn, stepMs);
      const leftMs = turn.inFlight > 0 ? stepMs : sinceMs + limitMs - clock.monotonicMs();
      if (leftMs > 0) {
        stack.use(clock.after(Math.min(leftMs, START_MS_MAX), check));
        return;
      }
      hosted.process.kill({ code: 'host.silent', message: `no word for ${limitMs} ms in a turn of ${turn.agent}` });
    };
    stack.use(clock.after(Math.min(stepMs, START_MS_MAX), check));
    if (turn.call !== undefined) {
      const leftMs = Math.max(0, turn.call.deadline - clock.now());
      const abort = (): void => this.#say(hosted, { type: 'abort', turn: turn.id, code: 'deadline.exceeded' });
      stack.use(clock.after(leftMs, abort));
    }
    return stack;
  }

  /** Since when, and for how long, the host may be silent. */
  #owes(hosted: Hosted, turn: RunningTurn, stepMs: number): { readonly limitMs: number; readonly sinceMs: number } {
    const { readyMs, startedMs } = hosted;
    if (readyMs === undefined) return { limitMs: START_MS_MAX, sinceMs: startedMs };
    return { limitMs: stepMs, sinceMs: Math.max(readyMs, turn.heardMs) };
  }

  /** Says what the host owes an answer to: from when it has it. */
  #give(hosted: Hosted, turn: RunningTurn, message: ToHost): void {
    this.#say(hosted, message);
    turn.heardMs = hosted.isHeld ? Number.POSITIVE_INFINITY : this.#parts.clock.monotonicMs();
  }

  #held(hosted: Hosted, isHeld: boolean): void {
    hosted.isHeld = isHeld;
    if (isHeld) return;
    for (const turn of hosted.turns.values()) {
      if (turn.heardMs === Number.POSITIVE_INFINITY) turn.heardMs = this.#parts.clock.monotonicMs();
    }
  }

  #say(hosted: Hosted, message: ToHost): void {
    if (!hosted.isOver) hosted.process.send(message);
  }

  #heard(hosted: Hosted, message: FromHost): void {
    if (message.type === 'ready') {
      hosted.readyMs = this.#parts.clock.monotonicMs();
      return;
    }
    const turn = hosted.turns.get(message.turn);
    if (turn === undefined) return;
    if (turn.heardMs !== Number.POSITIVE_INFINITY) turn.heardMs = this.#parts.clock.monotonicMs();
    if (message.type !== 'operation') {
      turn.end(message);
      return;
    }
    turn.operations += 1;
    if (turn.operations <= OPERATIONS_PER_TURN_MAX) this.#onOperation(turn, message);
    else {
      const found = `more than ${OPERATIONS_PER_TURN_MAX} operations in one turn`;
      hosted.process.kill({ code: 'host.flooded', message: found });
    }
  }

  async #exited(key: string, hosted: Hosted, exit: HostExit): Promise<void> {
    if (hosted.isOver) return;
    hosted.isOver = true;
    if (this.#hosts.get(key) === hosted) this.#hosts.delete(key);
    if (this.#background.phase === 'closed') return;
    const host = hosted.process.id;
    const payload = { host, code: exit.code, message: exit.message };
    await this.#records.append([this.#records.ofHost(hosted.profile.contract, { type: 'host.exited', payload })]);
    for (const turn of hosted.turns.values()) {
      turn.end({ type: 'lost', incident: `host ${host}`, code: exit.code, message: exit.message });
    }
  }
}

function keyOf({ contract, ring, sponsor }: HostProfile): string {
  return JSON.stringify([contract, ring, sponsor]);
}
