import { describe, expect, test } from 'vitest';
import { trustProjection } from '../../mesh/trust/projection.ts';
import { agentScore } from '../../mesh/trust/trust.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { ActionDecided } from '../../runtime/kernel/action-events.ts';
import { fold } from '../../runtime/log/projection.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { eventsOf, House } from './realm.fixture.ts';

const toAnn = { command: '/tool/mail/send', where: [{ arg: 'to', is: 'in', value: ['ann'] }] };
const ann = { to: 'ann' };
const eve = { to: 'eve' };

/** A house whose chief may do everything, and its clerk write to Ann. */
async function aHouse(seed: string) {
  const house = new House(seed);
  const first = await house.open();
  const { token, delegation } = await house.grant('chief');
  await first.authority.learn([token]);
  const given = await first.delegate('chief', 'clerk', toAnn);
  return { house, first, root: delegation, token, given };
}

describe('a node with an authority', () => {
  test('lets nobody act to whom nobody gave anything', async () => {
    const { first, house } = await aHouse('nothing');
    expect(await first.act('rogue', ann)).toMatchObject({ type: 'denied', code: 'delegation.none' });
    expect(house.ran).toEqual([]);
  });

  test('lets an agent give exactly a part of what it has, and the log says under which chain who acts', async () => {
    const { first, given } = await aHouse('part');
    expect(given).toMatchObject({ type: 'ok', value: { delegation: expect.any(String) } });
    expect(await first.act('clerk', ann)).toMatchObject({ type: 'ok' });
    expect(await first.act('clerk', eve)).toMatchObject({ type: 'denied', code: 'delegation.args_denied' });
    const acts = [...first.log.read()].filter(
      ({ stream, type }) => stream === 'agent/clerk' && type === 'action.decided',
    );
    expect(acts.map(({ decision }) => decision?.delegations?.length)).toEqual([2, undefined]);
  });

  test.each([
    ['a wider command', { command: '/tool' }, 'delegation.wider'],
    ['other arguments', { ...toAnn, where: [{ arg: 'to', is: 'in', value: ['ann', 'eve'] }] }, 'delegation.wider'],
    ['to be passed on further', { ...toAnn, depth: 1 }, 'delegation.wider'],
    ['what is no command', { command: 'tool' }, 'delegation.bad_terms'],
    [
      'what is no predicate',
      { command: '/tool/mail/send', where: [{ arg: '__proto__.x.', is: 'eq', value: 1 }] },
      'delegation.bad_terms',
    ],
  ])('A2: refuses an agent that gives %s', async (_, grant, code) => {
    const { house, first } = await aHouse('wider');
    const narrow = await house.grant('rogue', {
      command: '/tool/mail/send',
      where: [{ arg: 'to', is: 'in', value: ['ann'] }],
      depth: 1,
    });
    const mayAsk = await house.grant('rogue', { command: '/tool/authority/delegate', depth: 0 });
    await first.authority.learn([narrow.token, mayAsk.token]);
    expect(await first.delegate('rogue', 'clerk', grant)).toMatchObject({ type: 'failed', code });
  });

  test('a child is endowed with a part of what its parent has, or with nothing', async () => {
    const { first } = await aHouse('child');
    const part = { command: '/tool/mail/send', forMs: 60_000, where: toAnn.where };
    expect(await first.authority.endow('chief', 'rogue', part)).toMatchObject({ type: 'ok' });
    expect(await first.act('rogue', ann)).toMatchObject({ type: 'ok' });
    expect(await first.authority.endow('clerk', 'rogue', part)).toMatchObject({
      type: 'failed',
      code: 'delegation.wider',
    });
  });

  test('refuses to give to whom the realm does not have', async () => {
    const { first } = await aHouse('stranger');
    expect(await first.delegate('chief', 'nobody', toAnn)).toMatchObject({ type: 'failed', code: 'identity.missing' });
  });

  test('A1: knows after a restart what was given and what was taken back', async () => {
    const { house, first, token } = await aHouse('restart');
    const other = await house.grant('rogue');
    await first.authority.learn([other.token]);
    first.authority.revoke(house.operator.revocation(other.delegation, 'lost'));
    await first.close();
    const second = await house.open();
    await second.authority.learn([token, other.token].slice(0, 1));
    expect(await second.act('clerk', ann)).toMatchObject({ type: 'ok' });
    expect(await second.act('rogue', ann)).toMatchObject({ type: 'denied' });
    expect(second.authority.revocations.epoch).toBe(1);
    expect(eventsOf(second.log, 'delegation.granted')).toHaveLength(3);
    expect(eventsOf(second.log, 'identity.learned')).toHaveLength(3);
  });

  test('A4: tells whoever comes late that it has ended, which is no violation', async () => {
    const { house, first } = await aHouse('late');
    const { token } = await house.grant('rogue', { expires: house.later(1_000) });
    await first.authority.learn([token]);
    house.clock.advance(1_000);
    expect(await first.act('rogue', ann)).toMatchObject({ code: 'delegation.expired' });
    expect(first.governance.rings.ringOf('rogue')).toBe(2);
    await first.close();
    expect(await (await house.open()).act('rogue', ann)).toMatchObject({ code: 'delegation.expired' });
  });

  test('a revocation takes hold before the next effect starts', async () => {
    const { house, first, given } = await aHouse('revoked');
    const delegation = given.type === 'ok' ? (given.value as { delegation: string }).delegation : '';
    const under = first.act('clerk', ann); // decided, and waiting for the disk
    first.authority.revoke(house.operator.revocation(delegation as never, 'no longer'));
    expect(await under).toMatchObject({ type: 'denied', code: 'permit.stale' });
    expect(await first.act('clerk', ann)).toMatchObject({ code: 'delegation.revoked' });
    expect(house.ran).toEqual([]);
    expect(first.governance.rings.ringOf('clerk')).toBe(2);
  });

  test('what hangs below what was revoked is worth nothing either', async () => {
    const { house, first, root } = await aHouse('subtree');
    first.authority.revoke(house.operator.revocation(root, 'all of it'));
    expect(await first.act('clerk', ann)).toMatchObject({ code: 'delegation.revoked' });
    expect(await first.act('chief', ann)).toMatchObject({ code: 'delegation.revoked' });
  });
});

