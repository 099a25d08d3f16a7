/** Beginnings and ends of agents: started, stopped, ended by a fault, started again as their supervisor says. */
import { assert } from '../core/assert.ts';
import { DeadlineError, withDeadline } from '../core/deadline.ts';
import { CodedError } from '../core/errors.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { Outcome } from '../kernel/outcome.ts';
import { catchUp, viewOf } from './agent-stream.ts';
import { AgentView, type Started } from './agent-view.ts';
import type { Terminated } from './context.ts';
import { arrivingOf, type Known, type Live, type SpawnData } from './live.ts';
import { ROOT_STREAM } from './records.ts';
import { type AgentName, GUESTS } from './ref.ts';
import type { NewAgentEvent } from './segment-events.ts';
import type { Lives, Shell } from './shell.ts';
import { type Exit, jittered, onExit, type Supervise, supervision, type Verdict } from './supervision.ts';

export class NodeLives implements Lives {
  readonly #shell: Shell;
  /** The supervisor of agents without a parent. */
  readonly #root = new AgentView();
  /** Who is watched, by whom, and by which message. */
  readonly #watches = new Map<string, Map<string, string>>();

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** Folds what the root supervisor has recorded. */
  recover(): void {
    catchUp(this.#shell.parts.log, ROOT_STREAM, this.#root);
  }

  /** Tells the watchers of everybody who ended while the node was down. */
  notifyAllEnded(): void {
    const { parts, roster } = this.#shell;
    for (const watched of this.#watches.keys()) {
      const isElsewhere = roster.get(watched) === undefined && parts.remote?.find(watched) !== undefined;
      if (!roster.isAlive(watched) && !isElsewhere) this.notifyEnded(watched);
    }
  }

  async spawn(parent: string | null, agent: AgentName, contract: string, options: SpawnData): Promise<Outcome> {
    const { contracts, parts, records, roster } = this.#shell;
    const known = roster.get(agent);
    if (agent.startsWith(GUESTS)) {
      const message = `expected no name below ${GUESTS}, found ${agent}`;
      return { type: 'failed', code: 'agent.name_reserved', message };
    }
    const defined = contracts.get(contract);
    if (defined === undefined) {
      const message = `expected an implementation of ${contract}, found none`;
      return { type: 'failed', code: 'contract.unknown', message };
    }
    if (known?.isAlive === true && known.contract !== contract) {
      return { type: 'failed', code: 'agent.name_taken', message: `${agent} is a ${known.contract} already` };
    }
    if (known?.isAlive === true) return { type: 'ok', value: null };
    const view = viewOf(parts.log, agent);
    const instance = (view.started?.instance ?? 0) + 1;
    const started: Started = { contract, digest: defined.digest, parent, ...options, instance };
    const registered = known ?? roster.register(agent, started);
    Object.assign(registered, { contract, parent, kind: options.restart, isAlive: true });
    await records.append([records.of(agent, [{ type: 'agent.started', payload: started }])]);
    if (registered.live !== undefined) records.catchUp(registered.live);
    parts.onLife?.(agent, true);
    return { type: 'ok', value: null };
  }

  async performStop(by: string, agent: string): Promise<Outcome> {
    const { roster, waking } = this.#shell;
    const known = roster.get(agent);
    if (known === undefined || !known.isAlive) return { type: 'ok', value: null };
    if (agent === by) {
      waking.awaken(known).mustExit = true;
      return { type: 'ok', value: null };
    }
    if (known.parent !== by) {
      return { type: 'denied', code: 'agent.not_a_child', message: `${agent} is no child of ${by}` };
    }
    await this.stop(agent, `stopped by ${by}`);
    return { type: 'ok', value: null };
  }

  async exit(live: Live, exit: Exit): Promise<void> {
    const { known } = live;
    if (!known.isAlive || live.status !== 'ready') return;
    live.mustExit = false;
    await this.#halt(live);
    const { clock, random } = this.#shell.parts;
    const incident = exit.type === 'normal' ? `${known.agent} ended` : exit.incident;
    const verdict = onExit(this.#supervisionOf(known.parent), known.agent, exit, clock.now());
    const delayMs = verdict.type === 'restart' ? jittered(verdict.delayMs, random) : 0;
    const returns = verdict.type === 'restart' && verdict.start.includes(known.agent);
    live.status = returns ? 'restarting' : 'stopping';
    const why = exit.type === 'normal' ? 'stopped' : 'failed';
    const message = exit.type === 'normal' ? 'it said that it was done' : exit.why;
    await this.#recordExit(live, { why, message, returns }, decidedBy(known.agent, verdict, delayMs, incident));
    if (!returns) await this.#bury(live, why);
    switch (verdict.type) {
      case 'forget':
        return;
      case 'restart':
        for (const sibling of verdict.stop) await this.#interrupt(sibling, verdict.start.includes(sibling));
        this.restart(verdict.start, delayMs);
        return;
      case 'give_up':
        await this.#giveUp(live, verdict.stop, message, incident);
        return;
    }
  }

  restart(agents: readonly string[], delayMs: number): void {
    const { background, roster } = this.#shell;
    for (const agent of agents) {
      const live = roster.get(agent)?.live;
      if (live !== undefined) live.status = 'restarting';
    }
    const restarted = background.pause(delayMs).then(async () => {
      if (!background.isOpen) return;
      for (const agent of agents) await this.#startAgain(agent);
    });
    background.track(restarted);
  }

  /** What was left to do for agents that ended before power was lost: their messages get an end, their children stop. */
  finish(ended: readonly { readonly known: Known; readonly view: AgentView }[]): void {
    const { background, roster } = this.#shell;
    for (const { known, view } of ended) background.track(this.#endMessages(known.agent, view));
    for (const { agent, parent, isAlive } of roster.all) {
      if (isAlive && parent !== null && !roster.isAlive(parent)) {
        background.track(this.stop(agent, 'its parent has ended'));
      }
    }
  }

  async endMessage(agent: string, message: string): Promise<void> {
    const { inbox, records } = this.#shell;
    const id = eventIdOf('dead', agent, message);
    const payload = { message, code: 'agent.stopped', detail: `${agent} has ended`, attempts: 0 };
    await records.append([records.of(agent, [{ id, type: 'message.dead_lettered', payload }])]);
    inbox.answer(message, { type: 'died', message: `${agent} has ended`, event: id });
  }

  async stop(agent: string, message: string): Promise<void> {
    const { roster, waking } = this.#shell;
    const known = roster.get(agent);
    if (known?.isAlive !== true) return;
    for (const child of roster.childrenOf(agent).toReversed()) await this.stop(child.agent, message);
    const live = waking.awaken(known);
    await this.#halt(live);
    live.status = 'stopping';
    await this.#recordExit(live, { why: 'stopped', message, returns: false });
    await this.#bury(live, 'stopped');
  }

  watch(watched: string, watcher: string, name: string): void {
    const watchers = this.#watches.get(watched) ?? new Map<string, string>();
    this.#watches.set(watched, watchers.set(watcher, name));
  }

  notifyEnded(agent: string): void {
    const { exited } = viewOf(this.#shell.parts.log, agent);
    this.#notify(agent, exited === undefined ? 'unknown' : exited.why, exited?.instance ?? 0);
  }

  #supervisionOf(parent: string | null) {
    const { parts, roster, waking } = this.#shell;
    const known = parent === null ? undefined : roster.get(parent);
    const above = known === undefined ? this.#root : waking.awaken(known).view;
    const rules = known === undefined ? (parts.supervise ?? {}) : (above.started?.supervise as Supervise);
    const children = roster.childrenOf(parent).map((child) => ({
      agent: child.agent,
      kind: waking.awaken(child).view.started?.restart ?? 'permanent',
    }));
    return supervision(rules, children, above.incidents);
  }

  async #recordExit(
    live: Live,
    exit: { readonly why: 'stopped' | 'failed'; readonly message: string; readonly returns: boolean },
    decided?: NewAgentEvent,
  ): Promise<void> {
    const { parts, records, roster, waking } = this.#shell;
    const { agent, parent } = live.known;
    const instance = live.view.started?.instance ?? 1;
    const exited = records.of(agent, [{ type: 'agent.exited', payload: { instance, ...exit } }]);
    await records.append(decided === undefined ? [exited] : [exited, records.ofSupervisor(parent, [decided])]);
    if (decided === undefined) return;
    const above = parent === null ? undefined : roster.get(parent);
    if (above === undefined) catchUp(parts.log, ROOT_STREAM, this.#root);
    else records.catchUp(waking.awaken(above));
  }

  /** Too many incidents: the supervisor stops its children and ends itself. */
  async #giveUp(live: Live, stop: readonly string[], message: string, incident: string): Promise<void> {
    const { background, roster, waking } = this.#shell;
    const { agent, parent } = live.known;
    for (const sibling of stop) if (sibling !== agent) await this.stop(sibling, 'its supervisor gave up');
    const above = parent === null ? undefined : roster.get(parent);
    if (above !== undefined) {
      await this.exit(waking.awaken(above), { type: 'abnormal', why: `gave up on ${agent}`, incident });
      return;
    }
    const found = `expected ${agent} to stay up, found too many failures: ${message}`;
    background.fault(new CodedError('node.gave_up', found));
  }

  /** Ends a sibling's instance because another one failed. */
  async #interrupt(agent: string, returns: boolean): Promise<void> {
    const { roster, waking } = this.#shell;
    const known = roster.get(agent);
    if (known?.isAlive !== true) return;
    const live = waking.awaken(known);
    if (!returns) return this.stop(agent, 'a sibling failed');
    await this.#halt(live);
    live.status = 'restarting';
    await this.#recordExit(live, { why: 'stopped', message: 'a sibling failed', returns: true });
  }

  /** Waits for the running turn, for as long as the agent may take to stop; then ends it. */
  async #halt(live: Live): Promise<void> {
    live.status = 'stopping';
    const { running } = live;
    if (running === undefined) return;
    const { parts, pool, turns } = this.#shell;
    const limitMs = live.view.started?.stop_within_ms ?? 0;
    try {
      await withDeadline(running.closed, { clock: parts.clock, limitMs, what: 'the turn to end' });
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      pool.drop(running);
      running.abandon();
      turns.putBack(live, running);
    }
  }

