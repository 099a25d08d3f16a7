import { expect, test } from 'vitest';
import { Sequence, type Step } from './sequence.ts';

type Made = string[];

/** Steps that write down what happens to them. */
function steps(...names: readonly string[]): readonly Step<Made>[] {
  return names.map((name) => ({
    name,
    start: (made) => {
      made.push(`+${name}`);
      return { detail: name.toUpperCase(), stop: (withinMs) => void made.push(`-${name} ${withinMs}`) };
    },
  }));
}

const never = new AbortController().signal;

test('steps start in order and stop in reverse, each telling of it', async () => {
  const [made, news]: [Made, string[]] = [[], []];
  const sequence = new Sequence(steps('a', 'b'), ({ step, state, detail = '' }) =>
    news.push(`${step} ${state} ${detail}`),
  );
  await sequence.start(made, never);
  await Promise.all([sequence.stop(50), sequence.stop(0)]); // Q3
  expect(made).toEqual(['+a', '+b', '-b 50', '-a 50']);
  expect(news.map((line) => line.trim())).toEqual([
    ...['a starting', 'a started A', 'b starting', 'b started B'],
    ...['b stopping', 'b stopped', 'a stopping', 'a stopped'],
  ]);
});

test('when a step fails, those before it are stopped, those after it never start, and its fault is told (Q1)', async () => {
  const made: Made = [];
  const broken: Step<Made> = { name: 'broken', start: () => Promise.reject(new Error('no broker')) };
  const sequence = new Sequence([...steps('a', 'b'), broken, ...steps('c')], () => undefined);
  await expect(sequence.start(made, never)).rejects.toThrow('no broker');
  expect(made).toEqual(['+a', '+b', '-b 0', '-a 0']);
});

test('a signal stops it between two steps', async () => {
  const [made, controller]: [Made, AbortController] = [[], new AbortController()];
  const abort: Step<Made> = {
    name: 'abort',
    start: () => {
      controller.abort(new Error('enough'));
      return { detail: '' };
    },
  };
  const sequence = new Sequence([...steps('a'), abort, ...steps('b')], () => undefined);
  await expect(sequence.start(made, controller.signal)).rejects.toThrow('enough');
  expect(made).toEqual(['+a', '-a 0']);
});

test('a stop that fails keeps no other from stopping (Q2)', async () => {
  const made: Made = [];
  const stuck: Step<Made> = {
    name: 'stuck',
    start: () => ({ detail: '', stop: () => Promise.reject(new Error('stuck')) }),
  };
  const sequence = new Sequence([...steps('a'), stuck, ...steps('b')], () => undefined);
  await sequence.start(made, never);
  await expect(sequence.stop(10)).rejects.toThrow('stuck');
  expect(made).toEqual(['+a', '+b', '-b 10', '-a 10']);
});
