import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Millis } from '../core/brand.ts';
import type { Action } from './action.ts';
import { budgetGate } from './budget-gate.ts';
import type { GateRequest } from './gate.ts';
import { type Endorsement, RING_LIMITS, type Ring, ringFor, type Score } from './ring.ts';
import { type ActKind, GUESTS_MAX, isViolation, type RingChange, Rings } from './rings.ts';

const start = 1_700_000_000_000 as Millis;
const minutes = (count: number): Millis => (start + count * 60_000) as Millis;

function world(
  options: { score?: Score; endorsement?: Omit<Endorsement, 'agent'>; kind?: ActKind; isAttested?: boolean } = {},
) {
  const changes: RingChange[] = [];
  let score = options.score ?? 20;
  const rings = new Rings({
    kindOf: () => options.kind ?? 'reversible',
    isAttested: () => options.isAttested ?? false,
    scoreOf: () => score,
    ...(options.endorsement === undefined ? {} : { endorsements: [{ agent: 'a', ...options.endorsement }] }),
    onChange: (change) => changes.push(change),
  });
  const setScore = (next: Score): void => {
    score = next;
  };
  return { rings, changes, setScore };
}

/** `a` does fifty clean acts at `at`. */
function behave(rings: Rings, at: Millis): void {
  for (let n = 0; n < 50; n++) rings.observe('a', 'clean', at);
}

const request = (at: Millis, verb: Action['verb'] = 'use'): GateRequest =>
  ({
    action: { agent: 'a', target: 'file.write', verb } as Action,
    at,
    epochs: { trust: 0, revocation: 0, kill: 0 },
  }) as GateRequest;

describe('a ring', () => {
  test.each<[Score, boolean, Ring]>([
    [1000, true, 0],
    [950, true, 0],
    [949, true, 1],
    [1000, false, 1],
    [800, false, 1],
    [799, false, 2],
    [600, false, 2],
    [599, false, 3],
    [0, false, 3],
  ])('a score of %i, attested %j, reaches ring %i', (score, isAttested, ring) => {
    expect(ringFor(score, isAttested)).toBe(ring);
  });

  test('a new agent begins in ring 3, and so does one that nobody knows', () => {
    const { rings } = world();
    rings.enter('a', start);
    expect([rings.ringOf('a'), rings.ringOf('stranger')]).toEqual([3, 3]);
  });

  test('N2: promotion takes the dwell time and fifty clean acts, and is by one ring', () => {
    const { rings } = world({ score: 900 });
    rings.enter('a', start);
    behave(rings, minutes(9));
    expect(rings.ringOf('a')).toBe(3);
    rings.assess('a', minutes(10));
    expect(rings.ringOf('a')).toBe(2);
    rings.assess('a', minutes(25));
    expect(rings.ringOf('a')).toBe(2);
    behave(rings, minutes(25));
    expect(rings.ringOf('a')).toBe(1);
  });

  test('N2: a violation sets the count of clean acts back', () => {
    const { rings } = world({ score: 700 });
    rings.enter('a', start);
    for (let n = 0; n < 49; n++) rings.observe('a', 'clean', minutes(11));
    rings.observe('a', 'violated', minutes(11));
    rings.observe('a', 'clean', minutes(12));
    expect(rings.ringOf('a')).toBe(3);
  });

  test('N1: demotion waits for nothing but the margin, and goes as far as it must', () => {
    const { rings, changes, setScore } = world({ score: 900 });
    rings.enter('a', start);
    behave(rings, minutes(10));
    behave(rings, minutes(20));
    expect(rings.ringOf('a')).toBe(1);
    setScore(760);
    rings.assess('a', minutes(20));
    expect(rings.ringOf('a')).toBe(1);
    setScore(759);
    rings.assess('a', minutes(20));
    expect(rings.ringOf('a')).toBe(2);
    setScore(100);
    rings.assess('a', minutes(20));
    expect(rings.ringOf('a')).toBe(3);
    expect(changes.map(({ from, to, direction }) => [from, to, direction])).toEqual([
      [3, 2, 'promoted'],
      [2, 1, 'promoted'],
      [1, 2, 'demoted'],
      [2, 3, 'demoted'],
    ]);
  });

  test('N7: every demotion moves the trust epoch, and nothing else does', () => {
    const { rings, changes, setScore } = world({ score: 900 });
    rings.enter('a', start);
    behave(rings, minutes(10));
    setScore(0);
    rings.assess('a', minutes(11));
    rings.assess('a', minutes(12));
    expect(changes.map(({ direction }) => direction)).toEqual(['promoted', 'demoted']);
    expect(rings.epoch).toBe(1);
  });
});

