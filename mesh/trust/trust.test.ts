import { describe, expect, test } from 'vitest';
import { parseStreamId } from '../../runtime/codec/record.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import { allowList } from '../../runtime/kernel/allow-list.ts';
import { Kernel } from '../../runtime/kernel/kernel.ts';
import { Rings } from '../../runtime/kernel/rings.ts';
import { anAgent } from '../world.fixture.ts';
import { Trail } from './trail.fixture.ts';
import { agentScore, Trust } from './trust.ts';

const live = new AbortController().signal;
const random = seededRandom('trust');

describe('whether a peer is trusted enough', () => {
  test('T1: is answered as of the end of the log, with the size that it stands for', async () => {
    const trail = await Trail.begin();
    const trust = new Trust(trail.log);
    const before = unwrap(trust.verifyAgent('clerk', { at: trail.now }), 'no score is required');
    await trail.worked('clerk', 30);
    const after = unwrap(trust.verifyAgent('clerk', { at: trail.now, required: 700 }), 'thirty tasks are enough');
    expect([before.asOf, after.asOf]).toEqual([0, 60]);
    expect(after).toMatchObject({ tier: 'trusted', parties: 3 });
  });

  test.each([
    [0, 'clerk', true],
    [1, 'clerk', false],
    [0, 'veteran', true],
    [1, 'veteran', true],
    [2, 'veteran', true],
    [3, 'veteran', true],
    [4, 'veteran', false],
  ] as const)('for an act of risk class %i by a %s: %j', async (risk, agent, isEnough) => {
    const trail = await Trail.begin();
    await trail.worked('veteran', 20);
    expect(new Trust(trail.log).verifyAgent(agent, { at: trail.now, risk }).ok).toBe(isEnough);
  });

  test('falls with the ceiling of its delegation chain', async () => {
    const trail = await Trail.begin();
    await trail.worked('clerk', 30);
    const answer = new Trust(trail.log).verifyAgent('clerk', { at: trail.now, risk: 2, ceilings: [900, 499] });
    expect(answer).toMatchObject({ ok: false, error: { code: 'trust.too_low' } });
  });

  test('for a DID that nobody sponsors is no, and for one that is new not yet', async () => {
    const trail = await Trail.begin();
    const { did, identity } = anAgent('new', random);
    const trust = new Trust(trail.log);
    expect(trust.verifyPeer(did, { at: trail.now, required: 300 })).toMatchObject({
      error: { code: 'trust.unsponsored' },
    });
    await trail.learned(identity.history[0] ?? new Uint8Array());
    expect(trust.verifyPeer(did, { at: trail.now, required: 300 })).toMatchObject({ error: { code: 'trust.too_low' } });
    await trail.endorsed(did, 300);
    expect(trust.verifyPeer(did, { at: trail.now, required: 300 })).toMatchObject({ ok: true, value: { score: 300 } });
  });

  test('ends where more would be at stake at once than it has earned', async () => {
    const trail = await Trail.begin();
    await trail.endorsed('clerk', 800);
    const trust = new Trust(trail.log);
    const answers = [];
    for (let n = 0; n < 6; n++) {
      answers.push(trust.verifyAgent('clerk', { at: trail.now, risk: 3 }));
      await trail.allowed('clerk', { risk: 3 });
    }
    expect(answers.map((one) => (one.ok ? 'ok' : one.error.code))).toEqual([
      ...['ok', 'ok', 'ok', 'ok'],
      ...['trust.too_exposed', 'trust.too_exposed'],
    ]);
  });

  test('is the same from a snapshot as from the beginning', async () => {
    const trail = await Trail.begin();
    await trail.worked('clerk', 30);
    const first = new Trust(trail.log);
    first.keep();
    await trail.denied('clerk', 'policy');
    const asked = { at: trail.now, required: 0 } as const;
    const resumed = new Trust(trail.log);
    expect(resumed.verifyAgent('clerk', asked)).toEqual(first.verifyAgent('clerk', asked));
    expect(resumed.state).toEqual(first.state);
  });
});

