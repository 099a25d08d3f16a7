import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAILBOX_MESSAGES_MAX, Mailbox } from './mailbox.ts';

const message = (id: string, from = 'ann', lane: string | undefined = 'price') => ({ message: id, from, lane });
const drained = (mailbox: Mailbox): string[] => {
  const taken: string[] = [];
  for (let next = mailbox.next(); next !== undefined; next = mailbox.next()) {
    taken.push(next.type === 'message' ? next.message : `wake ${next.turn}`);
  }
  return taken;
};

describe('a mailbox', () => {
  test('B1: a parked turn that may go on passes everything that waits', () => {
    const mailbox = new Mailbox();
    for (let n = 0; n < MAILBOX_MESSAGES_MAX; n++) mailbox.add(message(`m${n}`));
    mailbox.park('p', undefined);
    mailbox.wake('p');

    expect(drained(mailbox).slice(0, 2)).toEqual(['wake p', 'm0']);
  });

  test('B2: a full user lane says for how long to stay away, and has room again after one is served', () => {
    const mailbox = new Mailbox();
    for (let n = 0; n < MAILBOX_MESSAGES_MAX; n++) mailbox.add(message(`m${n}`));

    expect(mailbox.room()).toMatchObject({ isOpen: false, retryAfterMs: expect.any(Number) });
    mailbox.next();
    expect(mailbox.room()).toEqual({ isOpen: true });
  });

  test('B2: slow turns make the advice longer', () => {
    const mailbox = new Mailbox();
    for (let n = 0; n < MAILBOX_MESSAGES_MAX; n++) mailbox.add(message(`m${n}`));
    const before = mailbox.room();
    for (let n = 0; n < 50; n++) mailbox.finish('t', 100);
    const after = mailbox.room();
    if (before.isOpen || after.isOpen) throw new Error('open');

    expect(after.retryAfterMs).toBeGreaterThan(before.retryAfterMs);
  });

  test('B3: a parked turn holds back its own lane only', () => {
    const mailbox = new Mailbox();
    mailbox.park('t1', 'price');
    mailbox.add(message('p2', 'ann'));
    mailbox.add(message('f1', 'bob', 'forget'));
    mailbox.add({ message: 'p3', from: 'eve', lane: undefined });

    expect(drained(mailbox)).toEqual(['f1', 'p3']);
    mailbox.wake('t1');
    mailbox.finish('t1', 1);
    expect(drained(mailbox)).toEqual(['p2']);
  });

  test('B3: nobody overtakes itself past a message that is held back', () => {
    const mailbox = new Mailbox();
    mailbox.park('t1', 'price');
    mailbox.add(message('p2', 'ann'));
    mailbox.add(message('f1', 'ann', 'forget'));
    mailbox.add(message('f2', 'bob', 'forget'));

    expect(drained(mailbox)).toEqual(['f2']);
  });

  test('B3: whatever happens, each sender is served in its own order and nothing is lost', () => {
    const step = fc.oneof(
      fc.record({
        type: fc.constant('add'),
        from: fc.constantFrom('a', 'b', 'c'),
        lane: fc.constantFrom('x', 'y', undefined),
      }),
      fc.record({ type: fc.constant('next') }),
      fc.record({ type: fc.constant('park'), lane: fc.constantFrom('x', 'y', undefined) }),
      fc.record({ type: fc.constant('finish') }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const mailbox = new Mailbox();
        const parked: string[] = [];
        const served: string[] = [];
        let added = 0;
        for (const [n, one] of steps.entries()) {
          if ('from' in one) mailbox.add({ message: `${one.from}/${added++}`, from: one.from, lane: one.lane });
          else if (one.type === 'park') {
            parked.push(`t${n}`);
            mailbox.park(`t${n}`, 'lane' in one ? one.lane : undefined);
          } else if (one.type === 'finish') mailbox.finish(parked.pop() ?? 'none', 1);
          else served.push(...drainOne(mailbox));
        }
        for (const turn of parked) mailbox.finish(turn, 1);
        served.push(...drained(mailbox));

        expect(served).toHaveLength(added);
        for (const from of ['a', 'b', 'c']) {
          const numbers = served.filter((id) => id.startsWith(from)).map((id) => Number(id.split('/')[1]));
          expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
        }
      }),
    );
  });
});

function drainOne(mailbox: Mailbox): string[] {
  const next = mailbox.next();
  return next?.type === 'message' ? [next.message] : [];
}
