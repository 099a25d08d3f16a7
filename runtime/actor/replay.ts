/**
 * State replay: every stream folded again, and every state that a turn recorded compared with the one that folding gives.
 *
 * L1. No clock, chance or network: the log's bytes and the implementations decide the result, on any machine.
 * L2. The first difference of an agent is reported with both sides; folding goes on, so that one fault hides no other.
 */
import type { JsonValue } from '../codec/json.ts';
import type { StreamId } from '../codec/record.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Implementation } from './implement.ts';
import { type LifecycleState, lifecycleOf } from './lifecycle.machine.ts';
import type { Emitted } from './protocol.ts';
import { digestOf, evolve } from './turn-run.ts';
import { type AgentPayload, payloadOf } from './vocabulary.ts';

export type Divergence = {
  readonly index: number;
  readonly turn: string;
  readonly recorded: string;
  readonly folded: string;
};

export type ReplayedAgent = {
  readonly agent: string;
  readonly contract: string;
  readonly life: LifecycleState;
  /** Facts folded, and turns whose recorded state was compared. */
  readonly facts: number;
  readonly compared: number;
  /** Absent without an implementation. */
  readonly state?: JsonValue;
  readonly divergence?: Divergence;
};

export type Replay = {
  readonly events: number;
  readonly streams: number;
  readonly agents: readonly ReplayedAgent[];
  /** Over every stream's events and every folded state: the same wherever the same log is replayed. */
  readonly digest: string;
};

/** Replays the events before index `until` (default: all). Implementations by contract name; others are counted only. */
export function replay(log: EventLog, implementations: readonly Implementation[], until = log.size): Replay {
  const known = new Map(implementations.map((one) => [one.contract.name, one]));
  const agents: ReplayedAgent[] = [];
  const words: JsonValue[] = [];
  let streams = 0;
  for (const stream of log.streams()) {
    const events = [...takeUntil(log, stream, until)];
    if (events.length === 0) continue;
    streams += 1;
    const agent = stream.startsWith('agent/') ? foldAgent(stream, events, known) : undefined;
    if (agent !== undefined) agents.push(agent);
    const state = agent?.state === undefined ? null : digestOf(agent.state);
    words.push([stream, events.map(({ type, index }) => [index, type]), state]);
  }
  return { events: until, streams, agents, digest: digestOf(words) };
}

type Read = { readonly index: number; readonly type: string; readonly payload: JsonValue | undefined };

function* takeUntil(log: EventLog, stream: StreamId, until: number): Generator<Read> {
  for (const record of log.readStream(stream)) {
    if (record.index >= until) return;
    yield { index: record.index, type: record.type, payload: payloadOf(record, log) };
  }
}

function foldAgent(stream: string, events: readonly Read[], known: ReadonlyMap<string, Implementation>): ReplayedAgent {
  const started = events.find(({ type }) => type === 'agent.started')?.payload as
    | AgentPayload<'agent.started'>
    | undefined;
  const contract = started?.contract ?? 'unknown';
  const implementation = known.get(contract);
  let [facts, compared] = [0, 0];
  let state: unknown = implementation?.state();
  let divergence: Divergence | undefined;
  for (const { index, type, payload } of events) {
    if (type === 'agent.emitted') {
      facts += 1;
      if (implementation !== undefined) state = evolve(implementation, state, payload as unknown as Emitted);
    }
    if (type !== 'turn.committed' || implementation === undefined) continue;
    const { turn, state: recorded } = payload as AgentPayload<'turn.committed'>;
    compared += 1;
    const folded = digestOf(state);
    if (folded !== recorded) divergence ??= { index, turn, recorded, folded };
  }
  const agent = { agent: stream.slice('agent/'.length), contract, life: lifecycleOf(events), facts, compared };
  return {
    ...agent,
    ...(implementation === undefined ? {} : { state: state as JsonValue }),
    ...(divergence === undefined ? {} : { divergence }),
  };
}
