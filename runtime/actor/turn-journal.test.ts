import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TurnJournal } from './turn-journal.ts';

const entry = (ordinal: number, name = `use ${ordinal}`) => ({
  ordinal,
  name,
  digest: `d${ordinal}`,
  outcome: ordinal,
});

describe('a journal', () => {
  test('T3: what was not recorded is live', () => {
    const journal = new TurnJournal([entry(0)]);

    expect(journal.begin('use 0', 'd0')).toEqual({ type: 'recorded', ordinal: 0 });
    expect(journal.begin('use 1', 'd1')).toEqual({ type: 'live', ordinal: 1 });
    expect(journal.take()?.outcome).toBe(0);
    expect(journal.isSpent).toBe(true);
  });

  test.each([
    ['another operation', 'ask b', 'd0', 'ask b'],
    ['the same with other input', 'use 0', 'dx', 'use 0 with other input'],
  ])('T1: %s is a divergence that names both sides', (_name, name, digest, found) => {
    expect(new TurnJournal([entry(0)]).begin(name, digest)).toEqual({
      type: 'diverged',
      divergence: { ordinal: 0, expected: 'use 0', found },
    });
  });

  test('T2: answers come in the recorded order, each once its operation was begun', () => {
    const journal = new TurnJournal([entry(1), entry(0)]);

    journal.begin('use 0', 'd0');
    expect(journal.take()).toBeUndefined();
    journal.begin('use 1', 'd1');
    expect([journal.take()?.ordinal, journal.take()?.ordinal, journal.take()]).toEqual([1, 0, undefined]);
  });

  test('T4: a handler that ends early has diverged', () => {
    const journal = new TurnJournal([entry(0), entry(1)]);
    journal.begin('use 0', 'd0');

    expect(journal.divergenceAt('the end')).toEqual({ ordinal: 1, expected: 'use 1', found: 'the end' });
    journal.begin('use 1', 'd1');
    expect(journal.divergenceAt('the end')).toBeUndefined();
  });

  test('T2: any concurrent run is repeated with the same order of answers', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }), (order) => {
        const journal = new TurnJournal(order.map((ordinal) => entry(ordinal)));
        const taken: number[] = [];
        for (let n = 0; n < 8; n++) {
          journal.begin(`use ${n}`, `d${n}`);
          for (let next = journal.take(); next !== undefined; next = journal.take()) taken.push(next.ordinal);
        }
        expect(taken).toEqual(order);
      }),
    );
  });
});
