import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Did } from '../runtime/codec/did.ts';
import { formatDigest, sha256 } from '../runtime/codec/digest.ts';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { utf8 } from '../runtime/core/bytes.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import type { Death } from './death.ts';
import type { Beat } from './heartbeat.ts';
import { type PeerNews, Peers } from './heartbeat-peers.ts';
import { codeOf, didOf, later } from './world.fixture.ts';

const random = seededRandom('peers');
const nodes: readonly Did[] = Array.from({ length: 3 }, () => didOf(generateKeyPair(random)));
const [a, b] = nodes as [Did, Did];
const digest = formatDigest(sha256(utf8('x'))) as DigestText;
const EVERY = 1_000;

function beatOf(node: Did, over: Partial<Beat> = {}): Beat {
  return {
    agents: 0,
    at: later(0),
    epoch: 'first',
    every: EVERY,
    head: { origin: digest, root: digest, size: 0 },
    mailbox: 0,
    node,
    number: 0,
    phase: 'up',
    revocations: { digest, epoch: 0 },
    turn: 0,
    ...over,
  };
}

const deathOf = (node: Did, epoch = 'first'): Death => ({ at: later(0), by: b, cause: 'exited', epoch, node });

/** Lets time pass as a node does, ticking; what was told meanwhile. */
class Follower {
  readonly peers = new Peers(0);
  atMs = 0;

  pass(ms: number, canHear = true): readonly PeerNews[] {
    const news: PeerNews[] = [];
    for (const until = this.atMs + ms; this.atMs < until; ) {
      this.atMs = Math.min(until, this.atMs + 100);
      news.push(...this.peers.tick(this.atMs, canHear));
    }
    return news;
  }

  hear(beat: Beat): readonly PeerNews[] {
    const heard = this.peers.hear(beat, this.atMs);
    if (!heard.ok) throw new Error(heard.error.code);
    return heard.value;
  }
}

const said = (news: readonly PeerNews[]): readonly string[] =>
  news.map((item) => (item.type === 'died' ? `${item.epoch} died ${item.why}` : `${item.epoch} ${item.type}`));

describe('one node that follows another', () => {
  test('silence makes a suspect after two missed heartbeats and a dead one after four, each told once (B3)', () => {
    const follower = new Follower();
    expect(said(follower.hear(beatOf(a)))).toEqual(['first joined']);
    expect(said(follower.pass(2_500))).toEqual([]);
    expect(said(follower.pass(100))).toEqual(['first suspected']);
    expect(said(follower.pass(1_400))).toEqual([]);
    expect(said(follower.pass(100))).toEqual(['first died silent']);
    expect(said(follower.pass(60_000))).toEqual([]);
    expect(follower.peers.get(a)?.state).toBe('dead');
  });

  test('a heartbeat in time refutes suspicion', () => {
    const follower = new Follower();
    follower.hear(beatOf(a));
    follower.pass(3_000);
    expect(said(follower.hear(beatOf(a, { number: 1 })))).toEqual(['first refuted']);
    expect(said(follower.pass(2_500))).toEqual([]);
  });

  test('a paused life that goes on has returned, and is given more time from then on (B2, B4)', () => {
    const follower = new Follower();
    follower.hear(beatOf(a));
    follower.pass(10_000);
    expect(said(follower.hear(beatOf(a, { number: 1 })))).toEqual(['first returned']);
    expect(said(follower.pass(4_500))).toEqual([]);
    expect(said(follower.pass(5_000))).toEqual(['first suspected', 'first died silent']);
  });

  test('flapping dies down: of a thousand long pauses only a few kill (B4)', () => {
    const follower = new Follower();
    follower.hear(beatOf(a));
    let deaths = 0;
    for (let number = 1; number <= 1_000; number++) {
      deaths += said(follower.pass(11_000)).filter((line) => line === 'first died silent').length;
      follower.hear(beatOf(a, { number }));
    }
    // Twice until it is given three times as much; and again whenever ten quiet minutes have passed.
    expect(deaths).toBeLessThanOrEqual(2 * Math.ceil((1_000 * 11) / 600 + 1));
    expect(deaths).toBeGreaterThanOrEqual(2);
  });

  test('a restart is a new life: the old one is ended first, and for good (B1)', () => {
    const follower = new Follower();
    follower.hear(beatOf(a, { number: 9 }));
    const second = beatOf(a, { epoch: 'second', at: later(1) });
    expect(said(follower.hear(second))).toEqual(['first died replaced', 'second joined']);
    expect(codeOf(follower.peers.hear(beatOf(a, { number: 10 }), 0))).toBe('beat.replayed');
  });

  test('a restart after death does not tell the death again (B3)', () => {
    const follower = new Follower();
    follower.hear(beatOf(a));
    follower.pass(10_000);
    expect(said(follower.hear(beatOf(a, { epoch: 'second', at: later(1) })))).toEqual(['second joined']);
  });

  test('a captured heartbeat of an earlier life, or of this one, changes nothing (B3)', () => {
    const follower = new Follower();
    follower.hear(beatOf(a, { number: 5 }));
    for (const number of [0, 4, 5]) {
      expect(codeOf(follower.peers.hear(beatOf(a, { number }), 0))).toBe('beat.replayed');
    }
    follower.hear(beatOf(a, { epoch: 'second', at: later(10) }));
    expect(codeOf(follower.peers.hear(beatOf(a, { number: 6, at: later(9) }), 0))).toBe('beat.replayed');
    expect(follower.peers.get(a)?.beat.epoch).toBe('second');
  });

  test('leaving is final: no silence, no later heartbeat and no notice adds to it (B2)', () => {
    const follower = new Follower();
    follower.hear(beatOf(a));
    expect(said(follower.hear(beatOf(a, { number: 1, phase: 'leaving' })))).toEqual(['first died left']);
    expect(codeOf(follower.peers.hear(beatOf(a, { number: 2 }), 0))).toBe('beat.replayed');
    expect(follower.peers.accuse(deathOf(a), 0)).toEqual([]);
    expect(said(follower.pass(60_000))).toEqual([]);
  });

  test('a death notice shortens the wait, and only for the life that it names', () => {
    const follower = new Follower();
    follower.hear(beatOf(a));
    expect(follower.peers.accuse(deathOf(a, 'earlier'), follower.atMs)).toEqual([]);
    expect(follower.peers.accuse(deathOf(b), follower.atMs)).toEqual([]);
    expect(said(follower.peers.accuse(deathOf(a), follower.atMs))).toEqual(['first suspected']);
    expect(follower.peers.accuse(deathOf(a), follower.atMs)).toEqual([]);
    expect(said(follower.pass(1_500))).toEqual([]);
    expect(said(follower.pass(100))).toEqual(['first died accused']);
  });

  test('false notices, repeated for ever, kill nobody whose heart beats', () => {
    const follower = new Follower();
    follower.hear(beatOf(a));
    for (let number = 1; number < 50; number++) {
      follower.peers.accuse(deathOf(a), follower.atMs);
      expect(said(follower.pass(EVERY)).filter((line) => line.includes('died'))).toEqual([]);
      follower.hear(beatOf(a, { number }));
    }
    expect(follower.peers.get(a)?.state).toBe('alive');
  });

  test('who was paused himself, or had no carrier, blames nobody for the silence (B6)', () => {
    const follower = new Follower();
    follower.hear(beatOf(a));
    expect(follower.peers.tick(600_000, true)).toEqual([]);
    follower.atMs = 600_000;
    expect(follower.pass(60_000, false)).toEqual([]);
    expect(follower.peers.get(a)?.state).toBe('alive');
    expect(said(follower.pass(4_000))).toEqual(['first suspected', 'first died silent']);
  });
});

