import { describe, expect, test } from 'vitest';
import { diagramOf } from '../core/machine.ts';
import { add, Counter, counter } from './agents.fixture.ts';
import { implement } from './implement.ts';
import { lifecycle, lifecycleOf } from './lifecycle.machine.ts';
import { replay } from './replay.ts';
import { TestNode } from './test-kit.ts';
import { provide } from './tool.ts';

async function played() {
  const kit = new TestNode({ implementations: [counter], tools: [provide(add, ({ a, b }) => a + b)] });
  const node = await kit.open();
  const one = await node.spawn(Counter, 'one');
  await node.ask(one).sum({ n: 3 });
  await node.ask(one).add({ n: 4 });
  const napping = node.ask(one).nap({ ms: 5_000 });
  await kit.until('it parked', () => kit.count('turn.parked') === 1);
  await node.ask(one).add({ n: 100 });
  await kit.advance('5s');
  await napping;
  return kit;
}

describe('a life', () => {
  test.each<[string, readonly (boolean | 'start')[], string]>([
    ['nothing', [], 'provisioned'],
    ['a start', ['start'], 'active'],
    ['an exit that returns', ['start', true], 'restarting'],
    ['a restart', ['start', true, 'start'], 'active'],
    ['an exit for good', ['start', false], 'retired'],
    ['an end while it was restarting', ['start', true, false], 'retired'],
    ['a new start', ['start', false, 'start'], 'active'],
  ])('after %s is what the machine says', (_name, events, state) => {
    const told = events.map((one) =>
      one === 'start' ? { type: 'agent.started', payload: {} } : { type: 'agent.exited', payload: { returns: one } },
    );

    expect(lifecycleOf([{ type: 'agent.emitted', payload: {} }, ...told])).toBe(state);
  });

  test('has a diagram', () => {
    expect(diagramOf(lifecycle)).toContain('active --> restarting : failed');
  });
});

describe('a replay', () => {
  test('L1: folds the recorded states, and the same log twice to the same digest', async () => {
    await using kit = await played();

    const first = replay(kit.log, [counter]);

    expect(first.agents).toMatchObject([
      { agent: 'one', contract: 'counter', facts: 5, compared: 4, state: { count: 121 } },
    ]);
    expect(first.agents[0]?.divergence).toBeUndefined();
    expect(replay(kit.log, [counter])).toEqual(first);
  });

  test('shows a state at an index', async () => {
    await using kit = await played();
    const second = kit.events.filter(({ type }) => type === 'turn.committed')[1];

    expect(replay(kit.log, [counter], (second?.index ?? 0) + 1).agents[0]?.state).toMatchObject({ count: 10 });
  });

  test('L2: other code is found at the first turn where it differs, with both sides', async () => {
    await using kit = await played();
    const other = implement(Counter, {
      state: () => ({ count: 0, gone: [] }),
      evolve: {
        Added: (state, { n }) => ({ ...state, count: state.count + (n === 4 ? 5 : n) }),
        Gone: (state) => state,
      },
      on: counter.on as never,
    });

    const [agent] = replay(kit.log, [other]).agents;

    expect(agent?.divergence?.index).toBe(kit.events.filter(({ type }) => type === 'turn.committed')[1]?.index);
    expect(agent?.divergence?.recorded).not.toBe(agent?.divergence?.folded);
  });

  test('without the implementation, facts are counted and nothing is compared', async () => {
    await using kit = await played();

    expect(replay(kit.log, []).agents).toEqual([
      { agent: 'one', contract: 'counter', life: 'active', facts: 5, compared: 0 },
    ]);
  });
});
