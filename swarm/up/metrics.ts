/**
 * What a running swarm looks like, in numbers, as Prometheus reads them (text exposition format 0.0.4).
 *
 * Counters count from the start of the process. They are folded from the log when they are asked for, and at most
 * RECORDS_PER_LOOK events each time, so that a scraper cannot stop the node: after a long silence they catch up over a few
 * scrapes, and `ringmesh_log_unread_events` tells how far they are behind.
 */
import type { VitalEvents } from '../../mesh/heartbeat-events.ts';
import type { AgentNode } from '../../runtime/actor/node.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { ACTION_EVENTS, type ActionSettled } from '../../runtime/kernel/action-events.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import type { Governance } from '../governance.ts';
import { version } from '../version.ts';

const RECORDS_PER_LOOK = 20_000;

export type Watched = {
  readonly agents: Pick<AgentNode, 'census' | 'load'>;
  readonly log: EventLog;
  readonly governance: { readonly rings: Pick<Governance['rings'], 'agents' | 'ringOf'> };
  readonly begunAt: number;
  /** When the first of what the file gives ends. */
  readonly givenUntil?: Millis | undefined;
};

export class Metrics {
  readonly #swarm: Watched;
  #next: number;
  readonly #verdicts = { allow: 0, escalate: 0, deny: 0 };
  /** How far the clocks of nodes are ahead, where they differ; in seconds, by node. */
  readonly #clocks = new Map<string, number>();
  readonly #attempts = { ok: 0, failed: 0, unknown: 0 };

  constructor(swarm: Watched) {
    this.#swarm = swarm;
    this.#next = swarm.begunAt;
  }

  text(): string {
    this.#catchUp();
    const { agents, log, governance, givenUntil } = this.#swarm;
    const { known, awake, running } = agents.census;
    const { mailbox, turnMs } = agents.load;
    const rings = [0, 0, 0, 0];
    for (const agent of governance.rings.agents)
      rings[governance.rings.ringOf(agent)] = (rings[governance.rings.ringOf(agent)] ?? 0) + 1;
    return [
      family('ringmesh_build_info', 'gauge', 'The version that runs.', [[{ version: version() }, 1]]),
      family('ringmesh_log_events', 'gauge', 'Events in the log.', [[{}, log.size]]),
      family('ringmesh_log_unread_events', 'gauge', 'Events that the counters have not seen yet.', [
        [{}, log.size - this.#next],
      ]),
      family('ringmesh_agents', 'gauge', 'Agents, by what they are at.', [
        [{ state: 'known' }, known],
        [{ state: 'awake' }, awake],
        [{ state: 'running' }, running],
      ]),
      family(
        'ringmesh_agents_in_ring',
        'gauge',
        'Agents by ring.',
        rings.map((count, ring) => [{ ring: String(ring) }, count]),
      ),
      family('ringmesh_mailbox_messages', 'gauge', 'Messages that wait for a turn.', [[{}, mailbox]]),
      family('ringmesh_oldest_turn_seconds', 'gauge', 'How long the oldest turn under way has taken.', [
        [{}, turnMs / 1000],
      ]),
      family('ringmesh_actions_total', 'counter', 'Actions decided, by verdict.', labelled('verdict', this.#verdicts)),
      family(
        'ringmesh_attempts_total',
        'counter',
        'Attempts that ended, by what became of them.',
        labelled('status', this.#attempts),
      ),
      family(
        'ringmesh_peer_clock_ahead_seconds',
        'gauge',
        'How far the clock of another node is ahead of this one, if by more than 2 s.',
        [...this.#clocks].map(([node, seconds]) => [{ node }, seconds]),
      ),
      family(
        'ringmesh_delegations_end_timestamp_seconds',
        'gauge',
        'When the first of what agents here were given by the file ends, as a Unix time. Only a start renews budgets.',
        givenUntil === undefined ? [] : [[{}, givenUntil / 1000]],
      ),
    ].join('');
  }

  #catchUp(): void {
    const { log } = this.#swarm;
    const end = Math.min(log.size, this.#next + RECORDS_PER_LOOK);
    for (const record of log.read(this.#next, end)) {
      if (record.decision !== undefined) this.#verdicts[record.decision.verdict]++;
      else if (record.type === ACTION_EVENTS.refusedMany) {
        const { counts } = jsonOf(record, log) as { readonly counts: { readonly [code: string]: number } };
        for (const count of Object.values(counts)) this.#verdicts.deny += count;
      } else if (record.type === 'peer.clock_differs') {
        const { node, aheadMs, differs } = jsonOf(record, log) as unknown as VitalEvents['peer.clock_differs'];
        if (differs) this.#clocks.set(node, aheadMs / 1000);
        else this.#clocks.delete(node);
      } else if (record.type === ACTION_EVENTS.settled) {
        this.#attempts[(jsonOf(record, log) as unknown as ActionSettled).status]++;
      }
    }
    this.#next = end;
  }
}

type Sample = readonly [labels: { readonly [name: string]: string }, value: number];

function labelled(name: string, counts: { readonly [value: string]: number }): readonly Sample[] {
  return Object.entries(counts).map(([value, count]) => [{ [name]: value }, count]);
}

/** Label values are words of ours: nothing in them needs to be escaped. */
function family(name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}
