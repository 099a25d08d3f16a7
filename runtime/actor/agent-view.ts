/**
 * What a node knows of one agent: a fold of the stream `agent/<name>`, and of nothing else. The same fold serves the first
 * start, the recovery after a crash, and an agent that comes back after it was put away.
 *
 * V0. Events are folded in the order of the stream, each once.
 * V1. A message is in the inbox from its acceptance to its commit or dead letter.
 * V2. A turn's journal holds what was settled under its key, in the order of the log. A decision that allows, neither
 *     settled nor abandoned, is a doubt.
 * V3. What an agent still owes the world (outbox, timers, wake-ups) survives everything but its own record.
 */
import type { Did } from '../codec/did.ts';
import type { JsonValue } from '../codec/json.ts';
import type { EventId } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { ABANDONED, type ActionAbandoned, type ActionDecided, type ActionSettled } from '../kernel/action-events.ts';
import type { Outcome } from '../kernel/outcome.ts';
import type { Recorded } from './protocol.ts';
import { AGENT_UPCASTS, type AgentPayload } from './vocabulary.ts';

/** A record, as far as the fold needs it. */
export type Fact = {
  readonly id: EventId;
  readonly index: number;
  readonly version: number;
  readonly type: string;
  readonly payload: JsonValue | undefined;
  readonly wallMs: number;
  readonly correlation?: EventId | undefined;
  readonly principal?: Did | undefined;
};

export type Accepted = AgentPayload<'message.accepted'> & {
  readonly index: number;
  readonly correlation: EventId | undefined;
  /** The sender, where it is an agent of another node: its name alone would not say who it is. */
  readonly did: Did | undefined;
};
export type Sent = AgentPayload<'message.sent'> & { readonly index: number };
export type Armed = AgentPayload<'timer.armed'> & { readonly index: number };
export type Parked = AgentPayload<'turn.parked'>;
export type Started = AgentPayload<'agent.started'>;

/** What a turn that is not over has recorded. */
export type TurnMemory = {
  /** When it began, or last went on. */
  at: number | undefined;
  journal: Recorded[];
  /** By ordinal: the number of the last attempt that was decided and not settled. */
  doubts: Map<number, number>;
  attempts: number;
  parked: Parked | undefined;
  /** What earlier segments have committed. */
  committed: { readonly entries: number; readonly digest: string } | null;
  /** Tells that earlier segments have sent. */
  sent: Set<string>;
  isStuck: boolean;
};

/** Whether a turn waits for something that has not come. */
export function isParked({ parked, journal }: TurnMemory): boolean {
  if (parked === undefined) return false;
  return !parked.waits.some((wait) => journal.some((entry) => entry.ordinal === wait.ordinal));
}

/** A view as JSON: maps as lists of their entries. */
export type ViewData = { readonly [member: string]: unknown };

export class AgentView {
  started: Started | undefined;
  exited: AgentPayload<'agent.exited'> | undefined;
  /** Whether it has asked to stop, and is to be stopped before it takes another turn. */
  isLeaving = false;
  /** Whether an operator has stopped it from taking turns. */
  isSuspended = false;
  /** The last event that it has folded; -1 for none. */
  version = -1;
  /** Facts so far. */
  emitted = 0;
  readonly inbox = new Map<string, Accepted>();
  /** Events from outside that no wait has taken yet. */
  readonly signals = new Map<string, Accepted>();
  readonly turns = new Map<string, TurnMemory>();
  readonly outbox = new Map<string, Sent>();
  readonly timers = new Map<string, Armed>();
  /** Whom it watches, and by which message it wants to hear of their end. */
  readonly watches = new Map<string, string>();
  /** As a supervisor: what happened to its children, for as long as it may matter. */
  incidents: { readonly atMs: number; readonly incident: string }[] = [];

  /** Whether it answers, now or after a restart. */
  get isAlive(): boolean {
    return this.started !== undefined && (this.exited === undefined || this.exited.returns);
  }

  /** Whether anything is left to do without news from outside. Timers and parked turns are woken from elsewhere. */
  get isIdle(): boolean {
    if (this.outbox.size > 0 || this.isLeaving || this.exited?.returns === true) return false;
    return [...this.inbox.keys()].every((turn) => {
      const memory = this.turns.get(turn);
      return memory !== undefined && (memory.isStuck || isParked(memory));
    });
  }

