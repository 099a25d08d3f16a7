/**
 * What is kept of folds, so that an agent with a long history comes back without folding all of it: the node's view of it,
 * and its state. Both are caches of the log (`EventLog.saveSnapshot`): deleted, or made by other code, they are as if they
 * were not there, and what is folded without them is the same.
 */
import { type Digest, sha256 } from '../codec/digest.ts';
import type { JsonValue } from '../codec/json.ts';
import { digestText } from '../codec/record.ts';
import { view as bytesView, utf8 } from '../core/bytes.ts';
import type { EventLog } from '../log/event-log.ts';
import { AgentView, VIEW_CODE, type ViewData } from './agent-view.ts';

/** Events of an agent, or facts of its state, after which a snapshot is worth its write. */
export const SNAPSHOT_EVENTS = 256;

/** An agent's state after its first `emitted` facts, the last of which was event `version` of its stream. */
export type KeptState = {
  /** Digest of the code that folded it: to other code it says nothing. */
  readonly code: string;
  readonly emitted: number;
  readonly version: number;
  readonly state: JsonValue;
};

export function keepView(log: EventLog, agent: string, view: AgentView): void {
  save(log, nameOf('view', agent), VIEW_REDUCER, view.toData());
}

/** The view as it was kept, or a new one: the rest of the stream is still to be folded. */
export function keptView(log: EventLog, agent: string): AgentView {
  const data = load(log, nameOf('view', agent), VIEW_REDUCER);
  return data === undefined ? new AgentView() : AgentView.fromData(data as ViewData);
}

export function keepState(log: EventLog, agent: string, kept: KeptState): void {
  save(log, nameOf('state', agent), STATE_REDUCER, kept);
}

/** The state that was kept, if it is not later than the first `emitted` facts. */
export function keptState(log: EventLog, agent: string, emitted: number): KeptState | undefined {
  const kept = load(log, nameOf('state', agent), STATE_REDUCER) as KeptState | undefined;
  return kept === undefined || kept.emitted > emitted ? undefined : kept;
}

const VIEW_REDUCER = sha256(utf8(VIEW_CODE));
/** A state's code is in the snapshot: only its host can tell whether that is still its own. */
const STATE_REDUCER = sha256(utf8('agent state 1'));

/** A snapshot's name is shorter than an agent's may be. */
function nameOf(what: string, agent: string): string {
  return `agent-${what}/${digestText(sha256(utf8(agent)))}`;
}

function save(log: EventLog, name: string, reducer: Digest, data: unknown): void {
  const { size } = log;
  log.saveSnapshot({ name, reducer, size, root: log.root(size), state: utf8(JSON.stringify(data)) });
}

function load(log: EventLog, name: string, reducer: Digest): unknown {
  const snapshot = log.loadSnapshot(name, reducer);
  return snapshot === undefined ? undefined : JSON.parse(bytesView(snapshot.state).toString('utf8'));
}
