/**
 * A node of agents over one log: accepts messages, runs turns, commits them, sends what they leave behind.
 *
 * N1. A message is accepted by one append, and answered or dead-lettered by one other. What was accepted survives any crash.
 * N2. One agent takes one turn at a time. Turns of different agents run side by side.
 * N3. A segment commits in one append: facts, messages out, timers, watches, the mark in the inbox. Nothing of it is seen
 *     by anybody before that append is on disk.
 * N4. A turn that failed is entered again with what it had recorded, when nothing of it is under way any more. After
 *     `ATTEMPTS_MAX` failures its message is a dead letter and the agent goes on.
 * N5. A message id is accepted once: whoever sends it again gets the recorded answer, or waits for the one to come.
 * N6. What leaves is sent, per sender and receiver, in the order of its commits, until it is accepted or too old.
 * N7. An agent without work is put away after a while: what stays in memory is its name and its place in the tree.
 * N8. When the log cannot be written, the node ends: it accepts, sends and attempts nothing more.
 *
 * It owns the kernel and the hosts, not the log.
 *
 * Long because these invariants share one state; what can be decided without it stands in files of its own.
 */

import type { Did } from '../codec/did.ts';
import { sha256 } from '../codec/digest.ts';
import { canonicalJson, type JsonValue } from '../codec/json.ts';
import {
  type Cause,
  type DigestText,
  digestText,
  type EventId,
  parseEventId,
  parseStreamId,
  type RecordedDecision,
} from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { utf8 } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import { DeadlineError, withDeadline } from '../core/deadline.ts';
import { CodedError, messageOf } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { unwrap } from '../core/result.ts';
import type { Action } from '../kernel/action.ts';
import { eventIdOf, newEventId } from '../kernel/event-id.ts';
import { type Epochs, type Gates, NO_EPOCHS } from '../kernel/gate.ts';
import { type Executor, Kernel } from '../kernel/kernel.ts';
import type { NotOk, Outcome } from '../kernel/outcome.ts';
import type { EventLog, NewEvent, Recorded, Write } from '../log/event-log.ts';
import { eventType } from '../log/vocabulary.ts';
import { agentsIn, catchUp, emittedBy, streamOf, viewOf } from './agent-stream.ts';
import { type Accepted, AgentView, isParked, type Sent, type Started } from './agent-view.ts';
import { nest } from './call-chain.ts';
import type { AskOptions, Asks, SpawnOptions, Tells, Terminated } from './context.ts';
import { type Contract, type ContractSpec, withinOf } from './contract.ts';
import { type DeadLetter, deadLettersIn, findDeadLetter, retryIdOf } from './dead-letters.ts';
import { toMillis } from './duration.ts';
import type { HostExit, HostProcess, Hosts } from './hosts.ts';
import { Mailbox, type Waiting } from './mailbox.ts';
import { spawnData } from './make-context.ts';
import type { Entry as Done, FromHost, Operation, ToHost, TurnDone, TurnParked, Wait } from './protocol.ts';
import { type AgentName, agentName, type Ref } from './ref.ts';
import { ENTRIES_PER_SEGMENT_MAX, OPERATIONS_PER_TURN_MAX, RunningTurn, type TurnEnd } from './running-turn.ts';
import { eventsOf, type NewAgentEvent } from './segment-events.ts';
import { type ChildKind, type Exit, jittered, onExit, type Supervise, supervision } from './supervision.ts';
import { TimerHeap } from './timer-heap.ts';
import type { ProvidedTool } from './tool.ts';
import { actionOf, retryActionOf } from './turn-action.ts';
import type { AgentPayload } from './vocabulary.ts';

/** Failures of one turn before its message becomes a dead letter. */
const ATTEMPTS_MAX = 3;

/** One message's body. Larger things are blobs that messages name. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

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
  /** How agents without a parent are supervised. */
  readonly supervise?: Supervise;
  /** Default 2 minutes. */
  readonly idleMs?: number;
  /** How long a host may be silent while a turn owes something; default 60 s. */
  readonly silenceMs?: number;
};

/** What is known of every agent, put away or not. */
type Known = {
  readonly agent: AgentName;
  contract: string;
  parent: string | null;
  kind: ChildKind;
  live: Live | undefined;
  isAlive: boolean;
};

/** An agent that has work, or had some lately. */
type Live = {
  readonly known: Known;
  readonly view: AgentView;
  readonly mailbox: Mailbox;
  /** Waits of parked turns that have ended and not been told. */
  readonly due: Map<string, Due>;
  running: RunningTurn | undefined;
  isServing: boolean;
  /** It has asked to stop once its turn is over. */
  mustExit: boolean;
  /** Messages whose acceptance is on its way to the disk. */
  accepting: number;
  /** The host that has its state. */
  hostId: string | undefined;
  status: 'ready' | 'restarting' | 'stopping';
  activeMs: number;
  readonly sending: Set<string>;
};

type Due = { readonly wait: ParkedWait; readonly outcome: Outcome; readonly signal: string | null };
type ParkedWait = { readonly ordinal: number; readonly name: string; readonly digest: string };

type Hosted = { readonly process: HostProcess; readonly turns: Map<string, RunningTurn>; isOver: boolean };

/** A message that wants to be accepted. */
type Arriving = {
  readonly message: EventId;
  readonly kind: Accepted['kind'];
  readonly name: string;
  readonly body: JsonValue;
  readonly from: string | null;
  readonly chain: readonly string[];
  readonly deadline: number | null;
  readonly correlation: EventId;
  readonly cause?: Cause;
};

type Governed =
  | { readonly type: 'allowed'; readonly record: { readonly decision?: RecordedDecision } }
  | { readonly type: 'refused'; readonly outcome: Promise<NotOk> };

type AcceptedAnswer = { readonly type: 'accepted'; readonly event: EventId };

type TimerValue =
  | { readonly type: 'timer'; readonly agent: string; readonly timer: string }
  | {
      readonly type: 'wait';
      readonly agent: string;
      readonly turn: string;
      readonly wait: ParkedWait;
      readonly event: string | null;
      readonly withinMs: number;
    };

export class AgentNode implements AsyncDisposable {
  readonly #parts: NodeParts;
  readonly #kernel: Kernel;
  readonly #contracts: ReadonlyMap<string, Contract>;
  readonly #tools: ReadonlyMap<string, ProvidedTool>;
  readonly #known = new Map<string, Known>();
  readonly #hosts = new Map<string, Hosted>();
  readonly #timers = new TimerHeap<TimerValue>();
  readonly #waiters = new Map<string, Set<(outcome: Outcome) => void>>();
  readonly #accepting = new Map<string, Promise<AcceptedAnswer | NotOk>>();
  /** Who is watched, by whom, and by which message. */
  readonly #watches = new Map<string, Map<string, string>>();
  readonly #work = new Set<Promise<unknown>>();
  readonly #serving = new Set<Promise<void>>();
  readonly #root = new AgentView();
  readonly #ended = Promise.withResolvers<Error | undefined>();
  readonly #origin: DigestText;
  #alarm: Disposable | undefined;
  #sweep: Disposable | undefined;
  #phase: 'open' | 'draining' | 'closed' = 'open';