  async #startAgain(agent: string): Promise<void> {
    const { records, roster, turns, waking } = this.#shell;
    const known = roster.get(agent);
    if (known?.isAlive !== true) return;
    const live = waking.awaken(known);
    const { started } = live.view;
    assert(started !== undefined, 'a restart is not a first start');
    const payload = { ...started, instance: started.instance + 1 };
    await records.append([records.of(agent, [{ type: 'agent.started', payload }])]);
    records.catchUp(live);
    live.status = 'ready';
    live.hostId = undefined;
    turns.kick(live);
  }

  /** What is left of an agent that will not come back: dead letters, and notices to those who watched. */
  async #bury(live: Live, why: 'stopped' | 'failed'): Promise<void> {
    const { parts, pool, records, roster } = this.#shell;
    const { known } = live;
    const { agent } = known;
    known.isAlive = false;
    for (const child of roster.childrenOf(agent).toReversed()) await this.stop(child.agent, 'its parent has ended');
    records.catchUp(live); // what its last turn committed
    await this.#endMessages(agent, live.view);
    pool.evict(live.hostId, agent);
    known.live = undefined;
    parts.onLife?.(agent, false);
    this.#notify(agent, why, live.view.started?.instance ?? 1);
  }

  /** Nobody will answer what it was told. */
  async #endMessages(agent: string, view: AgentView): Promise<void> {
    for (const { message } of [...view.inbox.values(), ...view.signals.values()]) await this.endMessage(agent, message);
  }

  /** Tells the watchers, once. */
  #notify(agent: string, why: Terminated['why'], instance: number): void {
    const { background, inbox } = this.#shell;
    const watchers = this.#watches.get(agent) ?? [];
    this.#watches.delete(agent);
    for (const [watcher, name] of watchers) {
      const message = eventIdOf('notice', agent, instance, watcher);
      const arriving = { ...arrivingOf(message, 'notice', name, { agent, instance, why }), from: agent };
      background.track(inbox.accept(watcher, arriving));
    }
  }
}

function decidedBy(child: string, verdict: Verdict, delayMs: number, incident: string): NewAgentEvent {
  const payload = {
    child,
    verdict: verdict.type,
    stop: verdict.type === 'forget' ? [] : [...verdict.stop],
    start: verdict.type === 'restart' ? [...verdict.start] : [],
    delay_ms: delayMs,
    incident,
  };
  return { type: 'supervisor.decided', payload };
}
