import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogRecord } from '../../../runtime/codec/record.ts';
import { ManualClock, seededRandom } from '../../../runtime/core/simulation.ts';
import { events, write } from '../../../runtime/log/event.fixture.ts';
import { MemoryWorld } from '../../../runtime/log/memory-log.ts';
import { MemoryStore } from '../../../runtime/log/memory-store.ts';
import { inWords } from '../event-words.ts';
import { typeFilter } from '../type-filter.ts';
import { agentFilter } from './agent-filter.ts';
import { follow } from './follow.ts';

describe('following a log that another opening of it writes', () => {
  test('T1: every record is told once, in order, however the appends fall', async () => {
    const appends = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(appends, fc.nat({ max: 20 }), async (counts, from) => {
        const world = new MemoryWorld(seededRandom(1));
        const { log } = await world.open(new ManualClock());
        const reader = new MemoryStore(world.origin, world.disk);
        const left = [...counts];
        let size = 0;
        const grow = async (): Promise<void> => {
          const count = left.shift() ?? 0;
          const added = events(size, size + count);
          for (const event of added) await log.append([write('a', [event])]);
          size += count;
        };
        const told: number[] = [];

        for await (const page of follow(reader, { from, pause: grow, isOver: async () => left.length === 0 })) {
          told.push(...page.map(({ record }) => record.index));
        }

        expect(told).toEqual(Array.from({ length: Math.max(0, size - from) }, (_, n) => from + n));
      }),
      { numRuns: 15 },
    );
  });

  test('a record that is not there is damage, and not the end', async () => {
    const world = new MemoryWorld(seededRandom(1));
    const { log } = await world.open(new ManualClock());
    await log.append([write('a', events(0, 3))]);
    const head = new MemoryStore(world.origin, world.disk).head();
    const store = { head: () => head, records: () => [] };
    const following = { from: 0, pause: async () => undefined, isOver: async () => true };

    await expect(follow(store, following).next()).rejects.toMatchObject({ code: 'log.damaged' });
  });
});

test.each([
  [undefined, 'agent/clerk', true],
  ['clerk', 'agent/clerk', true],
  ['clerk', 'ring/clerk', true],
  ['clerk', 'agent/clerks', false],
  ['clerk', 'agent/audit/clerk', false],
  ['audit/researcher/1', 'agent/audit/researcher/1', true],
  ['audit/*', 'agent/audit/researcher/1', true],
  ['audit/*', 'agent/auditor', false],
])('an agent %s concerns the stream %s: %s', (agent, stream, isWanted) => {
  expect(agentFilter(agent)(stream)).toBe(isWanted);
});

test.each([
  [[], 'a.b', true],
  [['a.b'], 'a.b', true],
  [['a.b'], 'a.bc', false],
  [['x.y', 'a.*'], 'a.b', true],
  [['a.*'], 'ab.c', false],
])('types %j want %s: %s', (types, type, isWanted) => {
  expect(typeFilter(types)(type)).toBe(isWanted);
});

describe('an event in words', () => {
  const allowed = { verdict: 'deny', code: 'policy.no_rule' } as LogRecord['decision'];
  const record = (type: string, decision?: LogRecord['decision']): LogRecord =>
    ({ type, stream: 'agent/clerk', ...(decision === undefined ? {} : { decision }) }) as LogRecord;

  test.each([
    ['agent.emitted', { name: 'Sold' }, 'clerk recorded Sold'],
    ['agent.exited', { why: 'failed', returns: true }, 'clerk ended: failed, and returns'],
    ['turn.committed', {}, 'clerk answered'],
    ['orders.placed', { n: 1 }, 'clerk: orders.placed'],
    ['agent.emitted', { name: 'a\u001b[31m\nb' }, 'clerk recorded a\\u001b[31m b'],
  ])('%s reads well, and nothing in it is obeyed by a terminal', (type, payload, words) => {
    expect(inWords(record(type), payload)).toBe(words);
  });

  test('a decision tells its verdict and why', () => {
    expect(inWords(record('action.decided', allowed), { verb: 'use', target: 'mail.send' })).toBe(
      'clerk wanted to use mail.send (deny: policy.no_rule)',
    );
  });

  test('a payload that is not at hand is left out', () => {
    expect(inWords(record('turn.parked'))).toBe('clerk waits');
  });
});
