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
 * N9. A turn may begin while the acceptance of its message is on its way to the disk: what it does, says and answers comes
 *     to the disk later, and is seen by nobody before.
 *
 * It owns the kernel and the hosts, not the log. Here is what the outside sees; how it is done stands in the parts that
 * `shell.ts` names.
 */

import type { JsonValue } from '../codec/json.ts';
import type { Cause, EventId } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { DeadlineError, withDeadline } from '../core/deadline.ts';
import { CodedError } from '../core/errors.ts';
import type { Action } from '../kernel/action.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import { NO_EPOCHS } from '../kernel/gate.ts';
import { Kernel } from '../kernel/kernel.ts';
import type { NotOk, Outcome } from '../kernel/outcome.ts';
import { Alarms } from './alarms.ts';
import { Background } from './background.ts';
import type { AskOptions, Asks, SpawnOptions, Tells } from './context.ts';
import { type Contract, type ContractSpec, withinOf } from './contract.ts';
import { type DeadLetter, deadLettersIn, findDeadLetter, retryIdOf } from './dead-letters.ts';
import { toMillis } from './duration.ts';
import { NodeEffects } from './effects.ts';
import { HostPool } from './host-pool.ts';
import { NodeInbox } from './inbox.ts';
import { type Arriving, arrivingOf, type Governed, Roster, type SpawnData } from './live.ts';
import { NodeLives } from './lives.ts';
import { spawnData } from './make-context.ts';
import type { NodeParts } from './node-parts.ts';
import { NodeOutbox } from './outbox.ts';
import { Records } from './records.ts';
import { agentName, type Ref } from './ref.ts';
import { arrivalIdOf, type Incoming, type Receiver } from './remote.ts';
import type { NewAgentEvent } from './segment-events.ts';
import type { Shell } from './shell.ts';
import { ring } from './timers.ts';
import { arrivalActionOf, payingFor, retryActionOf, splitTarget } from './turn-action.ts';
import { NodeTurns } from './turns.ts';
import { NodeWaking } from './waking.ts';

export class AgentNode implements AsyncDisposable, Receiver {
  readonly #shell: Shell;
  readonly #inbox: NodeInbox;
  readonly #outbox: NodeOutbox;
  readonly #turns: NodeTurns;
  readonly #lives: NodeLives;
  readonly #waking: NodeWaking;
  readonly #ended = Promise.withResolvers<Error | undefined>();

