import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { decide } from '../bundle/decide.ts';
import type { FactInput } from '../document/shape.ts';
import { request, rules } from '../policy.fixture.ts';
import { FactMonitors } from './fact-monitors.ts';

const HOUR_MS = 3_600_000;
const START = 1_700_000_000_000;
const PAID: FactInput = { of: 'pay.*', sum: '/amount', by: ['subject.id'], within: ['1h', '24h'] };

const pay = (at: number, amount?: JsonValue, id = 'did:example:ada') =>
  request({ tool: 'pay.send', at, subject: { id }, args: amount === undefined ? {} : { amount } });
const monitorsOf = (input: Partial<FactInput> = {}, since = 0, limits = {}) =>
  new FactMonitors(new Map([['paid', { ...PAID, ...input }]]), since, limits);
const readingOf = (monitors: FactMonitors, at: number, windowMs = HOUR_MS, id?: string) => {
  const found = monitors.read(pay(at, 0, id)).readings['paid']?.find((reading) => reading.windowMs === windowMs);
  return found === undefined ? undefined : [found.count, found.sum];
};

describe('facts', () => {
  test('agree with counting everything anew, whatever happens when', () => {
    const act = fc.record({
      laterMs: fc.integer({ min: -HOUR_MS, max: 2 * HOUR_MS }),
      amount: fc.oneof(fc.nat(1_000), fc.nat(1_000), fc.nat(1_000), fc.constantFrom<JsonValue>('5', 0.5, null)),
      id: fc.constantFrom('did:example:ada', 'did:example:bob'),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const monitors = monitorsOf({}, 0, { actsMax: 200 });
        const seen: { at: number; amount: JsonValue; id: string }[] = [];
        let at = START;
        for (const { laterMs, amount, id } of acts) {
          at += laterMs;
          monitors.count(pay(at, amount, id));
          const lastAt = Math.max(at, ...seen.filter((each) => each.id === id).map((each) => each.at));
          seen.push({ at: lastAt, amount, id });
          for (const windowMs of [HOUR_MS, 24 * HOUR_MS]) {
            const within = seen.filter((each) => each.id === id && each.at > at - windowMs);
            const isKnown = within.every((each) => Number.isSafeInteger(each.amount));
            const sum = within.reduce((total, each) => total + Number(each.amount), 0);
            expect(readingOf(monitors, at, windowMs, id)).toEqual([within.length, isKnown ? sum : undefined]);
          }
        }
      }),
    );
  });

  test('that nobody has added to are nothing, and known to be', () => {
    expect(readingOf(monitorsOf(), START)).toEqual([0, 0]);
  });

  test('count what they are about, and nothing else', () => {
    const monitors = monitorsOf();
    monitors.count(request({ tool: 'crm.lookup', at: START, args: { amount: 5 } }));

    expect(readingOf(monitors, START)).toEqual([0, 0]);
  });

  test.each<[string, JsonValue | undefined]>([
    ['missing', undefined],
    ['a text', '100'],
    ['a fraction', 0.5],
    ['too large', Number.MAX_SAFE_INTEGER],
  ])('F2: an amount that is %s makes the sum unknown, until it is past, and still counts', (_name, amount) => {
    const monitors = monitorsOf();
    monitors.count(pay(START, 5));
    monitors.count(pay(START, amount));

    expect(readingOf(monitors, START)).toEqual([2, undefined]);
    monitors.count(pay(START + HOUR_MS, 7));
    expect(readingOf(monitors, START + HOUR_MS)).toEqual([1, 7]);
  });

  test('F2: a window that began before the fold is unknown', () => {
    const monitors = monitorsOf({}, START);

    expect(readingOf(monitors, START + 1)).toBeUndefined();
    expect(readingOf(monitors, START + HOUR_MS)).toEqual([0, 0]);
    expect(readingOf(monitors, START + HOUR_MS, 24 * HOUR_MS)).toBeUndefined();
  });

  test('F2: a key that the subject does not have is unknown', () => {
    expect(readingOf(monitorsOf({ by: ['subject.tenant'] }), START)).toBeUndefined();
  });

  test('F4: past the bound, what is forgotten is unknown and never less', () => {
    const flood = monitorsOf({}, 0, { actsMax: 10 });
    for (let n = 0; n < 50; n++) flood.count(pay(START + n, 1));
    expect(readingOf(flood, START + 50)).toBeUndefined();

    const crowd = monitorsOf({}, 0, { keysMax: 2 });
    for (const id of ['a', 'b', 'c']) crowd.count(pay(START, 1, id));
    expect([readingOf(crowd, START, HOUR_MS, 'a'), readingOf(crowd, START, HOUR_MS, 'c')]).toEqual([[1, 1], undefined]);
  });

  test('decide: the third of two, and one whose history is unknown, are escalated', () => {
    const bundle = rules(
      '- { id: all, on: any, effect: allow }\n- { id: often, on: { tool: pay.send }, when: \'facts.count("paid", "1h") >= 2\', effect: escalate }',
      'facts: { paid: { of: pay.*, sum: /amount, by: [subject.id], within: [1h, 24h] } }\n',
    );
    const monitors = new FactMonitors(bundle.facts, 0);
    const verdicts = [1, 2, 3].map((n) => {
      const asked = pay(START + n, 1);
      const { verdict } = decide(bundle, { ...asked, facts: monitors.read(asked) });
      if (verdict === 'allow') monitors.count(asked);
      return verdict;
    });

    expect(verdicts).toEqual(['allow', 'allow', 'escalate']);
    const late = new FactMonitors(bundle.facts, START);
    expect(decide(bundle, { ...pay(START + 9, 1), facts: late.read(pay(START + 9, 1)) }).verdict).toBe('escalate');
  });
});
