import { expect, test } from 'vitest';
import { desk } from '../command.fixture.ts';

test('machine show prints names, and a machine as a diagram', () => {
  using at = desk();

  expect(at.run(['machine', 'show']).stdout).toContain('agent-lifecycle\n');
  expect(at.run(['machine', 'show', 'agent-lifecycle']).stdout).toMatch(
    /^stateDiagram-v2\n[\s\S]*active --> retired : ended/,
  );
  expect(at.run(['machine', 'show', 'perpetual']).status).toBe(3);
});
