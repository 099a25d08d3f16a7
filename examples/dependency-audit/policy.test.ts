import { describe, expect, test } from 'vitest';
import { COORDINATOR, REPORTER, researcherName } from './contracts.ts';
import { auditPolicy } from './policy.ts';

const { policy } = auditPolicy();
const [one, two] = [researcherName(1), researcherName(2)];

function verdict(agent: string, target: string): string {
  return policy.check({ action: { agent, target } } as Parameters<typeof policy.check>[0]).verdict;
}

describe('the policy of an audit', () => {
  test.each([
    [COORDINATOR, 'lock.read'],
    [COORDINATOR, `audit-researcher.research@${two}`],
    [COORDINATOR, `audit-researcher@${one}`],
    [one, 'registry.facts'],
    [one, `audit-coordinator.judged@${COORDINATOR}`],
    [REPORTER, 'report.write'],
  ])('%s may %s', (agent, target) => {
    expect(verdict(agent, target)).toBe('allow');
  });

  test.each([
    [COORDINATOR, 'registry.facts'],
    [COORDINATOR, 'report.write'],
    [one, 'report.write'],
    [one, 'lock.read'],
    [one, `audit-researcher.research@${two}`],
    [one, `audit-coordinator.written@${COORDINATOR}`],
    [REPORTER, 'registry.facts'],
    ['stranger', 'registry.facts'],
  ])('%s may not %s', (agent, target) => {
    expect(verdict(agent, target)).toBe('deny');
  });
});
