import { expect, test } from 'vitest';
import { add, Counter, type CounterState, counter } from './agents.fixture.ts';
import { refTo } from './ref.ts';
import { given, ok, scripted } from './scenario.ts';
import { TestNode } from './test-kit.ts';

test('given facts, when a message comes, then there are other facts, an answer and a state', async () => {
  const seen = await given(counter, [['Added', { n: 3 }]]).when('sum', { n: 4 }, { 'use sum.add': () => ok(7) });

  expect(seen.asked).toEqual(['use sum.add', 'use sum.add']);
  expect(seen.emitted).toEqual([{ name: 'Added', data: { n: 4 } }]);
  expect(seen.reply).toEqual({ type: 'ok', value: { count: 7 } });
  expect((seen.state as CounterState).count).toBe(7);
});

test('a turn that waits shows what for, and what it leaves behind', async () => {
  const seen = await given(counter).when('order', {});

  expect(seen.reply).toBeUndefined();
  expect(seen.waits).toMatchObject([{ event: 'paid', withinMs: 60_000 }]);
  expect(seen.emitted).toHaveLength(1);
});

test('what the test does not answer is denied', async () => {
  await expect(given(counter).when('sum', { n: 1 })).rejects.toThrow('test.unanswered');
});

test('a handler that throws fails the test with its own words', async () => {
  await expect(given(counter).when('wrong', { how: 'throw' })).rejects.toThrow('broken on purpose');
});

test('a scripted tool answers from its list, and says what nobody asked for', async () => {
  const model = scripted(add, [10, ({ a }) => a + 1, 99]);
  await using kit = new TestNode({ implementations: [counter], tools: [model.provided] });
  const node = await kit.open();
  await node.spawn(Counter, 'one');

  expect(await node.ask(refTo(Counter, 'one')).sum({ n: 0 })).toMatchObject({ value: { count: 11 } });
  expect(model.left()).toBe(1);
});
