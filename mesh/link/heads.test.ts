import { expect, test } from 'vitest';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { later, NOW, TestNode } from '../world.fixture.ts';
import { Heads, type LogHead } from './heads.ts';
import { digestOf } from './link.fixture.ts';

const [one, other] = [new TestNode(seededRandom('one')).did, new TestNode(seededRandom('other')).did];

function aHead(size: number, root = `root ${size}`, origin = 'log'): LogHead {
  return { origin: digestOf(origin), root: digestOf(root), size };
}

test('G1: two roots at one size contradict each other, from one node about one log', () => {
  const heads = new Heads();
  expect(heads.hear(one, aHead(5)).ok).toBe(true);
  expect(heads.hear(one, aHead(5)).ok).toBe(true);
  expect(heads.hear(one, aHead(5, 'another'))).toEqual({
    ok: false,
    error: { heard: aHead(5), said: aHead(5, 'another') },
  });
  expect(heads.hear(other, aHead(5, 'another')).ok).toBe(true);
  expect(heads.hear(one, aHead(5, 'another', 'next epoch')).ok).toBe(true);
  expect(heads.hear(one, aHead(5)).ok).toBe(true);
});

test('G2: a node begins a life with no less than it stated before, whichever handshake is heard first', () => {
  const heads = new Heads();
  expect(heads.meet(one, aHead(7), 'first life').ok).toBe(true);
  heads.hear(one, aHead(9));
  expect(heads.hear(one, aHead(8)).ok).toBe(true);
  expect(heads.meet(one, aHead(8), 'first life').ok).toBe(true);
  expect(heads.meet(one, aHead(8), 'second life')).toEqual({ ok: false, error: { heard: aHead(9), said: aHead(8) } });
  heads.hear(one, aHead(12));
  expect(heads.meet(one, aHead(8), 'second life').ok).toBe(false);
  expect(heads.meet(one, aHead(9), 'second life').ok).toBe(true);
  expect(heads.meet(one, aHead(12, 'another'), 'second life').ok).toBe(false);
});

test('G2: of two handshakes that cross, the first ever with a node, the older may be heard last', () => {
  const heads = new Heads();
  expect(heads.meet(one, aHead(7), 'first life').ok).toBe(true);
  expect(heads.meet(one, aHead(5), 'first life').ok).toBe(true);
  expect(heads.meet(one, aHead(0), 'first life').ok).toBe(true);
  heads.hear(one, aHead(9));
  expect(heads.meet(one, aHead(8), 'second life').ok).toBe(false);
});

test('G2: a hello from before this node restarted may say less than what was on record by then; a new life may not', () => {
  const heads = new Heads();
  heads.recall(one, aHead(4), 'first life');
  heads.recall(one, aHead(9));
  expect(heads.due(NOW)).toEqual([]);
  expect(heads.meet(one, aHead(5), 'first life').ok).toBe(true);
  expect(heads.meet(one, aHead(5, 'another'), 'first life').ok).toBe(false);
  expect(heads.meet(one, aHead(8), 'second life').ok).toBe(false);
});

test('the newest head of each log is due once a second, and only when the log has grown', () => {
  const heads = new Heads();
  for (let size = 1; size <= 3; size++) heads.hear(one, aHead(size));
  heads.hear(other, aHead(1));
  expect(heads.due(NOW)).toEqual([
    { node: one, head: aHead(3) },
    { node: other, head: aHead(1) },
  ]);
  heads.hear(one, aHead(4));
  expect(heads.due(later(999))).toEqual([]);
  expect(heads.due(later(1_000))).toEqual([{ node: one, head: aHead(4) }]);
  expect(heads.due(later(5_000))).toEqual([]);
});

test('what the log holds already is compared with, and not due', () => {
  const heads = new Heads();
  heads.recall(one, aHead(6));
  expect(heads.due(NOW)).toEqual([]);
  expect(heads.hear(one, aHead(6, 'another')).ok).toBe(false);
  expect(heads.meet(one, aHead(5), 'a life').ok).toBe(false);
});

test('what is kept of one log is bounded', () => {
  const heads = new Heads();
  for (let size = 1; size <= 2_000; size++) heads.hear(one, aHead(size));
  expect(heads.hear(one, aHead(3, 'another')).ok).toBe(true);
  expect(heads.hear(one, aHead(1_999, 'another')).ok).toBe(false);
});

test('G1: a node that tells of ever more logs is heard about a few, and keeps no other node’s from being compared', () => {
  const heads = new Heads();
  heads.hear(other, aHead(5));
  for (let n = 0; n < 10_000; n++) heads.hear(one, aHead(1, 'root', `log ${n}`));
  expect(heads.due(NOW)).toHaveLength(1 + 4);
  expect(heads.hear(other, aHead(5, 'another')).ok).toBe(false);
});
