import { expect, test } from 'vitest';
import type { LogRecord } from '../../runtime/codec/record.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { deedsSince } from './ledger.ts';

/** As much of a log as is read here. */
function logOf(records: readonly object[]): EventLog {
  const read = (from = 0) =>
    records.slice(from).map((record, index) => ({ index: from + index, ...record }) as LogRecord);
  return { read } as unknown as EventLog;
}

const decided = (agent: string, verdict: string, code: string) => ({
  stream: `agent/${agent}`,
  type: 'action.decided',
  decision: { verdict, code },
});

test('verdicts are counted from an index on, and refusals by agent and code with the first of each', () => {
  const log = logOf([
    decided('a', 'deny', 'policy.denied'),
    decided('a', 'allow', 'policy.allowed'),
    decided('a', 'deny', 'policy.denied'),
    decided('desk/b', 'escalate', 'policy.escalated'),
    decided('a', 'deny', 'policy.denied'),
  ]);
  expect(deedsSince(log, 1)).toEqual({
    allowed: 1,
    denied: 2,
    escalated: 1,
    refused: [
      { agent: 'a', code: 'policy.denied', count: 2, first: 2 },
      { agent: 'desk/b', code: 'policy.escalated', count: 1, first: 3 },
    ],
    demoted: [],
  });
});

test('a flood names fifty kinds of refusals, and counts them all', () => {
  const log = logOf(Array.from({ length: 80 }, (_, n) => decided(`a/${n}`, 'deny', 'ring.too_far_out')));
  const { denied, refused } = deedsSince(log, 0);
  expect({ denied, named: refused.length }).toEqual({ denied: 80, named: 50 });
});
