import { expect, test } from 'vitest';
import type { Millis } from '../../runtime/core/brand.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { Metrics } from './metrics.ts';

test.each([
  [1_700_000_000_000, '\nringmesh_delegations_end_timestamp_seconds 1700000000\n'],
  [undefined, '# TYPE ringmesh_delegations_end_timestamp_seconds gauge\n'],
])('delegations that end at %s are told of, and no number stands for none', async (givenUntil, told) => {
  const { log } = await new MemoryWorld(seededRandom('metrics'), 'test/metrics/log/0').open(new ManualClock());
  const agents = {
    census: { known: 1, awake: 0, running: 0 },
    load: { mailbox: 0, turnMs: 0 },
  };
  const governance = { rings: { agents: ['desk'], ringOf: () => 2 as const } };

  const text = new Metrics({
    agents,
    log,
    governance,
    begunAt: 0,
    givenUntil: givenUntil as Millis | undefined,
  }).text();

  expect(text.endsWith(told)).toBe(true);
  expect(text).toContain('ringmesh_agents_in_ring{ring="2"} 1\n');
});