test('whoever wants to hears of every change of tier, once, with what brought it about', async () => {
  const trail = await Trail.begin();
  const heard: unknown[] = [];
  const trust = new Trust(trail.log, ({ index, why, to }) => heard.push([index, why, to.tier]));
  await trail.endorsed('clerk', 650);
  await trail.did('clerk');
  await trail.denied('clerk', 'policy');
  trust.scoreOf('clerk', trail.now);
  trust.scoreOf('clerk', trail.now);

  expect(heard).toEqual([
    [0, 'endorsed', 'standard'],
    [3, 'policy', 'untrusted'],
  ]);
});

/** A node with rings that take their score from trust, and agents that it endorsed for ring 2. */
async function office() {
  const trail = await Trail.begin();
  const { log, clock } = trail;
  const trust = new Trust(log);
  const expiresAt = (clock.now() + 90 * 86_400_000) as typeof trail.now;
  const names = ['clerk', 'scout', 'rogue'];
  for (const name of names) await trail.endorsed(name, 650);
  const rings = new Rings({
    kindOf: ({ target }) => (target.startsWith('file') ? 'reversible' : 'read'),
    scoreOf: (agent, at) => trust.scoreOf(agent, at),
    endorsements: names.map((agent) => ({ agent, ring: 2, trustFloor: 650, expiresAt })),
  });
  const gates = { ring: rings.gate(), policy: allowList({ '*': ['file.*', 'web.get'] }) };
  const executorOf = () => ({ run: async () => ({ type: 'ok', value: null }) as const });
  const kernel = new Kernel({ log, clock, random, gates, executorOf });
  let acts = 0;
  const act = (agent: string, target: string) => {
    const stream = unwrap(parseStreamId(`agent/${agent}`), 'a stream');
    const action: Action = {
      ...{ key: `turn-${acts++}/0`, agent, actor: log.did, stream, verb: 'use', target },
      ...{ effect: 'idempotent', risk: 1, input: {}, withinMs: 1_000 },
    };
    return kernel.perform(action, live);
  };
  return { trail, trust, rings, act };
}

describe('rings that follow trust', () => {
  test('let a fresh swarm of one sponsor, endorsed, work on the first day', async () => {
    const { act, rings, trail, trust } = await office();
    for (const agent of ['clerk', 'scout']) expect(await act(agent, 'file.write')).toMatchObject({ type: 'ok' });
    expect(await act('stranger', 'file.write')).toMatchObject({ type: 'denied', code: 'ring.too_far_out' });
    expect([rings.ringOf('clerk'), trust.scoreOf('clerk', trail.now)]).toEqual([2, 650]);
  });

  test('take a rogue down at once, and nobody with it', async () => {
    const { act, rings, trail, trust } = await office();
    await act('rogue', 'file.write');
    expect(await act('rogue', 'shell.run')).toMatchObject({ type: 'denied' });
    expect(rings.ringOf('rogue')).toBe(3);
    expect(trust.scoreOf('rogue', trail.now)).toBeLessThan(100);
    expect(await act('rogue', 'file.write')).toMatchObject({ type: 'denied', code: 'ring.too_far_out' });
    for (let n = 0; n < 5; n++) await act('rogue', 'shell.run');
    expect(await act('clerk', 'file.write')).toMatchObject({ type: 'ok' });
    expect(rings.ringOf('clerk')).toBe(2);
  });

  test('promote who has earned it, after the dwell time and fifty clean acts', async () => {
    const { act, rings, trail } = await office();
    for (let n = 0; n < 60; n++) {
      await act('clerk', ['file.read', 'file.write', 'web.get'][n % 3] ?? '');
      trail.clock.advance(60_000);
    }
    expect(rings.ringOf('clerk')).toBe(1);
  });

  test('can be folded again with the score of each moment', async () => {
    const { act, trail, trust } = await office();
    await act('clerk', 'file.write');
    await act('rogue', 'shell.run');
    const { log, now: at } = trail;
    const asked = (agent: string) => agentScore({ state: trust.state, node: log.did, agent, at });
    expect([asked('clerk'), asked('rogue'), asked('stranger')]).toEqual([650, 0, 21]);
  });
});
