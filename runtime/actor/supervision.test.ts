import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../core/simulation.ts';
import {
  type Child,
  type ChildKind,
  type Exit,
  type Incident,
  jittered,
  onExit,
  type Strategy,
  type Supervise,
  supervision,
  type Verdict,
} from './supervision.ts';

const strategies: readonly Strategy[] = ['one_for_one', 'one_for_all', 'rest_for_one'];
const kinds: readonly ChildKind[] = ['permanent', 'transient', 'temporary'];
const normal: Exit = { type: 'normal' };
const crash: Exit = { type: 'abnormal', why: 'host died', incident: 'host 1' };

/** a, B, c, d in start order; B is the one that ends; d is temporary. */
const family = (kind: ChildKind): readonly Child[] => [
  { agent: 'a', kind: 'permanent' },
  { agent: 'b', kind },
  { agent: 'c', kind: 'permanent' },
  { agent: 'd', kind: 'temporary' },
];
const sup = (kind: ChildKind, supervise: Supervise = {}, incidents: readonly Incident[] = []) =>
  supervision(supervise, family(kind), incidents);

/** The OTP manual, "Supervisor Behaviour", written down by hand: stop and start lists, or nothing for `forget`. */
const manual: readonly [Strategy, ChildKind, 'normal' | 'crash', string | undefined, string | undefined][] = [
  ['one_for_one', 'permanent', 'normal', '', 'b'],
  ['one_for_one', 'permanent', 'crash', '', 'b'],
  ['one_for_one', 'transient', 'normal', undefined, undefined],
  ['one_for_one', 'transient', 'crash', '', 'b'],
  ['one_for_one', 'temporary', 'normal', undefined, undefined],
  ['one_for_one', 'temporary', 'crash', undefined, undefined],
  ['one_for_all', 'permanent', 'normal', 'dca', 'abc'],
  ['one_for_all', 'permanent', 'crash', 'dca', 'abc'],
  ['one_for_all', 'transient', 'normal', undefined, undefined],
  ['one_for_all', 'transient', 'crash', 'dca', 'abc'],
  ['one_for_all', 'temporary', 'normal', undefined, undefined],
  ['one_for_all', 'temporary', 'crash', undefined, undefined],
  ['rest_for_one', 'permanent', 'normal', 'dc', 'bc'],
  ['rest_for_one', 'permanent', 'crash', 'dc', 'bc'],
  ['rest_for_one', 'transient', 'normal', undefined, undefined],
  ['rest_for_one', 'transient', 'crash', 'dc', 'bc'],
  ['rest_for_one', 'temporary', 'normal', undefined, undefined],
  ['rest_for_one', 'temporary', 'crash', undefined, undefined],
];

describe('a verdict', () => {
  test.each(manual)('%s: a %s child after a %s exit', (...row) => {
    const [strategy, kind, exit, stop, start] = row;
    const verdict = onExit(sup(kind, { strategy }), 'b', exit === 'normal' ? normal : crash, 0);

    if (stop === undefined) expect(verdict).toEqual({ type: 'forget' });
    else expect(verdict).toMatchObject({ type: 'restart', stop: [...stop], start: [...(start ?? '')] });
  });

  test('the table names every case', () => {
    expect(manual).toHaveLength(strategies.length * kinds.length * 2);
    expect(new Set(manual.map(([a, b, c]) => `${a}/${b}/${c}`)).size).toBe(manual.length);
  });

  test('a child that is not known is forgotten', () => {
    expect(onExit(sup('permanent'), 'z', crash, 0)).toEqual({ type: 'forget' });
  });

  test('S3: one incident too many within the period and the supervisor gives up, in reverse start order', () => {
    const incidents = [1, 2, 3].map((atMs) => ({ atMs, incident: `i${atMs}` }));
    const five = sup('permanent', { restarts: '3 in 10s' }, incidents);

    expect(onExit(five, 'b', crash, 10_000)).toEqual({ type: 'give_up', stop: ['d', 'c', 'b', 'a'] });
    expect(onExit(five, 'b', crash, 10_001)).toMatchObject({ type: 'restart' });
    expect(onExit(sup('permanent', { restarts: '0 in 1s' }), 'b', crash, 0)).toMatchObject({ type: 'give_up' });
  });

  test('S3: one cause that ends several children is one incident', () => {
    const once = sup('permanent', { restarts: '1 in 10s' });
    const first = onExit(once, 'a', crash, 0);
    if (first.type !== 'restart') throw new Error('no restart');
    const then = { ...once, incidents: first.incidents };

    expect(onExit(then, 'b', crash, 1)).toMatchObject({ type: 'restart', incidents: first.incidents });
    expect(onExit(then, 'b', { ...crash, incident: 'host 2' }, 1)).toMatchObject({ type: 'give_up' });
  });

  test('S4: the delay doubles up to its bound, and the draw stays between half of it and all of it', () => {
    const supervise: Supervise = { restarts: '9 in 1h', backoff: { min: 100, max: '1s' } };
    let incidents: readonly Incident[] = [];
    const delays: number[] = [];
    for (let n = 0; n < 6; n++) {
      const verdict = onExit(sup('permanent', supervise, incidents), 'b', { ...crash, incident: `h${n}` }, n);
      if (verdict.type !== 'restart') throw new Error('no restart');
      ({ incidents } = verdict);
      delays.push(verdict.delayMs);
    }

    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000]);
    fc.assert(
      fc.property(fc.nat(30_000), fc.integer(), (delayMs, seed) => {
        const drawn = jittered(delayMs, seededRandom(seed));
        expect(drawn).toBeGreaterThanOrEqual(Math.floor(delayMs / 2));
        expect(drawn).toBeLessThanOrEqual(delayMs);
      }),
    );
  });

  test('a random history never restarts more often than the period allows', () => {
    const step = fc.record({ after: fc.nat(4_000), who: fc.constantFrom('a', 'b', 'c'), cause: fc.nat(3) });
    fc.assert(
      fc.property(fc.constantFrom(...strategies), fc.array(step, { maxLength: 60 }), (strategy, steps) => {
        let incidents: readonly Incident[] = [];
        let at = 0;
        for (const { after, who, cause } of steps) {
          at += after;
          const exit: Exit = { type: 'abnormal', why: 'x', incident: `${cause}` };
          const verdict: Verdict = onExit(
            sup('permanent', { strategy, restarts: '2 in 5s' }, incidents),
            who,
            exit,
            at,
          );
          if (verdict.type === 'give_up') return;
          if (verdict.type === 'restart') ({ incidents } = verdict);
          expect(incidents.filter((one) => at - one.atMs < 5_000).length).toBeLessThanOrEqual(2);
        }
      }),
    );
  });
});