  turn(id: string): TurnMemory {
    const known = this.turns.get(id);
    if (known !== undefined) return known;
    const memory: TurnMemory = {
      at: undefined,
      journal: [],
      doubts: new Map(),
      attempts: 0,
      parked: undefined,
      committed: null,
      sent: new Set(),
      isStuck: false,
    };
    this.turns.set(id, memory);
    return memory;
  }

  toData(): ViewData {
    const { started, exited, isLeaving, isSuspended, version, emitted, incidents } = this;
    const turns = [...this.turns].map(([id, memory]) => [
      id,
      { ...memory, doubts: [...memory.doubts], sent: [...memory.sent] },
    ]);
    const maps = Object.fromEntries(MAPS.map((name) => [name, [...this[name]]]));
    return { started, exited, isLeaving, isSuspended, version, emitted, incidents, turns, ...maps };
  }

  /** The view that `toData` gave the data of. */
  static fromData({ turns, ...data }: ViewData): AgentView {
    const view = new AgentView();
    const { started, exited, isLeaving, isSuspended, version, emitted, incidents } = data as unknown as AgentView;
    Object.assign(view, { started, exited, isLeaving, isSuspended, version, emitted, incidents });
    for (const name of MAPS) {
      const map: Map<string, unknown> = view[name];
      for (const [key, value] of data[name] as readonly [string, unknown][]) map.set(key, value);
    }
    for (const [id, memory] of turns as readonly [string, TurnData][]) {
      view.turns.set(id, { ...view.turn(id), ...memory, doubts: new Map(memory.doubts), sent: new Set(memory.sent) });
    }
    return view;
  }

  apply(fact: Fact): void {
    assert(fact.version === this.version + 1, 'V0: events of one stream, none left out');
    this.version = fact.version;
    const step = STEPS[fact.type];
    if (step !== undefined && fact.payload !== undefined) step(this, fact.payload as never, fact);
  }
}

const MAPS = ['inbox', 'signals', 'outbox', 'timers', 'watches'] as const;

/** JSON has no `undefined`: such members are left out, and are what a new memory has. */
type TurnData = Omit<TurnMemory, 'doubts' | 'sent'> & {
  readonly doubts: readonly [number, number][];
  readonly sent: readonly string[];
};

type Step = (view: AgentView, payload: never, fact: Fact) => void;

function step<P>(apply: (view: AgentView, payload: P, fact: Fact) => void): Step {
  return apply as Step;
}

const INCIDENTS_MAX = 1_000;

