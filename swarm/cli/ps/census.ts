/**
 * The agents of a log, as far as they have come: a fold, so it is the same for a node that runs, one that has crashed, and a
 * copy on another machine. Whether a node runs is asked of the system.
 */
import { trustProjection } from '../../../mesh/trust/projection.ts';
import { score } from '../../../mesh/trust/score.ts';
import { nameOf } from '../../../mesh/trust/standing.ts';
import { agentsIn, viewOf } from '../../../runtime/actor/agent-stream.ts';
import { type AgentView, isParked } from '../../../runtime/actor/agent-view.ts';
import type { Clock } from '../../../runtime/core/clock.ts';
import { liveness, type ProcessIdentity } from '../../../runtime/core/system.ts';
import { RING_EVENTS, type RingMoved } from '../../../runtime/kernel/ring-events.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';
import { openReader, writerOf } from '../../../runtime/log/log-directory.ts';
import { fold } from '../../../runtime/log/projection.ts';
import { jsonOf } from '../../../runtime/log/upcast.ts';
import { subjectsIn } from '../trust/subjects.ts';

export type Counted = {
  readonly agent: string;
  readonly contract: string;
  readonly ring: number;
  readonly trust: number;
  /** Messages that are not answered yet, the one that it is at among them. */
  readonly mailbox: number;
  /** How long the oldest of them has been there, in ms; absent where there is none. */
  readonly oldestMs?: number;
  readonly restarts: number;
  /** `parked`: its turns wait; `stuck`: its code is another than the one that began the turn. */
  readonly state: 'idle' | 'working' | 'parked' | 'suspended' | 'restarting' | 'stuck' | 'stopped' | 'ended';
};

export type NodeCensus = {
  readonly log: string;
  readonly origin: string;
  /** `unknown`: its log is written in another container, or on another machine. */
  readonly state: 'running' | 'stopped' | 'unknown';
  readonly pid?: number;
  readonly events: number;
  readonly agents: readonly Counted[];
};

/** @throws `log.not_found` · `log.damaged` */
export async function censusOf(directory: string, clock: Clock, self: ProcessIdentity): Promise<NodeCensus> {
  const writer = await writerOf(directory);
  const alive = writer === undefined ? 'dead' : liveness(writer, self);
  const state = { alive: 'running', dead: 'stopped', unknown: 'unknown' } as const;
  await using log = await openReader(directory, clock);
  const rings = ringsIn(log);
  const trust = trustIn(log, clock);
  const agents = [...agentsIn(log)].flatMap((agent): Counted[] => {
    const view = viewOf(log, agent);
    const { started } = view;
    if (started === undefined) return [];
    const oldest = Math.min(...[...view.inbox.values()].map(({ index }) => index));
    const [record] = Number.isFinite(oldest) ? [...log.read(oldest, oldest + 1)] : [];
    return [
      {
        agent,
        contract: started.contract,
        ring: rings.get(agent) ?? 3,
        trust: trust.get(agent) ?? 0,
        mailbox: view.inbox.size,
        ...(record === undefined ? {} : { oldestMs: Math.max(0, clock.now() - record.wallMs) }),
        restarts: started.instance - 1,
        state: stateOf(view, alive === 'dead'),
      },
    ];
  });
  const { origin, size } = log;
  const pid = alive === 'alive' && writer !== undefined ? { pid: writer.pid } : {};
  return { log: directory, origin, state: state[alive], ...pid, events: size, agents };
}

function stateOf(view: AgentView, isStopped: boolean): Counted['state'] {
  if (!view.isAlive) return 'ended';
  if (isStopped) return 'stopped';
  if (view.isSuspended) return 'suspended';
  if (view.exited !== undefined) return 'restarting';
  const turns = [...view.inbox.keys()].map((message) => view.turns.get(message));
  if (turns.some((turn) => turn === undefined || !(turn.isStuck || isParked(turn)))) return 'working';
  if (turns.some((turn) => turn?.isStuck === true)) return 'stuck';
  return turns.length > 0 ? 'parked' : 'idle';
}

/** Where the log last says that each stands. */
function ringsIn(log: EventLog): ReadonlyMap<string, number> {
  const rings = new Map<string, number>();
  for (const record of log.read()) {
    if (record.type !== RING_EVENTS.promoted && record.type !== RING_EVENTS.demoted) continue;
    const { agent, to } = jsonOf(record, log) as unknown as RingMoved;
    rings.set(agent, to);
  }
  return rings;
}

function trustIn(log: EventLog, clock: Clock): ReadonlyMap<string, number> {
  const { state } = fold(log, trustProjection);
  const at = clock.now();
  return new Map(subjectsIn(state).map((subject) => [nameOf(subject), score(state.ledger, { subject, at }).score]));
}
