/** The stream of an agent: its name, its fold, its facts. */
import { type LogRecord, parseStreamId, type StreamId } from '../codec/record.ts';
import { unwrap } from '../core/result.ts';
import type { EventLog } from '../log/event-log.ts';
import type { AgentView, Fact } from './agent-view.ts';
import type { Implementation } from './implement.ts';
import type { Emitted } from './protocol.ts';
import { isAgentName } from './ref.ts';
import { keptView } from './snapshots.ts';
import { foldTo } from './turn-run.ts';
import { type AgentPayload, payloadOf } from './vocabulary.ts';

const PREFIX = 'agent/';

export function streamOf(agent: string): StreamId {
  return unwrap(parseStreamId(PREFIX + agent), 'an agent name makes a stream');
}

/** Whose stream it is; `undefined` for a stream of something else. */
export function agentOf(stream: StreamId): string | undefined {
  return stream.startsWith(PREFIX) ? stream.slice(PREFIX.length) : undefined;
}

/** Every agent that the log knows, dead ones included, by name. */
export function* agentsIn(log: EventLog): Generator<string> {
  for (const stream of log.streams(PREFIX)) {
    if (!stream.startsWith(PREFIX)) return;
    const agent = stream.slice(PREFIX.length);
    if (isAgentName(agent)) yield agent;
  }
}

/** The view after every durable event. */
export function viewOf(log: EventLog, agent: string): AgentView {
  const view = keptView(log, agent);
  catchUp(log, streamOf(agent), view);
  return view;
}

/** Folds into the view what its stream has recorded since: the one way in which a view ever changes. */
export function catchUp(log: EventLog, stream: StreamId, view: AgentView): void {
  for (const fact of factsIn(log, stream, view.version + 1)) view.apply(fact);
}

/** An agent's events from a version on, as folds take them. */
export function* factsIn(log: EventLog, stream: StreamId, from = 0): Generator<Fact> {
  for (const record of log.readStream(stream, from)) yield factOf(record, log);
}

export function factOf(record: LogRecord, log: EventLog): Fact {
  const { id, index, version, type, wallMs, correlation, principal } = record;
  return { id, index, version, type, wallMs, correlation, principal, payload: payloadOf(record, log) };
}

/** What an agent's state is made of, in order: after event `after` of its stream, before index `until` of the log. */
export function emittedBy(
  log: EventLog,
  agent: string,
  { after = -1, until = Number.POSITIVE_INFINITY }: { readonly after?: number; readonly until?: number } = {},
): readonly Emitted[] {
  const emitted: Emitted[] = [];
  for (const { type, payload, index } of factsIn(log, streamOf(agent), after + 1)) {
    if (index >= until) break;
    if (type !== 'agent.emitted') continue;
    const { name, data } = payload as AgentPayload<'agent.emitted'>;
    emitted.push({ name, data });
  }
  return emitted;
}

/** An agent's state as the log has it, before the event of index `until`. Pure but for the reading. */
export function stateAt(log: EventLog, implementation: Implementation, agent: string, until?: number): unknown {
  const emitted = emittedBy(log, agent, until === undefined ? {} : { until });
  return foldTo(implementation, { facts: emitted }, emitted.length);
}
