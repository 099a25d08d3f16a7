import { expect, test } from 'vitest';
import type { LogRecord } from '../../runtime/codec/record.ts';
import { nextTurn } from '../../runtime/core/system.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { type UntilParts, untilOver } from './until-over.ts';

/** As much of a log as is read here: what it has, and then nothing until the signal. */
function logOf(records: readonly object[]): EventLog {
  async function* subscribe(from: number, signal: AbortSignal) {
    for (const [index, record] of records.entries()) if (index >= from) yield { index, ...record } as LogRecord;
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (!signal.aborted) await promise;
  }
  return { subscribe } as unknown as EventLog;
}

const emitted = (agent: string, name: string, data: object) => ({
  stream: `agent/${agent}`,
  type: 'agent.emitted',
  payload: { type: 'json', value: { name, data } },
});
const log = logOf([
  emitted('desk', 'Closed', { at: 1 }),
  emitted('clerk', 'Closed', { at: 2 }),
  emitted('desk', 'Opened', { at: 3 }),
  emitted('desk', 'Closed', { at: 4 }),
]);
const desk = { names: ['desk'] };
const started = { names: ['clerk'], start: { message: 'visit' } };
const closed = { agent: 'desk', records: 'Closed' };
const answers = (...types: readonly ('ok' | 'died')[]) =>
  types.map((type) => ({ agent: 'clerk', message: 'visit', outcome: { type } as never }));

type Ran = Pick<UntilParts, 'until' | 'here'> & { readonly types?: readonly ('ok' | 'died')[] };

/** What it ends with; `goes on` if it has not when nothing more can happen. */
async function ended({ until, here, types = ['ok'] }: Ran): Promise<unknown> {
  const over = new AbortController();
  const ending = untilOver({ until, here, log, begunAt: 1 }, Promise.resolve(answers(...types)), over.signal);
  const idle = nextTurn().then(() => 'goes on');
  try {
    return await Promise.race([ending.then((fact) => fact ?? 'answered'), idle]);
  } finally {
    over.abort();
  }
}

test.each<[string, Ran, unknown]>([
  ['answers', { until: 'answered', here: [desk, started] }, 'answered'],
  ['a role without start messages', { until: 'answered', here: [desk] }, 'goes on'],
  ['an order to stop', { until: 'stopped', here: [desk, started] }, 'goes on'],
  ['nothing that was said', { until: undefined, here: [desk, started] }, 'goes on'],
  ['a fact of this run', { until: closed, here: [desk, started] }, { ...closed, data: { at: 4 } }],
  ['a fact of a role that is elsewhere', { until: closed, here: [started] }, 'goes on'],
  ['a fact that never comes', { until: { agent: 'desk', records: 'Sold' }, here: [desk, started] }, 'goes on'],
  [
    'a fact, after a start message that failed',
    { until: { agent: 'desk', records: 'Sold' }, here: [desk, started], types: ['ok', 'died'] },
    'answered',
  ],
])('a swarm that waits for %s', async (_what, ran, expected) => {
  expect(await ended(ran)).toEqual(expected);
});
