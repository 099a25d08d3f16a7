/**
 * A log that repeats, replayed against digests that stand here: whatever Node version runs this file, the same events stood
 * in the same places, and the same states were folded. A change of what a node records changes the first golden digest; a change of
 * how states are folded or digested changes the second, and with it every `turn.committed` of every old log.
 */
import { expect, test } from 'vitest';
import { add, Counter, counter, hold, pay } from './agents.fixture.ts';
import { type Replay, replay } from './replay.ts';
import { TestNode } from './test-kit.ts';
import { provide } from './tool.ts';
import { digestOf } from './turn-run.ts';

const REPLAY = 'UlscXzGqNy-tPbZkeLOpyJ7DKRtivcjwYLLcsjTq9BU';
const STATES = 'rOEsdUc8axttCqDTEbt2g7H5QGww4MUdy73N7Uvbs_Y';

/** Three agents, tools, timers, a parked turn, a dead letter, a child, and the power lost in the middle of it. */
async function lived(): Promise<TestNode> {
  const kit = new TestNode({
    seed: 7,
    implementations: [counter],
    tools: [
      provide(add, ({ a, b }) => a + b),
      provide(pay, ({ cents }) => `receipt ${cents}`),
      provide(hold, { run: ({ cents }) => `hold ${cents}`, probe: () => 'absent' }),
    ],
  });
  const node = await kit.open();
  const one = await node.spawn(Counter, 'one');
  const two = await node.spawn(Counter, 'two');
  await node.ask(one).sum({ n: 4 });
  await node.ask(two).times({});
  await node.ask(two).child({ name: 'two/child' });
  await node.ask(one).say({ to: 'two', n: 7 });
  await kit.settle();
  await node.ask(one).wrong({ how: 'throw' });
  await node.tell(two).repeat({ every: 1_000 });
  await node.tell(one).remind({ after: 2_500, n: 100 });
  await node.tell(one).nap({ ms: 3_000 });
  await kit.until('it parked', () => kit.count('turn.parked') === 1);
  await kit.advance('1500ms');
  await kit.crash();
  const again = await kit.open();
  await kit.advance('2s');
  await again.ask(one).pay({ cents: 5 });
  await kit.advance('2s');
  await again.ask(two).quiet({});
  await again.stop('two');
  await kit.settle();
  return kit;
}

function statesOf({ agents }: Replay): string {
  return digestOf(agents.map(({ agent, life, state = null }) => ({ agent, life, state })));
}

test('L1: one log gives the same digests twice, and the golden ones on every version of Node', async () => {
  await using kit = await lived();

  const first = replay(kit.log, [counter]);
  const second = replay(kit.log, [counter]);

  expect(first.agents.filter(({ divergence }) => divergence !== undefined)).toEqual([]);
  expect(first.agents.map(({ agent, state }) => ({ agent, state }))).toMatchObject([
    { agent: 'one', state: { count: 8 + 7 + 1 + 10 + 100 + 1 } },
    { agent: 'two' },
    { agent: 'two/child' },
  ]);
  expect(second).toEqual(first);
  expect({ replay: first.digest, states: statesOf(first) }).toEqual({ replay: REPLAY, states: STATES });
});

test('L1: a log made again from the same seed gives the same digests', async () => {
  await using kit = await lived();

  const found = replay(kit.log, [counter]);

  expect({ replay: found.digest, states: statesOf(found) }).toEqual({ replay: REPLAY, states: STATES });
});
