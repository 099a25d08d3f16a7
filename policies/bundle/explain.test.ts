import { describe, expect, test } from 'vitest';
import { request, rules } from '../policy.fixture.ts';
import { decide } from './decide.ts';
import { explain } from './explain.ts';
import { whatIf } from './what-if.ts';

const ALLOW_ALL = '- { id: all, on: any, effect: allow }';
const CAPPED = rules(
  `${ALLOW_ALL}
- id: cap
  on: { effect: money }
  when: args.amount > 100 and (args.to like "*@example.com" or facts.count("x") > 1)
  effect: deny`.replace(' or facts.count("x") > 1', ' or args.list == null'),
);

describe('explain', () => {
  test('tells of every rule that concerns the request what its condition saw', () => {
    const asked = request({ tool: 'pay.send', args: { amount: 250, to: 'eve@example.com' } });

    expect(explain(CAPPED, asked)).toEqual({
      decision: decide(CAPPED, asked),
      listing: ['org'],
      rules: [
        { rule: 'test/all', layer: 'org', line: 5, effect: 'allow', holds: 'true', parts: [] },
        {
          rule: 'test/cap',
          layer: 'org',
          line: 6,
          effect: 'deny',
          condition: 'args.amount > 100 and (args.to like "*@example.com" or args.list == null)',
          holds: 'true',
          parts: [
            { text: 'args.amount > 100', holds: 'true', values: [{ path: 'args.amount', value: 250 }] },
            {
              text: 'args.to like "*@example.com"',
              holds: 'true',
              values: [{ path: 'args.to', value: 'eve@example.com' }],
            },
            { text: 'args.list == null', holds: 'unknown', values: [{ path: 'args.list', value: 'unknown' }] },
          ],
        },
      ],
    });
  });

  test('tells no more than the decision where no rule was asked', () => {
    expect(explain(undefined, request())).toMatchObject({ decision: { code: 'policy.missing' }, rules: [] });
    expect(explain(CAPPED, request({ tool: 'none' }))).toMatchObject({
      decision: { code: 'policy.unknown_tool' },
      rules: [],
    });
  });
});

describe('what if', () => {
  const CLOSED = rules(
    `${ALLOW_ALL}\n- { id: closed, on: { tool: crm.* }, effect: deny }\n- { id: ask, on: { tool: fs.write }, effect: escalate }`,
  );
  const asked = (id: string, tool: string, task?: string) =>
    request({ id, tool, ...(task === undefined ? {} : { task: { id: task } }) });

  test('says what would be answered otherwise, by rule and agent', () => {
    const found = whatIf(
      [asked('1', 'crm.lookup'), asked('2', 'fs.read'), asked('3', 'fs.write'), asked('4', 'pay.send')],
      CAPPED,
      CLOSED,
    );

    expect(found).toMatchObject({
      compared: 4,
      same: 1,
      newly: {
        deny: { count: 1, byRule: { 'test/closed': 1 }, byAgent: { ada: 1 } },
        escalate: { count: 1, byRule: { 'test/ask': 1 }, byAgent: { ada: 1 } },
        allow: { count: 1, byRule: { 'test/all': 1 }, byAgent: { ada: 1 } },
      },
      isLaxer: true,
      differences: [
        { request: '1', tool: 'crm.lookup', before: { verdict: 'allow' }, after: { verdict: 'deny' } },
        {},
        { request: '4' },
      ],
    });
  });

  test('compares a task up to its first difference, since what follows might never have been asked', () => {
    const found = whatIf(
      [
        asked('1', 'fs.read', 't'),
        asked('2', 'crm.lookup', 't'),
        asked('3', 'crm.lookup', 't'),
        asked('4', 'crm.lookup', 'u'),
      ],
      CAPPED,
      CLOSED,
    );

    expect(found).toMatchObject({
      compared: 3,
      same: 1,
      counterfactual: 1,
      newly: { deny: { count: 2 }, escalate: { count: 0 }, allow: { count: 0 } },
      isLaxer: false,
    });
  });

  test('no bundle at all denies', () => {
    expect(whatIf([asked('1', 'fs.read')], CAPPED, undefined)).toMatchObject({
      newly: { deny: { count: 1, byRule: { 'policy.missing': 1 } } },
    });
  });
});