describe('an endorsement', () => {
  const endorsement = { ring: 2, trustFloor: 650, expiresAt: minutes(60) } as const;

  test('N4: opens the ring of its floor on the first day', () => {
    const { rings } = world({ endorsement });
    rings.enter('a', start);
    expect([rings.ringOf('a'), rings.scoreOf('a', start)]).toEqual([2, 650]);
  });

  test('N4: cannot open ring 0, whatever its floor', () => {
    const { rings } = world({ endorsement: { ring: 1, trustFloor: 1000, expiresAt: minutes(60) } });
    rings.enter('a', start);
    expect(rings.ringOf('a')).toBe(1);
  });

  test('opens no ring further in than it names', () => {
    const { rings } = world({ endorsement: { ring: 2, trustFloor: 1000, expiresAt: minutes(60) } });
    rings.enter('a', start);
    expect(rings.ringOf('a')).toBe(2);
  });

  test('N6: is void after the first violation, at once and for good', () => {
    const { rings } = world({ endorsement });
    rings.enter('a', start);
    rings.observe('a', 'violated', minutes(1));
    expect([rings.ringOf('a'), rings.scoreOf('a', minutes(1))]).toEqual([3, 20]);
    behave(rings, minutes(20));
    expect(rings.ringOf('a')).toBe(3);
  });

  test('runs out without anything happening', () => {
    const { rings } = world({ endorsement });
    rings.enter('a', start);
    expect(rings.gate().check(request(minutes(59)))).toMatchObject({ verdict: 'allow' });
    expect(rings.gate().check(request(minutes(60)))).toMatchObject({ verdict: 'deny', code: 'ring.too_far_out' });
  });
});

describe('N3: a child', () => {
  test('never outranks its parent, and falls with it', () => {
    let parentScore = 650;
    const rings = new Rings({
      kindOf: () => 'reversible',
      scoreOf: (agent) => (agent === 'parent' ? parentScore : 1000),
      endorsements: ['parent', 'child'].map((agent) => ({ agent, ring: 1, trustFloor: 0, expiresAt: minutes(600) })),
    });
    rings.enter('parent', start);
    rings.enter('child', start, 'parent');
    expect([rings.ringOf('parent'), rings.ringOf('child')]).toEqual([2, 2]);
    for (let n = 0; n < 50; n++) rings.observe('child', 'clean', minutes(11));
    expect(rings.ringOf('child')).toBe(2);
    parentScore = 0;
    rings.assess('parent', minutes(12));
    expect(rings.ringOf('child')).toBe(3);
  });

  test('whatever happens, in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.constantFrom('p', 'c'), fc.nat(1000), fc.constantFrom('clean', 'violated', 'failed'), fc.nat(20)),
        ),
        (history) => {
          const scores = { p: 20, c: 20 } as Record<string, Score>;
          const rings = new Rings({
            kindOf: () => 'pure',
            scoreOf: (agent) => scores[agent] ?? 0,
            rules: { demotionMargin: 40, dwellMs: 0, cleanActions: 1 },
          });
          rings.enter('p', start);
          rings.enter('c', start, 'p');
          let at: number = start;
          for (const [agent, score, ending, later] of history) {
            scores[agent] = score;
            at += later;
            rings.observe(agent, ending as 'clean', at as Millis);
            expect(rings.ringOf('c')).toBeGreaterThanOrEqual(rings.ringOf('p'));
          }
        },
      ),
    );
  });
});

describe('the ring gate', () => {
  test.each<[Ring, ActKind, string]>([
    [3, 'pure', 'allow'],
    [3, 'read', 'deny'],
    [3, 'reversible', 'deny'],
    [3, 'irreversible', 'deny'],
    [2, 'pure', 'allow'],
    [2, 'read', 'allow'],
    [2, 'reversible', 'allow'],
    [2, 'irreversible', 'deny'],
    [1, 'reversible', 'allow'],
    [1, 'irreversible', 'escalate'],
  ])('ring %i, an act that is %s: %s', (ring, kind, verdict) => {
    const floor = [1000, 800, 600, 0][ring] ?? 0;
    const { rings } = world({ kind, endorsement: { ring, trustFloor: floor, expiresAt: minutes(60) } });
    rings.enter('a', start);
    expect(rings.ringOf('a')).toBe(ring);
    expect(rings.gate().check(request(start))).toMatchObject({ verdict });
  });

  test('lets any ring ask and tell', () => {
    const { rings } = world({ kind: 'irreversible' });
    rings.enter('a', start);
    expect(rings.gate().check(request(start, 'ask'))).toMatchObject({ verdict: 'allow' });
  });

  test.each([
    ['deny', 'policy', 'policy.denied', true],
    ['deny', 'ring', 'ring.too_far_out', true],
    ['deny', 'kill', 'kill.latched', true],
    ['deny', 'delegation', 'delegation.args_denied', true],
    ['deny', 'delegation', 'delegation.other_command', true],
    ['deny', 'delegation', 'delegation.none', true],
    ['deny', 'delegation', 'delegation.expired', false],
    ['deny', 'delegation', 'delegation.revoked', false],
    ['deny', 'delegation', 'delegation.overdrawn', false],
    ['deny', 'budget', 'delegation.none', false],
    ['deny', 'breaker', 'breaker.open', false],
    ['escalate', 'policy', 'approval.required', false],
    ['allow', 'policy', 'policy.allowed', false],
  ] as const)('N6: %s by %s with %s is a violation: %j', (verdict, gate, code, isOne) => {
    expect(isViolation({ verdict, gate, code })).toBe(isOne);
  });
});

