/** Bringing agents into memory with everything that they had not finished, and putting them away again (N7). */
import { agentsIn, viewOf } from './agent-stream.ts';
import { type AgentView, isParked } from './agent-view.ts';
import type { Known, Live } from './live.ts';
import { laneOf, Mailbox, waitingOf } from './mailbox.ts';
import { agentName } from './ref.ts';
import type { Shell, Waking } from './shell.ts';
import { keepView, SNAPSHOT_EVENTS } from './snapshots.ts';
import { armAll } from './timers.ts';

const IDLE_MS = 120_000;

export class NodeWaking implements Waking {
  readonly #shell: Shell;
  #sweep: Disposable | undefined;

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** Every agent that the log knows; those with work go on. */
  recover(): void {
    const { alarms, lives, outbox, parts, roster } = this.#shell;
    const busy: { readonly known: Known; readonly view: AgentView }[] = [];
    const ended: { readonly known: Known; readonly view: AgentView }[] = [];
    for (const agent of agentsIn(parts.log)) {
      const view = viewOf(parts.log, agent);
      if (view.started === undefined) continue;
      const known = roster.register(agentName(agent), view.started);
      known.isAlive = view.isAlive;
      for (const [watched, name] of view.watches) lives.watch(watched, agent, name);
      if (!view.isAlive) {
        ended.push({ known, view });
        continue;
      }
      armAll(alarms, agent, view);
      if (!view.isIdle || view.signals.size > 0) busy.push({ known, view });
    }
    lives.finish(ended);
    for (const { known, view } of ended) if (view.outbox.size > 0) outbox.sendAll(this.#liveOf(known, view)); // V3
    for (const { known, view } of busy) if (!this.#isOrphan(known)) this.awaken(known, view);
  }

  awaken(known: Known, folded?: AgentView): Live {
    if (known.live !== undefined) return known.live;
    const { contracts, lives, outbox, parts, turns } = this.#shell;
    const view = folded ?? viewOf(parts.log, known.agent);
    const live = this.#liveOf(known, view);
    known.live = live;
    const contract = contracts.get(known.contract);
    for (const accepted of view.inbox.values()) {
      const memory = view.turns.get(accepted.message);
      if (memory?.parked !== undefined) {
        live.mailbox.park(accepted.message, laneOf(accepted, contract));
        if (!isParked(memory)) live.mailbox.wake(accepted.message);
      } else {
        live.mailbox.add(waitingOf(accepted, contract));
      }
    }
    if (view.exited?.returns === true) lives.restart([known.agent], 0);
    else if (view.isLeaving) this.#shell.background.track(lives.exit(live, { type: 'normal' }));
    for (const turn of view.turns.keys()) turns.takeSignal(live, turn);
    turns.kick(live);
    outbox.sendAll(live);
    return live;
  }

  #isOrphan({ parent }: Known): boolean {
    const { roster } = this.#shell;
    for (let above = parent; above !== null; above = roster.get(above)?.parent ?? null) {
      if (!roster.isAlive(above)) return true;
    }
    return false;
  }

  #liveOf(known: Known, view: AgentView): Live {
    return {
      known,
      view,
      mailbox: new Mailbox(),
      due: new Map(),
      running: undefined,
      isServing: false,
      mustExit: false,
      accepting: 0,
      ahead: 0,
      hostId: undefined,
      mustFold: false,
      keptVersion: view.version,
      status: 'ready',
      activeMs: this.#shell.parts.clock.monotonicMs(),
      sending: new Set(),
    };
  }

  /** Looks, again and again, for agents without work and hosts without agents. */
  armSweep(): void {
    const { background, parts, pool, roster } = this.#shell;
    const { clock, idleMs = IDLE_MS } = parts;
    this.#sweep = clock.after(idleMs, () => {
      const before = clock.monotonicMs() - idleMs;
      for (const live of roster.awake()) if (live.activeMs <= before && isIdle(live)) this.#putAway(live);
      pool.endIdle(new Set([...roster.awake()].map(({ hostId }) => hostId)));
      if (background.isOpen) this.armSweep();
    });
  }

  /** Keeps the view of an agent to which much has happened, for the next time. */
  keep(live: Live): void {
    if (live.view.version - live.keptVersion < SNAPSHOT_EVENTS) return;
    if (live.ahead > 0) return; // it may have folded what is not on disk yet (N9)
    keepView(this.#shell.parts.log, live.known.agent, live.view);
    live.keptVersion = live.view.version;
  }

  close(): void {
    this.#sweep?.[Symbol.dispose]();
  }

  #putAway(live: Live): void {
    this.keep(live);
    this.#shell.pool.evict(live.hostId, live.known.agent);
    live.known.live = undefined;
  }
}

function isIdle({ accepting, ahead, due, isServing, sending, status, view }: Live): boolean {
  if (accepting > 0 || ahead > 0 || isServing || status !== 'ready' || sending.size > 0 || due.size > 0) return false;
  return view.isIdle;
}
