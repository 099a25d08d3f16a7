import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimerHeap } from './timer-heap.ts';

test('H1: whatever is armed, replaced and disarmed, what is due comes out in order', () => {
  const step = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    at: fc.nat(100),
    type: fc.constantFrom('arm', 'arm', 'off'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.nat(100), (steps, now) => {
      const heap = new TimerHeap<number>();
      const model = new Map<string, { at: number; order: number }>();
      for (const [order, { id, at, type }] of steps.entries()) {
        if (type === 'arm') heap.arm(id, at, order);
        else heap.disarm(id);
        if (type === 'arm') model.set(id, { at, order });
        else model.delete(id);
      }
      const due = [...model].filter(([, { at }]) => at <= now).sort(([, a], [, b]) => a.at - b.at || a.order - b.order);
      const taken: string[] = [];
      for (let next = heap.takeDue(now); next !== undefined; next = heap.takeDue(now)) taken.push(next.id);

      expect(taken).toEqual(due.map(([id]) => id));
      expect(heap.size).toBe(model.size - due.length);
    }),
  );
});

test('H2: a replaced timer is due at its new time only', () => {
  const heap = new TimerHeap<string>();
  heap.arm('a', 5, 'old');
  heap.arm('a', 9, 'new');

  expect(heap.nextAtMs()).toBe(9);
  expect(heap.takeDue(8)).toBeUndefined();
  expect(heap.takeDue(9)?.value).toBe('new');
  expect(heap.nextAtMs()).toBeUndefined();
});
