import { decide } from 'ringmesh/policies';
import { describe, expect, test } from 'vitest';
import { COORDINATOR, REPORTER, ROGUE, researcherName } from './contracts.ts';
import { auditBundle } from './policy.fixture.ts';

const [one, two] = [researcherName(1), researcherName(16)];
const POINTS = { use: 'pre_tool', ask: 'agent_message', tell: 'agent_message', spawn: 'spawn' } as const;
type Args = Parameters<typeof decide>[1]['args'];

function decided(agent: string, verb: keyof typeof POINTS, tool: string, args: Args = {}) {
  return decide(auditBundle, {
    v: 1,
    id: 'turn/0',
    point: POINTS[verb],
    at: 0,
    subject: { id: `did:example:${agent}`, name: agent, ring: 2, trust: 650 },
    action: { tool, verb },
    args,
  });
}

const facts = { name: '@s/p', versions: ['1.0.0'] };
const report = { path: 'report.md', text: '# Dependency audit' };

describe('the policy of an audit', () => {
  test.each<[string, keyof typeof POINTS, string, Args?]>([
    [COORDINATOR, 'use', 'lock.read'],
    [COORDINATOR, 'tell', `audit-researcher.research@${two}`],
    [COORDINATOR, 'use', 'authority.delegate', { to: one, command: '/tool/registry/facts', where: [], forMs: 1 }],
    [COORDINATOR, 'tell', `audit-reporter.report@${REPORTER}`],
    [one, 'use', 'registry.facts', facts],
    [one, 'tell', `audit-coordinator.judged@${COORDINATOR}`],
    [REPORTER, 'ask', `audit-coordinator.page@${COORDINATOR}`],
    [REPORTER, 'use', 'report.write', report],
    [REPORTER, 'tell', `audit-coordinator.written@${COORDINATOR}`],
  ])('%s may %s %s', (agent, verb, tool, args) => {
    expect(decided(agent, verb, tool, args)).toMatchObject({ verdict: 'allow' });
  });

  test.each<[string, keyof typeof POINTS, string, Args, string]>([
    [COORDINATOR, 'use', 'registry.facts', facts, 'policy.outside_layer'],
    [COORDINATOR, 'use', 'report.write', report, 'policy.outside_layer'],
    [COORDINATOR, 'spawn', `audit-rogue@${ROGUE}`, {}, 'policy.outside_layer'],
    [COORDINATOR, 'spawn', `audit-researcher@${one}`, {}, 'policy.outside_layer'],
    [COORDINATOR, 'spawn', `audit-reporter@${REPORTER}`, {}, 'policy.outside_layer'],
    [one, 'use', 'report.write', report, 'policy.outside_layer'],
    [one, 'use', 'lock.read', {}, 'policy.outside_layer'],
    [
      one,
      'use',
      'authority.delegate',
      { to: two, command: '/tool/registry/facts', where: [], forMs: 1 },
      'policy.outside_layer',
    ],
    [COORDINATOR, 'use', 'authority.delegate', { to: one, command: '/', where: [], forMs: 1 }, 'policy.denied'],
    [
      COORDINATOR,
      'use',
      'authority.delegate',
      { to: one, command: '/audit-coordinator/judged', forMs: 1 },
      'policy.denied',
    ],
    [one, 'tell', `audit-researcher.research@${two}`, {}, 'policy.outside_layer'],
    [one, 'tell', `audit-coordinator.written@${COORDINATOR}`, {}, 'policy.outside_layer'],
    [one, 'ask', `audit-coordinator.judged@${COORDINATOR}`, {}, 'policy.outside_layer'],
    [REPORTER, 'use', 'registry.facts', facts, 'policy.outside_layer'],
    ['stranger', 'use', 'registry.facts', facts, 'policy.outside_layer'],
    [ROGUE, 'tell', `audit-coordinator.judged@${COORDINATOR}`, {}, 'policy.outside_layer'],
    [REPORTER, 'use', 'report.write', { ...report, path: '../x' }, 'policy.denied'],
    [one, 'use', 'registry.facts', { ...facts, name: 'https://elsewhere.example/p' }, 'policy.denied'],
    [one, 'use', 'registry.facts', { ...facts, name: '//elsewhere.example/p' }, 'policy.denied'],
    [one, 'use', 'registry.facts', { ...facts, name: 'p'.repeat(215) }, 'policy.denied'],
    [one, 'use', 'registry.facts', { ...facts, host: 'elsewhere.example' }, 'policy.denied'],
    [one, 'use', 'shell.run', { command: 'id' }, 'policy.unknown_tool'],
  ])('%s may not %s %s with %j: %s', (...[agent, verb, tool, args, code]) => {
    expect(decided(agent, verb, tool, args)).toMatchObject({ verdict: 'deny', code });
  });
});
