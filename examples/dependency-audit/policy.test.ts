import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decide } from 'ringmesh/policies';
import { describe, expect, onTestFinished, test } from 'vitest';
import { COORDINATOR, REPORTER, ROGUE, researcherName } from './contracts.ts';
import { loadPolicy, POLICY_FILE } from './policy.ts';

const bundle = await loadPolicy(POLICY_FILE);
const [one, two] = [researcherName(1), researcherName(16)];
const POINTS = { use: 'pre_tool', ask: 'agent_message', tell: 'agent_message', spawn: 'spawn' } as const;
type Args = Parameters<typeof decide>[1]['args'];

function decided(agent: string, verb: keyof typeof POINTS, tool: string, args: Args = {}) {
  return decide(bundle, {
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
    [COORDINATOR, 'spawn', `audit-researcher@${one}`],
    [COORDINATOR, 'use', 'authority.delegate', { to: one, command: '/tool/registry/facts', where: [], forMs: 1 }],
    [COORDINATOR, 'spawn', `audit-reporter@${REPORTER}`],
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

describe('loading the policy', () => {
  async function fileWith(text: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'audit-policy-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'policy.yaml'), text);
    return join(folder, 'policy.yaml');
  }

  test('a missing file is told as such', async () => {
    await expect(loadPolicy('/nonexistent/policy.yaml')).rejects.toMatchObject({ code: 'audit.no_policy' });
  });

  test('every fault is shown where it stands', async () => {
    const file = await fileWith(
      'apiVersion: ringmesh.policy/v1\nname: slips\nlayer: org\nrules:\n  - id: typo\n    om: any\n',
    );
    await expect(loadPolicy(file)).rejects.toMatchObject({
      code: 'audit.no_policy',
      message: expect.stringContaining(`${file}:6:5: document.unknown_key`),
    });
  });
});
