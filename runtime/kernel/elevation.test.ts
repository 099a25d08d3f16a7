import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDid } from '../codec/did.ts';
import type { Millis } from '../core/brand.ts';
import { unwrap } from '../core/result.ts';
import type { Action } from './action.ts';
import type { GateRequest } from './gate.ts';
import { ELEVATION_MS_MAX, type Endorsement, type Ring } from './ring.ts';
import { type RingChange, Rings } from './rings.ts';

const start = 1_700_000_000_000 as Millis;
const minutes = (count: number): Millis => (start + count * 60_000) as Millis;
const by = unwrap(parseDid('did:example:ops'), 'a DID');

/** `p`, and its child `c`; both in ring 3 unless endorsed. */
function family(options: { parent?: Ring; child?: Ring; isAttested?: boolean } = {}) {
  const changes: RingChange[] = [];
  const endorse = (agent: string, ring: Ring | undefined): readonly Endorsement[] =>
    ring === undefined ? [] : [{ agent, ring, trustFloor: [1000, 850, 650, 0][ring] ?? 0, expiresAt: minutes(1_000) }];
  const rings = new Rings({
    kindOf: () => 'reversible',
    isAttested: () => options.isAttested === true,
    endorsements: [...endorse('p', options.parent), ...endorse('c', options.child)],
    onChange: (change) => changes.push(change),
  });
  rings.enter('p', start);
  rings.enter('c', start, 'p');
  changes.length = 0;
  const told = () => changes.map(({ agent, from, to, direction }) => `${agent} ${from}>${to} ${direction}`);
  return { rings, told };
}

const request = (agent: string, at: Millis): GateRequest =>
  ({ action: { agent, target: 'file.write', verb: 'use' } as Action, at }) as GateRequest;

describe('N8: an elevation', () => {
  test.each<[string, Parameters<typeof family>[0], string, Ring, number, boolean]>([
    ['lifts', {}, 'p', 2, 30, true],
    ['lifts by more than one', {}, 'p', 1, 30, true],
    ['may last an hour', {}, 'p', 2, 60, true],
    ['may not last longer', {}, 'p', 2, 61, false],
    ['may not be over', {}, 'p', 2, 0, false],
    ['does not lift who stands there', { parent: 2 }, 'p', 2, 30, false],
    ['does not lower', { parent: 1 }, 'p', 2, 30, false],
    ['to ring 0 needs the quorum', { parent: 1 }, 'p', 0, 30, false],
    ['to ring 0 can be had with it', { parent: 1, isAttested: true }, 'p', 0, 30, true],
    ['does not lift a child above its parent', { parent: 2 }, 'c', 1, 30, false],
    ['lifts a child as far as its parent', { parent: 2 }, 'c', 2, 30, true],
    ['is for agents of this node', {}, 'stranger', 2, 30, false],
  ])('%s', (_name, options, ...row) => {
    const [agent, ring, forMinutes, isTaken] = row;
    const { rings } = family(options);
    const before = rings.ringOf(agent);

    const lifted = rings.elevate({ agent, ring, until: minutes(forMinutes), by }, start);

    expect(lifted.ok).toBe(isTaken);
    expect(rings.ringOf(agent)).toBe(isTaken ? ring : before);
    if (!lifted.ok) expect(lifted.error.code).toBe('ring.elevation_refused');
  });

  test('ends at its moment, for the gate too, and its end is a demotion', () => {
    const { rings, told } = family();
    rings.elevate({ agent: 'p', ring: 2, until: minutes(30), by }, start);

    expect(rings.gate().check(request('p', (minutes(30) - 1) as Millis))).toMatchObject({ verdict: 'allow' });
    expect(rings.gate().check(request('p', minutes(30)))).toMatchObject({ code: 'ring.too_far_out' });
    expect(told()).toEqual(['p 3>2 promoted', 'p 2>3 demoted']);
    expect(rings.epoch).toBe(1);
  });

  test('ends when anybody acts, so no permit of it is good after', () => {
    const { rings } = family();
    rings.elevate({ agent: 'p', ring: 2, until: minutes(30), by }, start);

    rings.gate().check(request('somebody', minutes(31)));

    expect([rings.ringOf('p'), rings.epoch]).toEqual([3, 1]);
  });

  test('is void at the first violation, and can be granted anew', () => {
    const { rings } = family();
    const elevation = { agent: 'p', ring: 2, until: minutes(30), by } as const;
    rings.elevate(elevation, start);

    rings.observe('p', 'violated', minutes(1));
    expect([rings.ringOf('p'), rings.epoch]).toEqual([3, 1]);

    expect(rings.elevate(elevation, minutes(2)).ok).toBe(true);
    expect(rings.ringOf('p')).toBe(2);
  });

  test('of a child ends where its parent’s ring does', () => {
    const { rings, told } = family({ parent: 2 });
    rings.elevate({ agent: 'c', ring: 2, until: minutes(30), by }, start);

    rings.observe('p', 'violated', minutes(1));

    expect([rings.ringOf('p'), rings.ringOf('c')]).toEqual([3, 3]);
    expect(told()).toEqual(['c 3>2 promoted', 'p 2>3 demoted', 'c 2>3 demoted']);
  });

  test('earns nothing: fifty clean acts under it promote nobody without the score', () => {
    const { rings } = family();
    rings.elevate({ agent: 'p', ring: 2, until: minutes(60), by }, start);

    for (let n = 0; n < 50; n++) rings.observe('p', 'clean', minutes(20));

    expect(rings.ringOf('p')).toBe(2);
    rings.assess('p', minutes(60));
    expect(rings.ringOf('p')).toBe(3);
  });

  test('whatever happens, no child outranks its parent, and nobody stays lifted past an hour', () => {
    const step = fc.record({
      agent: fc.constantFrom('p', 'c'),
      what: fc.constantFrom('clean', 'violated', 'failed', 'lift'),
      ring: fc.constantFrom<Ring>(0, 1, 2, 3),
      laterMs: fc.nat(ELEVATION_MS_MAX),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { rings } = family();
        let at: number = start;
        for (const { agent, what, ring, laterMs } of steps) {
          at += laterMs;
          const now = at as Millis;
          const until = (at + 1 + laterMs) as Millis;
          if (what === 'lift') rings.elevate({ agent, ring, until, by }, now);
          else rings.observe(agent, what as 'clean', now);
          expect(rings.ringOf('c')).toBeGreaterThanOrEqual(rings.ringOf('p'));
        }
        rings.assess('p', (at + ELEVATION_MS_MAX) as Millis);
        expect([rings.ringOf('p'), rings.ringOf('c')]).toEqual([3, 3]);
      }),
    );
  });
});