test('the dead make room for the living, the living for nobody (B5)', () => {
  const peers = new Peers(0);
  const nameOf = (n: number): Did => `${a}${n}` as typeof a;
  for (let n = 0; n < 4_096; n++) expect(peers.hear(beatOf(nameOf(n)), 0).ok).toBe(true);
  expect(codeOf(peers.hear(beatOf(nameOf(5_000)), 0))).toBe('beat.full');
  peers.hear(beatOf(nameOf(7), { number: 1, phase: 'leaving' }), 0);
  expect(peers.hear(beatOf(nameOf(5_000)), 0).ok).toBe(true);
  expect(peers.get(nameOf(7))).toBeUndefined();
});

type Step =
  | {
      readonly type: 'beat';
      readonly node: number;
      readonly life: number;
      readonly number: number;
      readonly phase: Beat['phase'];
    }
  | { readonly type: 'accuse'; readonly node: number; readonly life: number }
  | { readonly type: 'pass'; readonly ms: number; readonly canHear: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('beat' as const),
      node: fc.nat(2),
      life: fc.nat(3),
      number: fc.nat(30),
      phase: fc.constantFrom('up' as const, 'up' as const, 'up' as const, 'draining' as const, 'leaving' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('accuse' as const), node: fc.nat(2), life: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('pass' as const),
      ms: fc.integer({ min: 1, max: 5_000 }),
      canHear: fc.boolean(),
    }),
  },
);

/** What may be told of one life after what (B1, B2, B3). */
const NEXT: Readonly<Record<string, readonly string[]>> = {
  nothing: ['joined'],
  joined: ['suspected', 'died silent', 'died accused', 'died left', 'died replaced'],
  refuted: ['suspected', 'died silent', 'died accused', 'died left', 'died replaced'],
  returned: ['suspected', 'died silent', 'died accused', 'died left', 'died replaced'],
  suspected: ['refuted', 'died silent', 'died accused', 'died replaced'],
  'died silent': ['returned'],
  'died accused': ['returned'],
  'died left': [],
  'died replaced': [],
};

test('whatever happens, of each life a story is told that makes sense, and of each node one life at a time (B1-B3)', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const follower = new Follower();
      const last = new Map<string, string>();
      const living = new Map<Did, string>();
      const check = (news: readonly PeerNews[]): void => {
        for (const item of news) {
          const life = `${item.node} ${item.epoch}`;
          const line = item.type === 'died' ? `died ${item.why}` : item.type;
          expect(NEXT[last.get(life) ?? 'nothing']).toContain(line);
          last.set(life, line);
          if (item.type === 'joined' || item.type === 'returned') {
            expect(living.get(item.node)).toBeUndefined();
            living.set(item.node, item.epoch);
          }
          if (item.type === 'died') living.delete(item.node);
        }
      };
      for (const move of steps) {
        if (move.type === 'pass') check(follower.pass(move.ms, move.canHear));
        else {
          const node = nodes[move.node] ?? a;
          const epoch = `life ${move.life}`;
          if (move.type === 'accuse') check(follower.peers.accuse(deathOf(node, epoch), follower.atMs));
          else {
            const beat = beatOf(node, { epoch, number: move.number, phase: move.phase, at: later(move.life) });
            const heard = follower.peers.hear(beat, follower.atMs);
            if (heard.ok) check(heard.value);
          }
        }
      }
      for (const [node, epoch] of living) expect(follower.peers.get(node)?.beat.epoch).toBe(epoch);
    }),
    { numRuns: 300 },
  );
});
