/** What became of actions in a part of a log, counted: a fold. */
import type { LogRecord } from '../../runtime/codec/record.ts';
import { ACTION_EVENTS } from '../../runtime/kernel/action-events.ts';
import { RING_EVENTS, type RingMoved } from '../../runtime/kernel/ring-events.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';

export type Deeds = {
  readonly allowed: number;
  readonly denied: number;
  readonly escalated: number;
  /** By agent and code, in the order of their first; at most REFUSALS_MAX kinds. */
  readonly refused: readonly {
    readonly agent: string;
    readonly code: string;
    readonly count: number;
    readonly first: number;
  }[];
  readonly demoted: readonly { readonly agent: string; readonly from: number; readonly to: number }[];
};

type Counts = { readonly [code: string]: number };

/** Kinds of refusals that a summary names. */
const REFUSALS_MAX = 50;

/** What happened from an index on. Refusals that the log only counts are among the denied. */
export function deedsSince(log: EventLog, from: number): Deeds {
  const verdicts = { allow: 0, deny: 0, escalate: 0 };
  const refused = new Map<string, { agent: string; code: string; count: number; first: number }>();
  const demoted: { agent: string; from: number; to: number }[] = [];
  const refuse = (record: LogRecord, agent: string, { code, count }: { code: string; count: number }): void => {
    const key = `${agent} ${code}`;
    const known = refused.get(key) ?? { agent, code, count: 0, first: record.index };
    if (refused.size < REFUSALS_MAX || refused.has(key)) refused.set(key, { ...known, count: known.count + count });
  };
  for (const record of log.read(from)) {
    if (record.decision !== undefined) {
      const { verdict, code } = record.decision;
      verdicts[verdict]++;
      const agent = record.stream.slice(record.stream.indexOf('/') + 1);
      if (verdict !== 'allow') refuse(record, agent, { code, count: 1 });
    } else if (record.type === ACTION_EVENTS.refusedMany) {
      const { agent, counts } = jsonOf(record, log) as { readonly agent: string; readonly counts: Counts };
      for (const [code, count] of Object.entries(counts)) {
        verdicts.deny += count;
        refuse(record, agent, { code, count });
      }
    } else if (record.type === RING_EVENTS.demoted) {
      const moved = jsonOf(record, log) as unknown as RingMoved;
      demoted.push({ agent: moved.agent, from: moved.from, to: moved.to });
    }
  }
  const { allow: allowed, deny: denied, escalate: escalated } = verdicts;
  return { allowed, denied, escalated, refused: [...refused.values()], demoted };
}