  private constructor(parts: NodeParts) {
    this.#parts = parts;
    this.#contracts = new Map(parts.contracts.map((contract) => [contract.name, contract]));
    this.#tools = new Map((parts.tools ?? []).map((provided) => [provided.tool.name, provided]));
    this.#origin = digestText(sha256(utf8(parts.log.origin)));
    const { log, clock, random, gates = {}, epochs = () => NO_EPOCHS } = parts;
    this.#kernel = new Kernel({ log, clock, random, gates, epochs, executorOf: (action) => this.#executorOf(action) });
  }

  /** Opens a node over a log: whatever its agents had not finished goes on. */
  static open(parts: NodeParts): AgentNode {
    const node = new AgentNode(parts);
    node.#recover();
    node.#armSweep();
    return node;
  }

  /** Resolves when the node ends by itself: with the reason, if that was a fault. */
  get ended(): Promise<Error | undefined> {
    return this.#ended.promise;
  }

  /** Agents known, and those in memory. */
  get census(): { readonly known: number; readonly awake: number; readonly running: number } {
    let [awake, running] = [0, 0];
    for (const { live } of this.#known.values()) {
      if (live !== undefined) awake += 1;
      if (live?.running !== undefined) running += 1;
    }
    return { known: this.#known.size, awake, running };
  }

  /** Starts an agent under the root, unless it is there already. */
  async spawn<S extends ContractSpec>(contract: Contract<S>, agent: string, options?: SpawnOptions): Promise<Ref<S>> {
    const ref = { contract, agent: agentName(agent) };
    const spawned = await this.#spawn(null, ref.agent, contract.name, spawnData(options ?? {}) as SpawnData);
    if (spawned.type === 'ok') return ref;
    throw new CodedError('agent.not_spawned', `expected ${agent} to start, found ${JSON.stringify(spawned)}`);
  }

  /** Asks an agent on behalf of the operator. */
  ask<S extends ContractSpec>(ref: Ref<S>): Asks<S> {
    const asks = mapMessages(ref.contract, (name, spec) => (input: JsonValue, options?: AskOptions) => {
      const withinMs = options?.within === undefined ? withinOf(spec) : toMillis(options.within);
      return this.#askFromOutside(ref, name, input, withinMs);
    });
    return asks as Asks<S>;
  }

  /** Leaves a message; `ok` once it is durably accepted. */
  tell<S extends ContractSpec>(ref: Ref<S>): Tells<S> {
    const tells = mapMessages(ref.contract, (name) => async (input: JsonValue) => {
      const message = this.#newId();
      const arriving = this.#arriving(message, 'tell', name, input);
      const answer = await this.#accept(ref.agent, arriving);
      return answer.type === 'accepted' ? { type: 'ok', value: { message }, event: answer.event } : answer;
    });
    return tells as Tells<S>;
  }

  /** Reports an event from outside that a parked turn of the agent waits for, or will. */
  async signal(agent: string, event: string, body: JsonValue): Promise<Outcome> {
    const answer = await this.#accept(agent, this.#arriving(this.#newId(), 'signal', event, body));
    return answer.type === 'accepted' ? { type: 'ok', value: null, event: answer.event } : answer;
  }

  /** The messages that were given up, for one agent or for all. Reads the log. */
  deadLetters(agent?: string): readonly DeadLetter[] {
    return [...deadLettersIn(this.#parts.log)].filter((letter) => agent === undefined || letter.agent === agent);
  }

  /**
   * Puts a dead letter back as a new message, which has the end of the old one as its cause; `ok` once that is durably
   * accepted, and again with the same message for whoever retries again. What an agent sent is decided again, by the gates
   * of now; nobody waits for the answer. `message.not_found` · `message.not_dead` for anything else.
   */
  async retry(message: string): Promise<Outcome<{ readonly message: EventId }>> {
    const letter = findDeadLetter(this.#parts.log, message);
    if (letter === 'not_found' && !this.#isOnItsWay(message)) {
      return { type: 'failed', code: 'message.not_found', message: `expected a message, found none of id ${message}` };
    }
    if (letter === 'not_found' || letter === 'not_dead') {
      const found = `expected a dead letter, found ${message}, which was not given up`;
      return { type: 'failed', code: 'message.not_dead', message: found };
    }
    if (this.#phase !== 'open') return { type: 'busy', retryAfterMs: 1_000 };
    const { agent, from, name, body, correlation } = letter;
    const retry = retryIdOf(agent, letter.message);
    if (letter.retried !== null)
      return { type: 'ok', value: { message: retry }, event: eventIdOf('accepted', agent, retry) };
    const cause = this.#causeOf(letter.index);
    const governed = this.#decideRetry(letter, cause);
    if (governed.type === 'refused') return governed.outcome;
    const kind = letter.kind === 'signal' ? 'signal' : 'tell';
    const arriving = { ...this.#arriving(retry, kind, name, body), from, correlation, cause };
    const payload = { message: letter.message, retry };
    const id = eventIdOf('retried', agent, letter.message);
    const retried: NewAgentEvent = { id, type: 'message.retried', payload, cause, correlation, ...governed.record };
    const answer = await this.#accept(agent, arriving, [this.#write(agent, [retried])]);
    return answer.type === 'accepted' ? { type: 'ok', value: { message: retry }, event: answer.event } : answer;
  }

  /** Stops an agent and, before it, its children; its supervisor does not start it again. */
  async stop(agent: string): Promise<void> {
    await this.#stop(agent, 'stopped by the operator');
  }

  /**
   * Ends in order: takes nothing new, lets turns that run come to an end, ends those that do not within `withinMs`; what
   * they had begun is resolved when the log is opened again.
   */
  async drain(withinMs = 10_000): Promise<void> {
    if (this.#phase !== 'open') return;
    this.#phase = 'draining';
    const { clock } = this.#parts;
    try {
      const idle = Promise.allSettled([...this.#serving, ...this.#accepting.values()]);
      if (withinMs === 0) throw new DeadlineError('turns to end', 0);
      await withDeadline(idle, { clock, limitMs: withinMs, what: 'turns to end' });
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      for (const { live } of this.#known.values()) live?.running?.abandon();
    }
    await this.#close(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }

  // --- recovery ------------------------------------------------------------------------------------------------------

  #recover(): void {
    const { log } = this.#parts;
    catchUp(log, ROOT_STREAM, this.#root);
    const views: { readonly known: Known; readonly view: AgentView }[] = [];
    for (const agent of agentsIn(log)) {
      const view = viewOf(log, agent);
      if (view.started === undefined) continue;
      const known = this.#register(agentName(agent), view.started);
      known.isAlive = view.isAlive;
      for (const [watched, name] of view.watches) this.#watch(watched, agent, name);
      if (!view.isAlive) continue;
      this.#armAll(agent, view);
      if (!view.isIdle || view.signals.size > 0) views.push({ known, view });
    }
    for (const { known, view } of views) this.#awaken(known, view);
    for (const watched of this.#watches.keys()) {
      if (this.#known.get(watched)?.isAlive !== true) this.#notifyEnded(watched);
    }
  }

  #register(agent: AgentName, { contract, parent, restart: kind }: Started): Known {
    const known: Known = { agent, contract, parent, kind, live: undefined, isAlive: true };
    this.#known.set(agent, known);
    return known;
  }

  #armAll(agent: string, view: AgentView): void {
    for (const armed of view.timers.values()) this.#arm(agent, armed.timer, armed.at);
    for (const [turn, memory] of view.turns) {
      if (isParked(memory)) this.#armWaits(agent, turn, memory.parked?.waits ?? []);
    }
  }

  /** Brings an agent into memory, with everything that it had not finished. */
  #awaken(known: Known, folded?: AgentView): Live {
    if (known.live !== undefined) return known.live;
    const view = folded ?? viewOf(this.#parts.log, known.agent);
    const live: Live = {
      known,
      view,
      mailbox: new Mailbox(),
      due: new Map(),
      running: undefined,
      isServing: false,
      mustExit: false,
      accepting: 0,
      hostId: undefined,
      status: 'ready',
      activeMs: this.#parts.clock.monotonicMs(),
      sending: new Set(),
    };
    known.live = live;
    for (const accepted of view.inbox.values()) {
      const memory = view.turns.get(accepted.message);
      if (memory?.parked !== undefined) {
        live.mailbox.park(accepted.message, this.#laneOf(known, accepted));
        if (!isParked(memory)) live.mailbox.wake(accepted.message);
      } else {
        live.mailbox.add(this.#waitingOf(known, accepted));
      }
    }
    if (view.exited?.returns === true) this.#restart([known.agent], 0);
    for (const turn of view.turns.keys()) this.#takeSignal(live, turn);
    this.#kick(live);
    this.#sendAll(live);
    return live;
  }

  #laneOf(known: Known, accepted: Accepted): string | undefined {
    return this.#contracts.get(known.contract)?.spec.messages[accepted.name]?.concurrent === true
      ? undefined
      : accepted.name;
  }

  #waitingOf(known: Known, accepted: Accepted): Waiting {
    return { message: accepted.message, from: accepted.from ?? '', lane: this.#laneOf(known, accepted) };
  }

  /** An unfinished turn is the next to be taken. */
  #putBack(live: Live, turn: RunningTurn): void {
    if (live.mailbox.isParked(turn.id)) live.mailbox.wake(turn.id);
    else live.mailbox.putBack(this.#waitingOf(live.known, turn.accepted));
  }

  // --- accepting -----------------------------------------------------------------------------------------------------

  async #askFromOutside(ref: Ref, name: string, input: JsonValue, withinMs: number): Promise<Outcome> {
    const deadline = this.#parts.clock.now() + withinMs;
    const message = this.#newId();
    const asked = this.#request(ref.agent, { ...this.#arriving(message, 'ask', name, input), deadline });
    const { clock } = this.#parts;
    return withDeadline(asked, { clock, limitMs: withinMs, what: `an answer of ${ref.agent}` }).catch(
      (error: unknown) => {
        if (error instanceof DeadlineError) return { type: 'timeout', withinMs };
        throw error;
      },
    );
  }

  #arriving(message: EventId, kind: Accepted['kind'], name: string, body: JsonValue): Arriving {
    return { message, kind, name, body, from: null, chain: [], deadline: null, correlation: message };
  }

  /** Sends a message and waits for what comes back. The wait itself has no bound: its caller's has. */
  async #request(to: string, arriving: Arriving): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const waiters = this.#waiters.get(arriving.message) ?? new Set();
    this.#waiters.set(arriving.message, waiters.add(resolve));
    const answer = await this.#accept(to, arriving);
    if (answer.type !== 'accepted') this.#answer(arriving.message, answer);
    return promise;
  }

  #answer(message: string, outcome: Outcome): void {
    for (const resolve of this.#waiters.get(message) ?? []) resolve(outcome);
    this.#waiters.delete(message);
  }

  /** N1, N5. `also` is recorded together with the acceptance. */
  async #accept(to: string, arriving: Arriving, also: readonly Write[] = []): Promise<AcceptedAnswer | NotOk> {
    const pending = this.#accepting.get(arriving.message);
    if (pending !== undefined) return pending;
    const accepting = this.#acceptOnce(to, arriving, also);
    this.#accepting.set(arriving.message, accepting);
    try {
      return await accepting;
    } finally {
      this.#accepting.delete(arriving.message);
    }
  }

  async #acceptOnce(to: string, arriving: Arriving, also: readonly Write[]): Promise<AcceptedAnswer | NotOk> {
    if (this.#phase !== 'open') {
      // Asked by one of its own turns: that turn will be entered again, so the question is not answered with a no.
      return arriving.from === null ? { type: 'busy', retryAfterMs: 1_000 } : new Promise(() => undefined);
    }
    const known = this.#known.get(to);
    if (known === undefined || !known.isAlive) return { type: 'died', message: `expected ${to} to be alive` };
    const refused = this.#refusal(known, arriving);
    if (refused !== undefined) return refused;
    const event = eventIdOf('accepted', to, arriving.message);
    if (this.#parts.log.find(event) !== undefined) {
      this.#repeat(to, arriving.message);
      if (also.length > 0) await this.#append(also);
      return { type: 'accepted', event };
    }
    const live = this.#awaken(known);
    const room = live.mailbox.room(live.accepting);
    if (arriving.kind === 'signal' && live.view.signals.size >= SIGNALS_MAX)
      return { type: 'busy', retryAfterMs: 1_000 };
    if (!room.isOpen && arriving.kind !== 'notice') return { type: 'busy', retryAfterMs: room.retryAfterMs };
    const { message, kind, name, body, from, chain, deadline, correlation, cause } = arriving;
    const payload = { message, kind, name, body, from, chain: [...chain], deadline };
    live.accepting += 1;
    try {
      const write = this.#write(to, [
        { id: event, type: 'message.accepted', payload, correlation, ...(cause && { cause }) },
      ]);
      await this.#append([write, ...also]);
      this.#arrived(live, message);
      return { type: 'accepted', event };
    } finally {
      live.accepting -= 1;
    }
  }

  #refusal(known: Known, { kind, name, body }: Arriving): NotOk | undefined {
    if (kind !== 'signal' && this.#contracts.get(known.contract)?.spec.messages[name] === undefined) {
      const message = `expected a message of ${known.contract}, found ${name}`;
      return { type: 'invalid', code: 'message.unknown', message };
    }
    const text = canonicalJson(body);
    if (!text.ok) return { type: 'invalid', code: 'message.not_data', message: text.error.message };
    const length = utf8(text.value).length;
    if (length <= MESSAGE_BYTES_MAX) return undefined;
    const message = `expected at most ${MESSAGE_BYTES_MAX} bytes, found ${length}`;
    return { type: 'invalid', code: 'message.too_large', message };
  }

  /** N5: somebody asks again for what was accepted before. */
  #repeat(agent: string, message: EventId): void {
    const { log } = this.#parts;
    for (const id of [eventIdOf('committed', agent, message), eventIdOf('dead', agent, message)]) {
      const index = log.find(id);
      const [record] = index === undefined ? [] : [...log.read(index, index + 1)];
      if (record?.payload.type === 'json') {
        const { reply } = record.payload.value as { readonly reply?: Outcome };
        this.#answer(
          message,
          reply ?? { type: 'failed', code: 'message.dead_lettered', message: 'it failed before', event: id },
        );
      }
    }
  }

  #arrived(live: Live, message: string): void {
    live.activeMs = this.#parts.clock.monotonicMs();
    this.#catchUp(live);
    const accepted = live.view.inbox.get(message);
    if (accepted !== undefined) live.mailbox.add(this.#waitingOf(live.known, accepted));
    else for (const turn of live.view.turns.keys()) this.#takeSignal(live, turn);
    this.#kick(live);
  }

  /** Gives a parked turn the first event that it waits for. */
  #takeSignal(live: Live, turn: string): void {
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

  // --- serving -------------------------------------------------------------------------------------------------------

  #kick(live: Live): void {
    if (live.isServing || live.status !== 'ready' || this.#phase !== 'open') return;
    live.isServing = true;
    const serving = this.#serve(live).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
    this.#track(serving);
  }

  async #serve(live: Live): Promise<void> {
    try {
      while (this.#phase === 'open' && live.status === 'ready') {
        const next = live.mailbox.next();
        if (next === undefined || next.type === 'control') break;
        const started = this.#parts.clock.monotonicMs();
        const id = next.type === 'message' ? next.message : next.turn;
        const isOver = await this.#take(live, id);
        if (isOver) live.mailbox.finish(id, this.#parts.clock.monotonicMs() - started);
        live.activeMs = this.#parts.clock.monotonicMs();
        if (live.mustExit) await this.#exit(live, { type: 'normal' });
      }
    } finally {
      live.isServing = false;
    }
    if (live.mailbox.length > 0 && live.mailbox.parked === 0) this.#kick(live);
  }

  /** Takes a turn, again and again if it fails (N4). Whether the message is done with, for now or for good. */
  async #take(live: Live, id: string): Promise<boolean> {
    for (;;) {
      const accepted = live.view.inbox.get(id);
      if (accepted === undefined) return true;
      if (accepted.deadline !== null && accepted.deadline <= this.#parts.clock.now() && !live.view.turns.has(id)) {
        await this.#deadLetter(live, accepted, 'ask.expired', 'nobody waits for it any more');
        return true;
      }
      await this.#wake(live, id);
      const turn = this.#enter(live, accepted);
      live.running = turn;
      const end = await turn.ended;
      if (end.type !== 'ended') await turn.settled();
      live.running = undefined;
      const isOver = await this.#end(live, turn, end);
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
    const at = this.#parts.clock.now();
    const payload = { turn: id, at, ordinal, name, digest, outcome, emitted: live.view.emitted, signal };
    await this.#record(live, [{ type: 'turn.woken', payload }]);
  }

  #enter(live: Live, accepted: Accepted): RunningTurn {
    const { clock, log } = this.#parts;
    const { known, view } = live;
    const memory = view.turns.get(accepted.message);
    const at = memory?.at ?? clock.now();
    const turn = new RunningTurn(known.agent, accepted, memory, { at, monotonicMs: clock.monotonicMs() });
    const hosted = this.#hostOf(known.contract);
    hosted.turns.set(turn.id, turn);
    const isFresh = memory?.parked === undefined && live.hostId === hosted.process.id;
    live.hostId = memory?.parked === undefined ? hosted.process.id : undefined;
    this.#say(hosted, {
      type: 'enter',
      turn: turn.id,
      agent: known.agent,
      contract: known.contract,
      message: accepted.name,
      body: accepted.body,
      caller: { did: this.#didOf(accepted.from), agent: accepted.from, chain: accepted.chain },
      at,
      start: memory?.parked?.start ?? view.emitted,
      ...(isFresh ? {} : { history: emittedBy(log, known.agent) }),
      journal: memory?.journal ?? [],
      committed: memory?.committed ?? null,
    });
    this.#guard(hosted, turn);
    return turn;
  }

  /** Ends a host that owes an answer and is silent, and tells a turn that its caller has gone. */
  #guard(hosted: Hosted, turn: RunningTurn): void {
    const { clock, silenceMs = 60_000 } = this.#parts;
    const stack = new DisposableStack();
    const check = (): void => {
      const silent = clock.monotonicMs() - turn.heardMs;
      if (turn.inFlight === 0 && silent >= silenceMs) {
        hosted.process.kill({ code: 'host.silent', message: `no word for ${silenceMs} ms in a turn of ${turn.agent}` });
      } else stack.use(clock.after(turn.inFlight > 0 ? silenceMs : silenceMs - silent, check));
    };
    stack.use(clock.after(silenceMs, check));
    if (turn.call !== undefined) {
      const leftMs = Math.max(0, turn.call.deadline - clock.now());
      stack.use(
        clock.after(leftMs, () => this.#say(hosted, { type: 'abort', turn: turn.id, code: 'deadline.exceeded' })),
      );
    }
    this.#track(
      turn.ended.then(() => {
        stack.dispose();
        hosted.turns.delete(turn.id);
      }),
    );
  }

  /** What follows from the end of an attempt: whether the message is done with, or `undefined` to try again. */
  async #end(live: Live, turn: RunningTurn, end: TurnEnd): Promise<boolean | undefined> {
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
        await this.#record(live, [{ type: 'turn.stuck', payload: { turn: turn.id, expected, found } }]);
        live.mailbox.park(turn.id, this.#laneOf(live.known, turn.accepted));
        this.#answer(turn.id, { type: 'failed', code: 'turn.stuck', message: `expected ${expected}, found ${found}` });
        return false;
      }
      case 'lost': {
        const isOver = await this.#failed(live, turn, end);
        if (isOver === undefined) this.#putBack(live, turn);
        const exit: Exit = { type: 'abnormal', why: end.message, incident: end.incident };
        await this.#exit(live, exit);
        return isOver ?? false;
      }
      case 'ended':
        return false;
    }
  }

  /** N3, the last segment. */
  async #commit(live: Live, turn: RunningTurn, end: TurnDone): Promise<boolean> {
    const { accepted, id } = turn;
    const entries = this.#eventsOf(turn, end.segment.entries);
    const late = accepted.deadline !== null && accepted.deadline < this.#parts.clock.now();
    const emitted = end.segment.entries.filter(({ type }) => type === 'emit').length;
    const committed = eventIdOf('committed', live.known.agent, id);
    const reply = { ...end.reply, event: end.reply.event ?? committed };
    const payload = { turn: id, reply, emitted, state: end.state, late };
    await this.#record(live, [...entries, { id: committed, type: 'turn.committed', payload }], accepted);
    this.#answer(id, reply);
    this.#afterSegment(live, end.segment.entries);
    return true;
  }

  /** N3, a segment that is not the last. */
  async #park(live: Live, turn: RunningTurn, end: TurnParked): Promise<boolean> {
    const { id, accepted, memory, at } = turn;
    const now = this.#parts.clock.now();
    const before = new Map(memory?.parked?.waits.map((wait) => [wait.ordinal, wait.until]));
    const until = ({ ordinal, withinMs }: Wait): number | null =>
      before.has(ordinal) ? (before.get(ordinal) ?? null) : withinMs === null ? null : now + withinMs;
    const waits = end.waits.map((wait) => {
      const { ordinal, name, digest, event } = wait;
      return { ordinal, name, digest, event, until: until(wait) };
    });
    const start = memory?.parked?.start ?? live.view.emitted;
    const { total, digest, entries } = end.segment;
    const payload = { turn: id, at, start, entries: total, digest, waits };
    const events: NewAgentEvent[] = [...this.#eventsOf(turn, entries), { type: 'turn.parked', payload }];
    await this.#record(live, events, accepted);
    if (!live.mailbox.isParked(id)) live.mailbox.park(id, this.#laneOf(live.known, accepted));
    this.#armWaits(live.known.agent, id, waits);
    this.#takeSignal(live, id);
    this.#afterSegment(live, entries);
    return false;
  }

  async #failed(
    live: Live,
    turn: RunningTurn,
    { code, message }: { code: string; message: string },
  ): Promise<true | undefined> {
    const attempt = (live.view.turns.get(turn.id)?.attempts ?? 0) + 1;
    if (code === 'host.stale') live.hostId = undefined;
    const payload = { turn: turn.id, attempt, code, message };
    await this.#record(live, [{ type: 'turn.failed', payload }], turn.accepted);
    if (attempt < ATTEMPTS_MAX) return undefined;
    await this.#deadLetter(live, turn.accepted, code, message);
    return true;
  }

  #catchUp(live: Live): void {
    catchUp(this.#parts.log, streamOf(live.known.agent), live.view);
  }

  async #deadLetter(live: Live, accepted: Accepted, code: string, detail: string): Promise<void> {
    const attempts = live.view.turns.get(accepted.message)?.attempts ?? 0;
    const id = eventIdOf('dead', live.known.agent, accepted.message);
    const payload = { message: accepted.message, code, detail, attempts };
    await this.#record(live, [{ id, type: 'message.dead_lettered', payload }], accepted);
    this.#answer(accepted.message, { type: 'failed', code, message: detail, event: id });
  }

  #eventsOf(turn: RunningTurn, entries: readonly Done[]): readonly NewAgentEvent[] {
    const decide = (operation: Operation): RecordedDecision =>
      this.#kernel.decide(this.#action(turn, 0, operation)).recorded;
    return eventsOf(turn.id, entries, this.#parts.clock.now(), decide);
  }

  /** What becomes visible once a segment is on disk. */
  #afterSegment(live: Live, entries: readonly Done[]): void {
    const { agent } = live.known;
    for (const entry of entries) {
      if (entry.type === 'arm') this.#arm(agent, entry.timer, live.view.timers.get(entry.timer)?.at ?? 0);
      if (entry.type === 'cancel') this.#timers.disarm(`${agent} ${entry.timer}`);
      if (entry.type === 'watch') {
        this.#watch(entry.agent, agent, entry.message);
        if (this.#known.get(entry.agent)?.isAlive !== true) this.#notifyEnded(entry.agent);
      }
    }
    this.#sendAll(live);
    this.#setAlarm();
  }

  // --- operations ----------------------------------------------------------------------------------------------------

  #operation(hosted: Hosted, turn: RunningTurn, ordinal: number, operation: Operation): void {
    turn.operations += 1;
    if (turn.operations > OPERATIONS_PER_TURN_MAX) {
      const message = `more than ${OPERATIONS_PER_TURN_MAX} operations in one turn`;
      hosted.process.kill({ code: 'host.flooded', message });
      return;
    }
    const answered = this.#operate(turn, ordinal, operation).then(
      (outcome) => this.#say(hosted, { type: 'settle', turn: turn.id, ordinal, outcome }),
      (error: unknown) => {
        if (!turn.signal.aborted) this.#fault(error);
      },
    );
    turn.track(answered);
  }

  async #operate(turn: RunningTurn, ordinal: number, operation: Operation): Promise<Outcome> {
    if (operation.verb === 'approve') {
      return { type: 'denied', code: 'approval.unavailable', message: 'expected somebody to ask, found nobody yet' };
    }
    const action = this.#action(turn, ordinal, operation);
    if (operation.verb === 'tell') {
      const { decision } = this.#kernel.decide(action);
      if (decision.verdict === 'allow') return { type: 'ok', value: null };
    }
    if (operation.verb === 'ask') {
      const time = { at: this.#parts.clock.now(), withinMs: operation.withinMs };
      const call = nest(turn.call, turn.agent, operation.agent, time);
      if (!call.ok) return { type: 'denied', ...call.error };
    }
    const doubt = turn.doubts.get(ordinal);
    return doubt === undefined
      ? this.#kernel.perform(action, turn.signal)
      : this.#kernel.resolve(action, doubt, turn.signal);
  }

  #action(turn: RunningTurn, ordinal: number, operation: Operation): Action {
    return actionOf(turn, ordinal, operation, {
      now: this.#parts.clock.now(),
      actor: this.#didOf(turn.agent),
      cause: this.#causeOf(turn.accepted.index),
      toolOf: (name) => this.#tools.get(name)?.tool,
    });
  }

  #isOnItsWay(message: string): boolean {
    return [...this.#known.values()].some(({ live }) => live?.view.outbox.has(message));
  }

  /** What an agent said needs its yes again; an operator's message, a timer, a notice and a signal never needed one. */
  #decideRetry(letter: DeadLetter, cause: Cause): Governed {
    const { kind, from: sender, agent } = letter;
    if (sender === null || (kind !== 'ask' && kind !== 'tell')) return { type: 'allowed', record: {} };
    const contract = this.#known.get(agent)?.contract ?? 'unknown';
    const action = retryActionOf(letter, { contract, sender, actor: this.#didOf(sender), cause });
    const { decision, recorded } = this.#kernel.decide(action);
    if (decision.verdict === 'allow') return { type: 'allowed', record: { decision: recorded } };
    return { type: 'refused', outcome: this.#refuse(action) };
  }

  /** Records that the gates refuse an action. */
  async #refuse(action: Action): Promise<NotOk> {
    const outcome = await this.#kernel.perform(action, new AbortController().signal);
    assert(outcome.type !== 'ok', 'what is decided twice in one tick is decided alike');
    return outcome;
  }

  #executorOf(action: Action): Executor | undefined {
    switch (action.verb) {
      case 'use':
        return this.#tools.get(action.target)?.executor;
      case 'ask':
        return { run: (input) => this.#performAsk(action, input) };
      case 'spawn': {
        const at = action.target.indexOf('@');
        const [contract, agent] = [action.target.slice(0, at), agentName(action.target.slice(at + 1))];
        return { run: (input) => this.#spawn(action.agent, agent, contract, input as SpawnData) };
      }
      case 'stop':
        return { run: () => this.#performStop(action.agent, action.target) };
      case 'tell':
        return undefined;
    }
  }

  async #performAsk(action: Action, input: JsonValue): Promise<Outcome> {
    const at = action.target.indexOf('@');
    const name = action.target.slice(action.target.indexOf('.') + 1, at);
    const note = action.note as {
      readonly turn: string;
      readonly ordinal: number;
      readonly call: { chain: string[]; deadline: number };
    };
    const message = eventIdOf(note.turn, 'message', note.ordinal);
    const { correlation = message, cause } = action;
    return this.#request(action.target.slice(at + 1), {
      message,
      kind: 'ask',
      name,
      body: input,
      from: action.agent,
      chain: note.call.chain,
      deadline: note.call.deadline,
      correlation,
      ...(cause && { cause }),
    });
  }

  // --- sending (N6) --------------------------------------------------------------------------------------------------

  #sendAll(live: Live): void {
    if (live.view.outbox.size === 0) return;
    for (const { to } of live.view.outbox.values()) {
      if (live.sending.has(to)) continue;
      live.sending.add(to);
      this.#track(this.#sendTo(live, to).finally(() => live.sending.delete(to)));
    }
  }

  async #sendTo(live: Live, to: string): Promise<void> {
    let delayMs = SEND_AGAIN_MS_MIN;
    for (let sent = nextTo(live, to); sent !== undefined && this.#phase === 'open'; sent = nextTo(live, to)) {
      const answer = await this.#send(live, sent);
      if (answer === 'delivered') {
        delayMs = SEND_AGAIN_MS_MIN;
        continue;
      }
      await this.#pause(Math.max(answer.retryAfterMs, delayMs));
      delayMs = Math.min(delayMs * 2, SEND_AGAIN_MS_MAX);
    }
  }

  async #send(live: Live, sent: Sent): Promise<'delivered' | { readonly retryAfterMs: number }> {
    const { agent } = live.known;
    const message = unwrap(parseEventId(sent.message), 'a message id');
    const delivered = (payload: AgentPayload<'message.delivered'>): Write =>
      this.#write(agent, [{ id: eventIdOf('delivered', message), type: 'message.delivered', payload }]);
    const arriving: Arriving = {
      ...this.#arriving(message, 'tell', sent.name, sent.body),
      from: agent,
      correlation: unwrap(parseEventId(sent.turn), 'a turn id'),
      cause: this.#causeOf(sent.index),
    };
    const answer = await this.#accept(sent.to, arriving, [delivered({ message, type: 'accepted', code: null })]);
    const isTooOld = this.#parts.clock.now() >= sent.retry_until;
    const isRefused = answer.type === 'invalid';
    if (answer.type !== 'accepted') {
      if (!isTooOld && !isRefused) return { retryAfterMs: answer.type === 'busy' ? answer.retryAfterMs : 0 };
      const code = isRefused ? answer.code : 'message.undeliverable';
      await this.#append([delivered({ message, type: 'dead', code })]);
    }
    live.view.outbox.delete(sent.message);
    return 'delivered';
  }

  // --- time ----------------------------------------------------------------------------------------------------------

  #arm(agent: string, timer: string, atMs: number): void {
    this.#timers.arm(`${agent} ${timer}`, atMs, { type: 'timer', agent, timer });
    this.#setAlarm();
  }

  #armWaits(agent: string, turn: string, waits: AgentPayload<'turn.parked'>['waits']): void {
    for (const { ordinal, name, digest, event, until } of waits) {
      if (until === null) continue;
      const wait = { ordinal, name, digest };
      const value: TimerValue = { type: 'wait', agent, turn, wait, event, withinMs: 0 };
      this.#timers.arm(`${agent} wait ${turn} ${ordinal}`, until, value);
    }
    this.#setAlarm();
  }

  #setAlarm(): void {
    this.#alarm?.[Symbol.dispose]();
    const next = this.#timers.nextAtMs();
    this.#alarm = undefined;
    if (next === undefined || this.#phase !== 'open') return;
    const delayMs = Math.min(Math.max(0, next - this.#parts.clock.now()), ALARM_MS_MAX);
    this.#alarm = this.#parts.clock.after(delayMs, () => this.#track(this.#ring()));
  }

  async #ring(): Promise<void> {
    const { clock } = this.#parts;
    for (let due = this.#timers.takeDue(clock.now()); due !== undefined; due = this.#timers.takeDue(clock.now())) {
      if (this.#phase !== 'open') return;
      const known = this.#known.get(due.value.agent);
      if (known?.isAlive !== true) continue;
      const live = this.#awaken(known);
      if (due.value.type === 'timer') await this.#fire(live, due.value.timer);
      else this.#endWait(live, due.value);
    }
    this.#setAlarm();
  }

  async #fire(live: Live, timer: string): Promise<void> {
    const armed = live.view.timers.get(timer);
    if (armed === undefined) return;
    const now = this.#parts.clock.now();
    const { agent } = live.known;
    const missed = armed.every_ms === null ? 0 : Math.floor((now - armed.at) / armed.every_ms);
    const next = armed.every_ms === null ? null : armed.at + armed.every_ms * (missed + 1);
    const payload = { timer, late_ms: Math.max(0, now - armed.at), next_at: next };
    const fired: NewAgentEvent = { id: eventIdOf('fired', agent, timer, armed.at), type: 'timer.fired', payload };
    const message = eventIdOf('timer', agent, timer, armed.at);
    const arriving = {
      ...this.#arriving(message, 'timer', armed.name, armed.body),
      from: agent,
      cause: this.#causeOf(armed.index),
    };
    const answer = await this.#accept(agent, arriving, [this.#write(agent, [fired])]);
    if (answer.type !== 'accepted') return this.#arm(agent, timer, now + TIMER_AGAIN_MS);
    if (next === null) live.view.timers.delete(timer);
    else {
      live.view.timers.set(timer, { ...armed, at: next });
      this.#arm(agent, timer, next);
    }
  }

  #endWait(live: Live, { turn, wait, event }: TimerValue & { readonly type: 'wait' }): void {
    const memory = live.view.turns.get(turn);
    if (memory === undefined || !isParked(memory) || live.due.has(turn)) return;
    const parked = memory.parked?.waits.find(({ ordinal }) => ordinal === wait.ordinal);
    if (parked === undefined) return;
    const withinMs = Math.max(0, (parked.until ?? 0) - (memory.parked?.at ?? 0));
    live.due.set(turn, {
      wait,
      outcome: event === null ? { type: 'ok', value: null } : { type: 'timeout', withinMs },
      signal: null,
    });
    live.mailbox.wake(turn);
    this.#kick(live);
  }

  // --- lives ---------------------------------------------------------------------------------------------------------

  async #spawn(parent: string | null, agent: AgentName, contract: string, options: SpawnData): Promise<Outcome> {
    const known = this.#known.get(agent);
    const defined = this.#contracts.get(contract);
    if (defined === undefined) {
      return {
        type: 'failed',
        code: 'contract.unknown',
        message: `expected an implementation of ${contract}, found none`,
      };
    }
    if (known?.isAlive === true && known.contract !== contract) {
      return { type: 'failed', code: 'agent.name_taken', message: `${agent} is a ${known.contract} already` };
    }
    if (known?.isAlive === true) return { type: 'ok', value: null };
    const view = viewOf(this.#parts.log, agent);
    const instance = (view.started?.instance ?? 0) + 1;
    const started: Started = { contract, digest: defined.digest, parent, ...options, instance };
    const registered = known ?? this.#register(agent, started);
    Object.assign(registered, { contract, parent, kind: options.restart, isAlive: true });
    await this.#append([this.#write(agent, [{ type: 'agent.started', payload: started }])]);
    if (registered.live !== undefined) this.#catchUp(registered.live);
    return { type: 'ok', value: null };
  }

  async #performStop(by: string, agent: string): Promise<Outcome> {
    const known = this.#known.get(agent);
    if (known === undefined || !known.isAlive) return { type: 'ok', value: null };
    if (agent === by) {
      this.#awaken(known).mustExit = true;
      return { type: 'ok', value: null };
    }
    if (known.parent !== by)
      return { type: 'denied', code: 'agent.not_a_child', message: `${agent} is no child of ${by}` };
    await this.#stop(agent, `stopped by ${by}`);
    return { type: 'ok', value: null };
  }

  /** The agent's instance has ended by itself: its supervisor decides. */
  async #exit(live: Live, exit: Exit): Promise<void> {
    const { known, view } = live;
    if (!known.isAlive || live.status !== 'ready') return;
    live.mustExit = false;
    await this.#halt(live);
    const { clock, random, supervise = {} } = this.#parts;
    const parent = known.parent === null ? undefined : this.#known.get(known.parent);
    const above = parent === undefined ? this.#root : this.#awaken(parent).view;
    const rules = parent === undefined ? supervise : (above.started?.supervise as Supervise);
    const children = this.#childrenOf(known.parent);
    const kinds = children.map((child) => ({
      agent: child.agent,
      kind: this.#awaken(child).view.started?.restart ?? 'permanent',
    }));
    const verdict = onExit(supervision(rules, kinds, above.incidents), known.agent, exit, clock.now());
    const incident = exit.type === 'normal' ? `${known.agent} ended` : exit.incident;
    const delayMs = verdict.type === 'restart' ? jittered(verdict.delayMs, random) : 0;
    const decided: NewAgentEvent = {
      type: 'supervisor.decided',
      payload: {
        child: known.agent,
        verdict: verdict.type,
        stop: verdict.type === 'forget' ? [] : [...verdict.stop],
        start: verdict.type === 'restart' ? [...verdict.start] : [],
        delay_ms: delayMs,
        incident,
      },
    };
    const why = exit.type === 'normal' ? 'stopped' : 'failed';
    const message = exit.type === 'normal' ? 'it said that it was done' : exit.why;
    const instance = view.started?.instance ?? 1;
    const returns = verdict.type === 'restart' && verdict.start.includes(known.agent);
    live.status = returns ? 'restarting' : 'stopping';
    await this.#append([
      this.#write(known.agent, [{ type: 'agent.exited', payload: { instance, why, message, returns } }]),
      this.#writeAbove(known.parent, [decided]),
    ]);
    if (parent === undefined) catchUp(this.#parts.log, ROOT_STREAM, this.#root);
    else this.#catchUp(this.#awaken(parent));
    if (!returns) await this.#bury(live, why);
    switch (verdict.type) {
      case 'forget':
        return;
      case 'restart':
        for (const sibling of verdict.stop) await this.#interrupt(sibling, verdict.start.includes(sibling));
        this.#restart(verdict.start, delayMs);
        return;
      case 'give_up': {
        for (const sibling of verdict.stop)
          if (sibling !== known.agent) await this.#stop(sibling, 'its supervisor gave up');
        if (parent === undefined) {
          this.#fault(
            new CodedError('node.gave_up', `expected ${known.agent} to stay up, found too many failures: ${message}`),
          );
          return;
        }
        await this.#exit(this.#awaken(parent), { type: 'abnormal', why: `gave up on ${known.agent}`, incident });
        return;
      }
    }
  }

  /** Ends a sibling's instance because another one failed. */
  async #interrupt(agent: string, returns: boolean): Promise<void> {
    const known = this.#known.get(agent);
    if (known?.isAlive !== true) return;
    const live = this.#awaken(known);
    if (!returns) return this.#stop(agent, 'a sibling failed');
    await this.#halt(live);
    live.status = 'restarting';
    const instance = live.view.started?.instance ?? 1;
    const payload = { instance, why: 'stopped' as const, message: 'a sibling failed', returns: true };
    await this.#append([this.#write(agent, [{ type: 'agent.exited', payload }])]);
  }

  /** Waits for the running turn, for as long as the agent may take to stop; then ends it. */
  async #halt(live: Live): Promise<void> {
    live.status = 'stopping';
    const { running } = live;
    if (running === undefined) return;
    const { clock } = this.#parts;
    const limitMs = live.view.started?.stop_within_ms ?? 0;
    try {
      await withDeadline(running.ended, { clock, limitMs, what: 'the turn to end' });
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      this.#hosts.get(live.known.contract)?.process.send({ type: 'drop', turn: running.id });
      running.abandon();
      this.#putBack(live, running);
    }
  }

  #restart(agents: readonly string[], delayMs: number): void {
    for (const agent of agents) {
      const live = this.#known.get(agent)?.live;
      if (live !== undefined) live.status = 'restarting';
    }
    this.#track(
      this.#pause(delayMs).then(async () => {
        if (this.#phase !== 'open') return;
        for (const agent of agents) await this.#startAgain(agent);
      }),
    );
  }

  async #startAgain(agent: string): Promise<void> {
    const known = this.#known.get(agent);
    if (known?.isAlive !== true) return;
    const live = this.#awaken(known);
    const { started } = live.view;
    assert(started !== undefined, 'a restart is not a first start');
    const payload = { ...started, instance: started.instance + 1 };
    await this.#append([this.#write(agent, [{ type: 'agent.started', payload }])]);
    this.#catchUp(live);
    live.status = 'ready';
    live.hostId = undefined;
    this.#kick(live);
  }

  /** Ends an agent for good, its children before it, the last started first. */
  async #stop(agent: string, message: string): Promise<void> {
    const known = this.#known.get(agent);
    if (known?.isAlive !== true) return;
    for (const child of this.#childrenOf(agent).toReversed()) await this.#stop(child.agent, message);
    const live = this.#awaken(known);
    await this.#halt(live);
    live.status = 'stopping';
    const instance = live.view.started?.instance ?? 1;
    const payload = { instance, why: 'stopped' as const, message, returns: false };
    await this.#append([this.#write(agent, [{ type: 'agent.exited', payload }])]);
    await this.#bury(live, 'stopped');
  }

  /** What is left of an agent that will not come back: dead letters, and notices to those who watched. */
  async #bury(live: Live, why: 'stopped' | 'failed'): Promise<void> {
    const { known } = live;
    known.isAlive = false;
    for (const child of this.#childrenOf(known.agent).toReversed())
      await this.#stop(child.agent, 'its parent has ended');
    for (const accepted of live.view.inbox.values()) {
      const id = eventIdOf('dead', known.agent, accepted.message);
      const payload = {
        message: accepted.message,
        code: 'agent.stopped',
        detail: `${known.agent} has ended`,
        attempts: 0,
      };
      await this.#append([this.#write(known.agent, [{ id, type: 'message.dead_lettered', payload }])]);
      this.#answer(accepted.message, { type: 'died', message: `${known.agent} has ended`, event: id });
    }
    this.#hosts.get(known.contract)?.process.send({ type: 'evict', agent: known.agent });
    known.live = undefined;
    this.#notify(known.agent, why, live.view.started?.instance ?? 1);
  }

  #watch(watched: string, watcher: string, name: string): void {
    const watchers = this.#watches.get(watched) ?? new Map<string, string>();
    this.#watches.set(watched, watchers.set(watcher, name));
  }

  /** Tells the watchers of an agent that had ended before they asked. */
  #notifyEnded(agent: string): void {
    const { exited } = viewOf(this.#parts.log, agent);
    this.#notify(agent, exited === undefined ? 'unknown' : exited.why, exited?.instance ?? 0);
  }

  /** Tells the watchers, once. */
  #notify(agent: string, why: Terminated['why'], instance: number): void {
    const watchers = this.#watches.get(agent) ?? [];
    this.#watches.delete(agent);
    for (const [watcher, name] of watchers) {
      const message = eventIdOf('notice', agent, instance, watcher);
      const arriving = { ...this.#arriving(message, 'notice', name, { agent, instance, why }), from: agent };
      this.#track(this.#accept(watcher, arriving));
    }
  }

  /** In start order. */
  #childrenOf(parent: string | null): readonly Known[] {
    return [...this.#known.values()].filter((known) => known.parent === parent && known.isAlive);
  }

  /** N7. */
  #armSweep(): void {
    const { clock, idleMs = 120_000 } = this.#parts;
    this.#sweep = clock.after(idleMs, () => {
      const before = clock.monotonicMs() - idleMs;
      for (const known of this.#known.values()) {
        const { live } = known;
        if (live === undefined || live.activeMs > before || live.accepting > 0) continue;
        if (live.isServing || live.status !== 'ready' || live.sending.size > 0 || live.due.size > 0) continue;
        if (!live.view.isIdle) continue;
        this.#hosts.get(known.contract)?.process.send({ type: 'evict', agent: known.agent });
        known.live = undefined;
      }
      this.#endIdleHosts();
      if (this.#phase === 'open') this.#armSweep();
    });
  }

  /** A host none of whose agents is awake costs a process for nothing. Its end is no exit. */
  #endIdleHosts(): void {
    const awake = new Set(
      [...this.#known.values()].flatMap(({ contract, live }) => (live === undefined ? [] : [contract])),
    );
    for (const [contract, hosted] of this.#hosts) {
      if (awake.has(contract) || hosted.turns.size > 0) continue;
      hosted.isOver = true;
      this.#hosts.delete(contract);
      hosted.process.kill({ code: 'host.idle', message: 'no agent of it is awake' });
    }
  }

  // --- hosts ---------------------------------------------------------------------------------------------------------

  #hostOf(contract: string): Hosted {
    const running = this.#hosts.get(contract);
    if (running !== undefined && !running.isOver) return running;
    const turns = new Map<string, RunningTurn>();
    const hosted: Hosted = {
      turns,
      isOver: false,
      process: this.#parts.hosts.start(contract, {
        heard: (message) => this.#heard(hosted, message),
        exited: (exit) => this.#track(this.#hostExited(contract, hosted, exit)),
      }),
    };
    this.#hosts.set(contract, hosted);
    return hosted;
  }

  #say(hosted: Hosted, message: ToHost): void {
    if (!hosted.isOver) hosted.process.send(message);
  }

  #heard(hosted: Hosted, message: FromHost): void {
    if (message.type === 'ready') return;
    const turn = hosted.turns.get(message.turn);
    if (turn === undefined) return;
    turn.heardMs = this.#parts.clock.monotonicMs();
    if (message.type === 'operation') this.#operation(hosted, turn, message.ordinal, message.operation);
    else turn.end(message);
  }

  async #hostExited(contract: string, hosted: Hosted, exit: HostExit): Promise<void> {
    if (hosted.isOver) return;
    hosted.isOver = true;
    if (this.#hosts.get(contract) === hosted) this.#hosts.delete(contract);
    if (this.#phase === 'closed') return;
    const { process } = hosted;
    const event: NewAgentEvent = {
      type: 'host.exited',
      payload: { host: process.id, code: exit.code, message: exit.message },
    };
    const stream = unwrap(parseStreamId(`host/${contract}`), 'a contract name makes a stream');
    await this.#append([{ stream, expected: 'any', events: [this.#event(event, null)] }]);
    for (const turn of hosted.turns.values()) {
      turn.end({ type: 'lost', incident: `host ${process.id}`, code: exit.code, message: exit.message });
    }
  }

  // --- records -------------------------------------------------------------------------------------------------------

  /** Appends to the agent's stream and folds what was appended into its view. */
  async #record(live: Live, events: readonly NewAgentEvent[], because?: Accepted): Promise<void> {
    const { agent } = live.known;
    const cause = because === undefined ? {} : { cause: this.#causeOf(because.index) };
    const correlation = because?.correlation === undefined ? {} : { correlation: because.correlation };
    const written = events.map((event) => ({ ...cause, ...correlation, ...event }));
    await this.#append([this.#write(agent, written)]);
    this.#catchUp(live);
  }

  async #append(writes: readonly Write[]): Promise<readonly Recorded[]> {
    try {
      return await this.#parts.log.append(perStream(writes));
    } catch (error) {
      this.#fault(error);
      throw error;
    }
  }

  #write(agent: string, events: readonly NewAgentEvent[]): Write {
    return { stream: streamOf(agent), expected: 'any', events: events.map((event) => this.#event(event, agent)) };
  }

  #writeAbove(parent: string | null, events: readonly NewAgentEvent[]): Write {
    const stream = parent === null ? ROOT_STREAM : streamOf(parent);
    return { stream, expected: 'any', events: events.map((event) => this.#event(event, parent)) };
  }

  #event({ id, type, payload, ...rest }: NewAgentEvent, agent: string | null): NewEvent {
    return {
      id: id ?? this.#newId(),
      type: eventType(type),
      actor: this.#didOf(agent),
      payload: { type: 'json', value: payload as JsonValue },
      ...rest,
    };
  }

  #causeOf(index: number): Cause {
    return { origin: this.#origin, index, leaf: digestText(this.#parts.log.leaf(index)) };
  }

  /** Agents of a node act under its identity, until they have their own. */
  #didOf(_agent: string | null): Did {
    return this.#parts.log.did;
  }

  #newId(): EventId {
    return newEventId(this.#parts.clock, this.#parts.random);
  }

  // --- work in the background ----------------------------------------------------------------------------------------

  #track(work: Promise<unknown>): void {
    const watched = work.catch((error: unknown) => this.#fault(error)).finally(() => this.#work.delete(watched));
    this.#work.add(watched);
  }

  #pause(ms: number): Promise<void> {
    if (ms === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#parts.clock.after(ms, resolve);
    return promise;
  }

  /** N8. */
  #fault(error: unknown): void {
    const cause = error instanceof Error ? error : new CodedError('node.failed', messageOf(error));
    void this.#close(cause);
  }

  async #close(cause: Error | undefined): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#alarm?.[Symbol.dispose]();
    this.#sweep?.[Symbol.dispose]();
    for (const { live } of this.#known.values()) live?.running?.abandon();
    for (const { process } of this.#hosts.values())
      process.kill({ code: 'node.closed', message: 'the node has ended' });
    for (const message of [...this.#waiters.keys()])
      this.#answer(message, { type: 'died', message: 'the node has ended' });
    await this.#kernel[Symbol.asyncDispose]();
    this.#ended.resolve(cause);
  }
}

type SpawnData = Pick<Started, 'restart' | 'stop_within_ms' | 'supervise'>;

const ROOT_STREAM = unwrap(parseStreamId('node/supervisor'), 'a stream');
const SEND_AGAIN_MS_MIN = 100;
const SEND_AGAIN_MS_MAX = 30_000;
const TIMER_AGAIN_MS = 1_000;
/** Events from outside that may wait for a turn that waits for them. */
const SIGNALS_MAX = 512;
/** Timers of JavaScript overflow past 24 days. */
const ALARM_MS_MAX = 3_600_000;
const TOO_MANY_ENTRIES = {
  code: 'turn.too_many_entries',
  message: `expected at most ${ENTRIES_PER_SEGMENT_MAX} facts, messages and timers in one segment`,
};

/** One write per stream, as the log wants it; nothing changes its order within a stream. */
function perStream(writes: readonly Write[]): readonly Write[] {
  const merged = new Map<string, Write>();
  for (const write of writes) {
    const before = merged.get(write.stream);
    merged.set(write.stream, before === undefined ? write : { ...before, events: [...before.events, ...write.events] });
  }
  return [...merged.values()];
}

function nextTo(live: Live, to: string): Sent | undefined {
  return [...live.view.outbox.values()].find((sent) => sent.to === to);
}

function mapMessages(
  contract: Contract,
  make: (name: string, spec: ContractSpec['messages'][string]) => unknown,
): object {
  return Object.fromEntries(Object.entries(contract.spec.messages).map(([name, spec]) => [name, make(name, spec)]));
}