describe('the budget gate', () => {
  test('B1: two acts decided in one tick cannot both have the last place', () => {
    const gate = budgetGate({ ringOf: () => 3, rateOf: () => ({ count: 1, periodMs: 60_000, burst: 1 }) });
    expect(gate.check(request(start))).toMatchObject({ verdict: 'allow' });
    using _first = gate.hold?.(request(start)) as Disposable;
    expect(gate.check(request(start))).toMatchObject({
      verdict: 'deny',
      code: 'budget.too_fast',
      retryAfterMs: 60_000,
    });
  });

  test('B1: what is refused takes nothing', () => {
    const gate = budgetGate({ ringOf: () => 3 });
    for (let n = 0; n < 1_000; n++) expect(gate.check(request(start))).toMatchObject({ verdict: 'allow' });
  });

  test('B3: a restart gives no fresh bucket', () => {
    const gate = budgetGate({ ringOf: () => 3 });
    for (let n = 0; n < 10; n++) gate.relive({ agent: 'a', target: 'file.write' }, start);

    expect(gate.check(request(start))).toMatchObject({ verdict: 'deny', code: 'budget.too_fast' });
    expect(gate.check(request(minutes(1)))).toMatchObject({ verdict: 'allow' });
  });

  test('counts the effects under way, and lets the next one in when one ends', () => {
    const gate = budgetGate({ ringOf: () => 3 });
    const [first] = [gate.hold?.(request(start)), gate.hold?.(request(start))];
    expect(RING_LIMITS[3].concurrentEffectsMax).toBe(2);
    expect(gate.check(request(start))).toMatchObject({ verdict: 'deny', code: 'budget.too_many_at_once' });
    first?.[Symbol.dispose]();
    expect(gate.check(request(start))).toMatchObject({ verdict: 'allow' });
  });

  test('does not limit ring 0', () => {
    const gate = budgetGate({ ringOf: () => 0 });
    for (let n = 0; n < 500; n++) gate.hold?.(request(start));
    expect(gate.check(request(start))).toMatchObject({ verdict: 'allow' });
  });
});

describe('N9: guests', () => {
  const arriving = (agent: string): GateRequest => {
    const action = { agent, target: 'desk.ask@a', verb: 'ask', isArrival: true } as Action;
    return { action, at: start } as GateRequest;
  };

  test('are as many as they like, and take no more room than is theirs', () => {
    const { rings } = world({ endorsement: { ring: 2, trustFloor: 650, expiresAt: minutes(60) } });
    const gate = rings.gate();
    rings.enter('here', start);
    gate.check(arriving('a')); // endorsed: known, and kept
    gate.check(arriving('here'));
    for (let n = 0; n < GUESTS_MAX + 500; n++) gate.check(arriving(`guest/${n}`));

    expect(rings.agents).toHaveLength(GUESTS_MAX + 2);
    expect([rings.ringOf('a'), rings.ringOf('guest/0'), rings.ringOf('here')]).toEqual([2, 3, 3]);
    expect(rings.agents).toEqual(expect.arrayContaining(['a', 'here', `guest/${GUESTS_MAX + 499}`]));
  });

  test('who speaks again is remembered longer, and who comes to live here is no guest any more', () => {
    const { rings } = world();
    const gate = rings.gate();
    for (const agent of ['guest/once', 'guest/often', 'settler']) gate.check(arriving(agent));
    rings.enter('settler', start);
    for (let n = 0; n < GUESTS_MAX - 1; n++) {
      gate.check(arriving(`guest/${n}`));
      gate.check(arriving('guest/often'));
    }

    expect(rings.agents).not.toContain('guest/once');
    expect(rings.agents).toEqual(expect.arrayContaining(['guest/often', 'settler']));
  });

  test('cannot make room for themselves by a violation: what is forgotten is the worst that one can be', () => {
    const { rings } = world();
    const gate = rings.gate();
    gate.check(arriving('guest/rogue'));
    rings.observe('guest/rogue', 'violated', start);
    for (let n = 0; n < GUESTS_MAX; n++) gate.check(arriving(`guest/${n}`));
    gate.check(arriving('guest/rogue'));
    expect(rings.ringOf('guest/rogue')).toBe(3);
  });
});