  private constructor(parts: NodeParts) {
    const { log, clock, random, gates = {}, epochs = () => NO_EPOCHS } = parts;
    const background = new Background(clock, (cause) => void this.#close(cause));
    const records = new Records(parts, background);
    const pool = new HostPool(parts, background, records, (turn, { ordinal, operation }) =>
      this.#shell.effects.begin(turn, ordinal, operation),
    );
    const alarms: Shell['alarms'] = new Alarms(clock, background, (value) => ring(this.#shell, value));
    const contracts = new Map(parts.contracts.map((contract) => [contract.name, contract]));
    const shared = { parts, contracts, background, records, pool, alarms, roster: new Roster() };
    // The parts hold the shell and look into it when they are called, which is after all of them are there.
    const shell = shared as typeof shared & { -readonly [P in keyof Shell]: Shell[P] };
    const effects = new NodeEffects(shell);
    shell.effects = effects;
    shell.kernel = new Kernel({
      log,
      clock,
      random,
      gates,
      epochs,
      executorOf: (action) => effects.executorOf(action),
    });
    this.#inbox = shell.inbox = new NodeInbox(shell);
    this.#outbox = shell.outbox = new NodeOutbox(shell);
    this.#turns = shell.turns = new NodeTurns(shell);
    this.#lives = shell.lives = new NodeLives(shell);
    this.#waking = shell.waking = new NodeWaking(shell);
    this.#shell = shell;
  }

  /** Opens a node over a log: whatever its agents had not finished goes on. */
  static open(parts: NodeParts): AgentNode {
    const node = new AgentNode(parts);
    node.#lives.recover();
    node.#waking.recover();
    node.#lives.notifyAllEnded();
    node.#waking.armSweep();
    return node;
  }

  /** Resolves when the node ends by itself: with the reason, if that was a fault. */
  get ended(): Promise<Error | undefined> {
    return this.#ended.promise;
  }

  /** Agents known, and those in memory. */
  get census(): { readonly known: number; readonly awake: number; readonly running: number } {
    return this.#shell.roster.census;
  }

  /** Messages that wait for its agents, and how long the oldest turn under way has taken, 0 if there is none. */
  get load(): { readonly mailbox: number; readonly turnMs: number } {
    const { mailbox, oldestTurnMs } = this.#shell.roster.load;
    const now = this.#shell.parts.clock.monotonicMs();
    return { mailbox, turnMs: oldestTurnMs === undefined ? 0 : Math.floor(now - oldestTurnMs) };
  }

  /** Starts an agent under the root, unless it is there already. */
  async spawn<S extends ContractSpec>(contract: Contract<S>, agent: string, options?: SpawnOptions): Promise<Ref<S>> {
    const ref = { contract, agent: agentName(agent) };
    const spawned = await this.#lives.spawn(null, ref.agent, contract.name, spawnData(options ?? {}) as SpawnData);
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
      const message = this.#shell.records.newId();
      const answer = await this.#inbox.accept(ref.agent, arrivingOf(message, 'tell', name, input));
      return answer.type === 'accepted' ? { type: 'ok', value: { message }, event: answer.event } : answer;
    });
    return tells as Tells<S>;
  }

  /** Reports an event from outside that a parked turn of the agent waits for, or will. */
  async signal(agent: string, event: string, body: JsonValue): Promise<Outcome> {
    const answer = await this.#inbox.accept(agent, arrivingOf(this.#shell.records.newId(), 'signal', event, body));
    return answer.type === 'accepted' ? { type: 'ok', value: null, event: answer.event } : answer;
  }

  /** The messages that were given up, for one agent or for all. Reads the log. */
  deadLetters(agent?: string): readonly DeadLetter[] {
    return [...deadLettersIn(this.#shell.parts.log)].filter((letter) => agent === undefined || letter.agent === agent);
  }

  /**
   * Puts a dead letter back as a new message, which has the end of the old one as its cause; `ok` once that is durably
   * accepted, and again with the same message for whoever retries again. What an agent sent is decided again, by the gates
   * of now; nobody waits for the answer. `message.not_found` · `message.not_dead` for anything else.
   */
  async retry(message: string): Promise<Outcome<{ readonly message: EventId }>> {
    const { background, parts, records } = this.#shell;
    const letter = findDeadLetter(parts.log, message);
    if (letter === 'not_found' && !this.#isOnItsWay(message)) {
      return { type: 'failed', code: 'message.not_found', message: `expected a message, found none of id ${message}` };
    }
    if (letter === 'not_found' || letter === 'not_dead') {
      const found = `expected a dead letter, found ${message}, which was not given up`;
      return { type: 'failed', code: 'message.not_dead', message: found };
    }
    if (!background.isOpen) return { type: 'busy', retryAfterMs: 1_000 };
    const { agent, from, did, name, body, correlation } = letter;
    const retry = retryIdOf(agent, letter.message);
    if (letter.retried !== null)
      return { type: 'ok', value: { message: retry }, event: eventIdOf('accepted', agent, retry) };
    const cause = records.causeOf(letter.index);
    const action = this.#saidIn(letter, cause);
    const governed: Governed =
      action === undefined ? { type: 'allowed', record: {}, judged: null } : this.#govern(action);
    if (governed.type === 'refused') return governed.outcome;
    const kind = letter.kind === 'signal' ? 'signal' : 'tell';
    const pays = action === undefined ? {} : payingFor(parts, action, governed.record.decision?.delegations);
    const elsewhere = did === null ? {} : { did };
    const arriving = { ...arrivingOf(retry, kind, name, body), from, ...elsewhere, correlation, cause, ...pays };
    const payload = { judged: governed.judged, message: letter.message, retry };
    const id = eventIdOf('retried', agent, letter.message);
    const said = action === undefined ? {} : { principal: action.actor, ...governed.record };
    const retried: NewAgentEvent = { id, type: 'message.retried', payload, cause, correlation, ...said };
    const answer = await this.#inbox.accept(agent, arriving, [records.of(agent, [retried])]);
    return answer.type === 'accepted' ? { type: 'ok', value: { message: retry }, event: answer.event } : answer;
  }

  /** Stops an agent and, before it, its children; its supervisor does not start it again. */
  async stop(agent: string): Promise<void> {
    await this.#lives.stop(agent, 'stopped by the operator');
  }

  /** Stops an agent from taking turns until `resume`; what arrives for it waits. A turn under way ends where it is, and
   *  goes on then with what it had recorded. */
  async suspend(agent: string, why: string): Promise<void> {
    await this.#setSuspended(agent, { type: 'agent.suspended', payload: { why } });
  }

  async resume(agent: string): Promise<void> {
    await this.#setSuspended(agent, { type: 'agent.resumed', payload: {} });
  }

  /** The agent's ring or sponsor is another now: if its turn under way runs where it no longer may, it goes on elsewhere. */
  moved(agent: string): void {
    const live = this.#shell.roster.get(agent)?.live;
    if (live?.running === undefined || this.#shell.pool.isAtHome(live.running, live.known.contract)) return;
    this.#turns.interrupt(live);
  }

  /** The agents that live here. */
  get living(): readonly string[] {
    return [...this.#shell.roster.all].filter(({ isAlive }) => isAlive).map(({ agent }) => agent);
  }

  /** The agents that have something to say: those that live here, and those that ended before all they said was delivered. */
  get speaking(): readonly string[] {
    return [...new Set([...this.living, ...this.#outbox.speaking])];
  }

  hosts(agent: string): boolean {
    return this.#shell.roster.isAlive(agent) || this.#outbox.isSpeaking(agent);
  }

  async accept(incoming: Incoming): Promise<Outcome<null>> {
    const answer = await this.#inbox.accept(incoming.to, this.#arrivingFrom(incoming));
    return answer.type === 'accepted' ? { type: 'ok', value: null, event: answer.event } : answer;
  }

  async answer(incoming: Incoming): Promise<Outcome> {
    const withinMs = Math.max(0, incoming.deadline - this.#shell.parts.clock.now());
    return this.#within(this.#inbox.request(incoming.to, this.#arrivingFrom(incoming)), withinMs, incoming.to);
  }

  gone(agent: string): void {
    if (!this.#shell.roster.isAlive(agent)) this.#lives.notifyEnded(agent);
  }

  /**
   * Ends in order: takes nothing new, lets turns that run come to an end, ends those that do not within `withinMs`; what
   * they had begun is resolved when the log is opened again.
   */
  async drain(withinMs = 10_000): Promise<void> {
    const { background, parts, roster } = this.#shell;
    if (!background.isOpen) return;
    background.phase = 'draining';
    try {
      const idle = Promise.allSettled([...this.#turns.serving, ...this.#inbox.pending]);
      if (withinMs === 0) throw new DeadlineError('turns to end', 0);
      await withDeadline(idle, { clock: parts.clock, limitMs: withinMs, what: 'turns to end' });
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      for (const live of roster.awake()) live.running?.abandon();
    }
    for (const live of roster.awake()) this.#waking.keep(live);
    await this.#close(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }

  async #askFromOutside(ref: Ref, name: string, input: JsonValue, withinMs: number): Promise<Outcome> {
    const { parts, records } = this.#shell;
    const deadline = parts.clock.now() + withinMs;
    const asked = this.#inbox.request(ref.agent, { ...arrivingOf(records.newId(), 'ask', name, input), deadline });
    return this.#within(asked, withinMs, ref.agent);
  }

  async #within(asked: Promise<Outcome>, withinMs: number, agent: string): Promise<Outcome> {
    const { clock } = this.#shell.parts;
    try {
      return await withDeadline(asked, { clock, limitMs: withinMs, what: `an answer of ${agent}` });
    } catch (error) {
      if (error instanceof DeadlineError) return { type: 'timeout', withinMs };
      throw error;
    }
  }

  async #setSuspended(agent: string, event: NewAgentEvent): Promise<void> {
    const { records, roster } = this.#shell;
    const known = roster.get(agent);
    if (known?.isAlive !== true) throw new CodedError('agent.not_found', `expected ${agent} to be alive`);
    const live = this.#waking.awaken(known);
    await records.add(live, [event]);
    if (live.view.isSuspended) this.#turns.interrupt(live);
    else this.#turns.kick(live);
  }

  #isOnItsWay(message: string): boolean {
    return [...this.#shell.roster.awake()].some(({ view }) => view.outbox.has(message));
  }

  /** What an agent said needs its yes again; an operator's message, a timer, a notice and a signal never needed one. */
  #saidIn(letter: DeadLetter, cause: Cause): Action | undefined {
    const { kind, from: sender, agent } = letter;
    if (sender === null || (kind !== 'ask' && kind !== 'tell')) return undefined;
    const { contracts, records, roster } = this.#shell;
    const contract = contracts.get(roster.get(agent)?.contract ?? '');
    return retryActionOf(letter, { contract, sender, actor: records.didOf(sender), cause });
  }

  #govern(action: Action): Governed {
    const { decision, recorded, judged } = this.#shell.kernel.admit(action);
    const { contract } = splitTarget(action.target);
    if (decision.verdict === 'allow') {
      const { at, owed, ring, risk } = judged; // in the order of names, in which JSON is written fastest
      return { type: 'allowed', record: { decision: recorded }, judged: { at, contract, owed, ring, risk } };
    }
    return { type: 'refused', outcome: this.#refuse(action) };
  }

  /** A message of another node, under an id that no other sender can have chosen. Its sender's node has decided it; this one
   *  decides it, too, since it knows nothing of how well the other does. */
  #arrivingFrom({ from, message, to, pay, ...incoming }: Incoming): Arriving {
    const id = arrivalIdOf(from.did, message);
    const { kind, name, body, chain, deadline, correlation, cause, envelope } = incoming;
    const because = cause === undefined ? {} : { cause };
    const sender = { from: from.agent, did: from.did, chain, deadline, correlation, envelope };
    const govern = (): Governed => {
      const contract = this.#shell.contracts.get(this.#shell.roster.get(to)?.contract ?? '');
      return this.#govern(arrivalActionOf({ ...sender, ...because, id, kind, name, body }, { contract, to }));
    };
    const paid = pay === undefined ? {} : { pay };
    return { ...arrivingOf(id, kind, name, body), ...sender, ...because, govern, ...paid };
  }

  /** Records that the gates refuse an action. */
  async #refuse(action: Action): Promise<NotOk> {
    const outcome = await this.#shell.kernel.perform(action, new AbortController().signal);
    assert(outcome.type !== 'ok', 'what is decided twice in one tick is decided alike');
    return outcome;
  }

  async #close(cause: Error | undefined): Promise<void> {
    const { alarms, background, kernel, pool, roster } = this.#shell;
    if (background.phase === 'closed') return;
    background.phase = 'closed';
    alarms.close();
    this.#waking.close();
    this.#outbox.close();
    for (const live of roster.awake()) live.running?.abandon();
    pool.close();
    this.#inbox.close();
    await kernel[Symbol.asyncDispose]();
    this.#ended.resolve(cause);
  }
}

function mapMessages(
  contract: Contract,
  make: (name: string, spec: ContractSpec['messages'][string]) => unknown,
): object {
  return Object.fromEntries(Object.entries(contract.spec.messages).map(([name, spec]) => [name, make(name, spec)]));
}