describe('whether a peer is trusted enough', () => {
  test('follows from its deeds and its sponsor’s, now; who is nobody’s has nothing', async () => {
    const { first, house } = await aHouse('peers');
    const { authority } = first;
    expect(authority.verifyPeer(house.didOf('clerk'), { required: 500 })).toMatchObject({
      ok: true,
      value: { score: 650, tier: 'standard', asOf: first.log.size },
    });
    await first.act('clerk', eve);
    expect(authority.verifyPeer(house.didOf('clerk'), { required: 500 })).toMatchObject({
      error: { code: 'trust.too_low' },
    });
    expect(authority.verifyPeer(house.operator.did, { required: 1 })).toMatchObject({
      error: { code: 'trust.unsponsored' },
    });
    expect(authority.verifyPeer(house.didOf('clerk'), { required: Number.NaN })).toMatchObject({ ok: false });
  });
});

describe('trust in rings', () => {
  test('the first act beyond what was given ends an endorsement, and the ring follows the score', async () => {
    const { first } = await aHouse('falls');
    expect(await first.act('clerk', ann)).toMatchObject({ type: 'ok' });
    expect(first.governance.rings.ringOf('clerk')).toBe(2);
    await first.act('clerk', eve);
    await first.governance.recorded();
    expect(first.governance.rings.ringOf('clerk')).toBe(3);
    expect(await first.act('clerk', ann)).toMatchObject({ code: 'ring.too_far_out' });
    expect(eventsOf(first.log, 'ring.demoted')).toMatchObject([{ agent: 'clerk', from: 2, to: 3 }]);
    expect(eventsOf(first.log, 'trust.changed')).toContainEqual(
      expect.objectContaining({ why: 'scope', tier: 'untrusted', strikes: 1 }),
    );
  });

  test('the fold finds every score that a decision has on record', async () => {
    const { house, first } = await aHouse('same');
    for (let n = 0; n < 5; n++) {
      await first.act('clerk', ann);
      house.clock.advance(60_000);
    }
    await first.act('rogue', ann);
    await first.act('clerk', eve);
    await first.act('clerk', ann);
    const second = await first.close().then(() => house.open());
    await second.act('clerk', ann);
    await second.governance.recorded();
    const { log } = second;
    let compared = 0;
    for (const record of log.read()) {
      if (record.type !== 'action.decided' || record.decision?.trust === undefined) continue;
      const { asOf, score } = record.decision.trust;
      const { at } = jsonOf(record, log) as unknown as ActionDecided;
      const { state } = fold(log, trustProjection, asOf);
      const agent = record.stream.slice('agent/'.length);
      expect(agentScore({ state, node: log.did, agent, at: at as Millis })).toBe(score);
      compared += 1;
    }
    expect(compared).toBe(10);
  });

  test('a sponsor’s agents are bounded by what he answers for, endorsed or not', async () => {
    const { first } = await aHouse('sponsor');
    for (let n = 0; n < 3; n++) await first.act('rogue', ann);
    const { limit } = first.authority.trust.scoredOf('chief', 0 as Millis);
    expect(limit).toBeLessThan(1000);
    expect(first.governance.rings.scoreOf('chief', 0 as Millis)).toBeLessThanOrEqual(limit);
  });
});