const STEPS: { readonly [type: string]: Step | undefined } = {
  'agent.started': step<Started>((view, payload) => {
    view.started = payload;
    view.exited = undefined;
    view.isLeaving = false;
  }),
  'agent.exited': step<AgentPayload<'agent.exited'>>((view, payload) => {
    view.exited = payload;
  }),
  'agent.leaving': step((view) => {
    view.isLeaving = true;
  }),
  'agent.suspended': step((view) => {
    view.isSuspended = true;
  }),
  'agent.resumed': step((view) => {
    view.isSuspended = false;
  }),
  'supervisor.decided': step<AgentPayload<'supervisor.decided'>>((view, { verdict, incident }, { wallMs }) => {
    if (verdict !== 'restart' || view.incidents.some((one) => one.incident === incident)) return;
    view.incidents = [...view.incidents, { atMs: wallMs, incident }].slice(-INCIDENTS_MAX);
  }),
  'message.accepted': step<AgentPayload<'message.accepted'>>(
    (view, payload, { index, correlation, principal: did }) => {
      const to = payload.kind === 'signal' ? view.signals : view.inbox;
      if (payload.kind === 'notice' && payload.from !== null) view.watches.delete(payload.from);
      to.set(payload.message, { ...payload, index, correlation, did });
    },
  ),
  'message.dead_lettered': step<AgentPayload<'message.dead_lettered'>>((view, { message }) => {
    view.inbox.delete(message);
    view.signals.delete(message);
    view.turns.delete(message);
  }),
  'agent.emitted': step((view) => {
    view.emitted += 1;
  }),
  'message.sent': step<AgentPayload<'message.sent'>>((view, payload, { index }) => {
    view.outbox.set(payload.message, { ...payload, index });
    view.turn(payload.turn).sent.add(payload.message);
  }),
  'message.delivered': step<AgentPayload<'message.delivered'>>((view, { message }) => {
    view.outbox.delete(message);
  }),
  'timer.armed': step<AgentPayload<'timer.armed'>>((view, payload, { index }) => {
    view.timers.set(payload.timer, { ...payload, index });
  }),
  'timer.cancelled': step<AgentPayload<'timer.cancelled'>>((view, { timer }) => {
    view.timers.delete(timer);
  }),
  'timer.fired': step<AgentPayload<'timer.fired'>>((view, { timer, next_at }) => {
    const armed = view.timers.get(timer);
    if (armed === undefined || next_at === null) view.timers.delete(timer);
    else view.timers.set(timer, { ...armed, at: next_at });
  }),
  'watch.begun': step<AgentPayload<'watch.begun'>>((view, { agent, name }) => {
    view.watches.set(agent, name);
  }),
  'turn.committed': step<AgentPayload<'turn.committed'>>((view, { turn }) => {
    view.inbox.delete(turn);
    view.turns.delete(turn);
  }),
  'turn.parked': step<Parked>((view, payload) => {
    const memory = view.turn(payload.turn);
    tell(memory, payload.told as unknown as readonly Recorded[]);
    memory.parked = payload;
    memory.at ??= payload.at;
    memory.committed = { entries: payload.entries, digest: payload.digest };
  }),
  'turn.woken': step<AgentPayload<'turn.woken'>>(
    (view, { turn, ordinal, name, digest, outcome, at, emitted, signal }) => {
      const memory = view.turn(turn);
      memory.journal.push({ ordinal, name, digest, outcome: outcome as Outcome, woken: { at, emitted } });
      if (signal !== null) view.signals.delete(signal);
    },
  ),
  'turn.failed': step<AgentPayload<'turn.failed'>>((view, { turn, attempt }) => {
    view.turn(turn).attempts = attempt;
  }),
  'turn.stuck': step<AgentPayload<'turn.stuck'>>((view, { turn }) => {
    view.turn(turn).isStuck = true;
  }),
  'action.decided': step<ActionDecided>((view, { note, attempt, refused }, { id }) => {
    const place = placeOf(note);
    if (place === undefined) return;
    const memory = view.turn(place.turn);
    memory.at ??= place.at;
    tell(memory, place.told);
    if (refused === null) memory.doubts.set(place.ordinal, attempt);
    else memory.journal.push({ ...place.entry, outcome: { ...refused.outcome, event: id } });
  }),
  'action.settled': step<ActionSettled>((view, { note, outcome }, { id }) =>
    settle(view, note, { ...outcome, event: id }),
  ),
  'action.abandoned': step<ActionAbandoned>((view, { note, code }, { id }) =>
    settle(view, note, { type: 'denied', code, message: ABANDONED, event: id }),
  ),
};

type Note = { readonly [name: string]: JsonValue };

function settle(view: AgentView, note: Note, outcome: Outcome): void {
  const place = placeOf(note);
  if (place === undefined) return;
  const memory = view.turn(place.turn);
  tell(memory, place.told);
  memory.doubts.delete(place.ordinal);
  memory.journal.push({ ...place.entry, outcome });
}

/** Answers that had no event of their own stand in the turn's next ones (V2); what several of them repeat counts once. */
function tell(memory: TurnMemory, told: readonly Recorded[]): void {
  for (const entry of told) {
    if (!memory.journal.some(({ ordinal }) => ordinal === entry.ordinal)) memory.journal.push(entry);
  }
}

/** Which operation of which turn an action is, as the engine noted it. */
function placeOf(note: Note) {
  const { turn, ordinal, name, digest, at, told = [] } = note;
  if (typeof turn !== 'string' || typeof ordinal !== 'number' || typeof at !== 'number') return undefined;
  const entry = { ordinal, name: String(name), digest: String(digest) };
  return { turn, ordinal, at, entry, told: told as unknown as readonly Recorded[] };
}

/** Stands for the code of the fold: another whenever any of it changes. */
export const VIEW_CODE = [
  AgentView,
  ...Object.values(STEPS),
  tell,
  settle,
  placeOf,
  ...Object.values(AGENT_UPCASTS).flat(),
].join('\n');
