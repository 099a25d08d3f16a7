import { describe, expect, test } from 'vitest';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import { digestText } from '../../runtime/codec/record.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { fold } from '../../runtime/log/projection.ts';
import { foldIdentity, learn, writeInception, writeRotation } from '../identity.ts';
import { writeStatement } from '../statement.ts';
import { anAgent, NOW } from '../world.fixture.ts';
import { GRAINS_PER_UNIT } from './decay.ts';
import { trustProjection } from './projection.ts';
import { score } from './score.ts';
import { entriesOf } from './shelf.ts';
import { subjectOf, unsponsored } from './standing.ts';
import { Trail } from './trail.fixture.ts';
import { Trust } from './trust.ts';

const random = seededRandom('evidence');

/** What is known of an agent, in units as of this moment; good fades by the hour, so it is rounded. */
function known(trail: Trail, agent: string) {
  const trust = new Trust(trail.log);
  const subject = trust.subjectOfAgent(agent);
  const { goodGrains, badGrains, ...rest } = score(trust.state.ledger, { subject, at: trail.now });
  return { ...rest, good: goodGrains / GRAINS_PER_UNIT, bad: badGrains / GRAINS_PER_UNIT };
}

describe('evidence for an agent', () => {
  test('E1: is an act that was allowed and settled, by what was at stake', async () => {
    const trail = await Trail.begin();
    await trail.did('clerk', { risk: 3 });
    expect(known(trail, 'clerk').good).toBeGreaterThan(3.8);
    expect(known(trail, 'clerk').bad).toBe(0);
  });

  test('counts a computation that anybody can repeat for a quarter', async () => {
    const trail = await Trail.begin();
    await trail.did('clerk', { effect: 'pure' });
    expect(known(trail, 'clerk').good).toBeLessThan(0.26);
  });

  test.each([
    [{ type: 'ok' }, 0],
    [{ type: 'failed', code: 'tool.failed', message: 'no' }, 1],
    [{ type: 'unknown', message: 'who knows' }, 1],
    [{ type: 'invalid', code: 'schema.invalid', message: 'in: expected a path' }, 3],
    [{ type: 'invalid', code: 'schema.invalid', message: 'out: the tool is broken' }, 0],
    [{ type: 'died', message: 'the tool is gone' }, 0],
  ])('of %j weighs %i against it', async (outcome, bad) => {
    const trail = await Trail.begin();
    await trail.did('clerk', {}, outcome);
    expect(known(trail, 'clerk').bad).toBe(bad);
  });

  test.each([
    ['policy', 'policy.denied', 5],
    ['ring', 'ring.too_far_out', 5],
    ['policy', 'policy.missing', 0],
    ['policy', 'gate.failed', 0],
    ['delegation', 'delegation.args_denied', 10],
    ['delegation', 'delegation.wrong_audience', 10],
    ['delegation', 'delegation.overdrawn', 0],
    ['delegation', 'delegation.expired', 0],
    ['budget', 'budget.too_fast', 0],
    ['kill', 'kill.frozen', 0],
    ['breaker', 'breaker.open', 0],
    ['approval', 'approval.required', 0],
  ])('E2: a denial by %s with %s weighs %i', async (gate, code, bad) => {
    const trail = await Trail.begin();
    await trail.denied('clerk', gate, {}, code);
    expect(known(trail, 'clerk').bad).toBe(bad);
  });

  test('is the signed reply of whom another sponsor’s agent asked', async () => {
    const trail = await Trail.begin();
    const foreign = formatDidKey(generateKeyPair(random).publicKey);
    await trail.event('agent/seller', 'agent.started', { parent: null });
    await trail.did('buyer', { verb: 'ask', target: 'quote.price@seller', actor: foreign });
    expect(known(trail, 'seller')).toMatchObject({ parties: 1 });
    expect(known(trail, 'buyer')).toMatchObject({ parties: 0, good: 0 });
  });
});

test('E2: a signed message that its delegation does not cover weighs against whoever sent it', async () => {
  const trail = await Trail.begin();
  const { did, identity } = anAgent('peer', random);
  await trail.learned(identity.history[0] ?? new Uint8Array());
  await trail.endorsed(did, 500);
  const envelope = digestText(sha256(utf8('signed')));
  expect(new Trust(trail.log).verifyPeer(did, { at: trail.now, required: 500 }).ok).toBe(true);
  await trail.event(
    'peer/x',
    'message.refused',
    { from: 'did:key:node', agent: did, code: 'delegation.args_denied' },
    { envelope },
  );
  expect(new Trust(trail.log).verifyPeer(did, { at: trail.now, required: 1 })).toMatchObject({
    error: { code: 'trust.too_low' },
  });
});

describe('what is no evidence', () => {
  test('E1: an outcome that nobody allowed, of another agent’s act, or told twice', async () => {
    const trail = await Trail.begin();
    await trail.settled('clerk', 'turn-99/0', { type: 'ok' });
    const key = await trail.allowed('other');
    await trail.settled('clerk', key, { type: 'ok' });
    expect(known(trail, 'clerk').good).toBe(0);
    await trail.settled('other', key, { type: 'ok' });
    const once = known(trail, 'other').good;
    await trail.settled('other', key, { type: 'ok' });
    expect(known(trail, 'other').good).toBe(once);
  });

  test('E1: silence: a deadline that nobody could meet frames nobody', async () => {
    const trail = await Trail.begin();
    const foreign = formatDidKey(generateKeyPair(random).publicKey);
    await trail.event('agent/seller', 'agent.started', { parent: null });
    await trail.did(
      'buyer',
      { verb: 'ask', target: 'quote.price@seller', actor: foreign },
      { type: 'timeout', withinMs: 1 },
    );
    await trail.did(
      'buyer',
      { verb: 'ask', target: 'quote.price@seller', actor: foreign },
      { type: 'died', message: 'gone' },
    );
    expect(known(trail, 'seller').bad).toBe(0);
  });

  test('S2: the praise of one’s own: children, siblings, oneself', async () => {
    const trail = await Trail.begin();
    for (const name of ['parent', 'parent/child'])
      await trail.event(`agent/${name}`, 'agent.started', { parent: null });
    for (let n = 0; n < 50; n++) {
      await trail.did('parent/child', { verb: 'ask', target: 'quote.price@parent' });
      await trail.did('parent', { verb: 'ask', target: 'quote.price@parent' });
    }
    expect(known(trail, 'parent')).toMatchObject({ score: 21, good: 0 });
  });

  test('a score that somebody writes down for himself', async () => {
    const trail = await Trail.begin();
    await trail.event('agent/rogue', 'trust.changed', { subject: 'rogue', score: 1000, tier: 'verified partner' });
    await trail.event('agent/rogue', 'agent.emitted', { turn: 'x', name: 'TrustRaised', data: { score: 1000 } });
    await trail.did('rogue', { effect: 'pure' }, { type: 'ok', value: { trust: 1000 } });
    expect(known(trail, 'rogue').score).toBeLessThan(60);
  });

  test('E2: garbage in somebody’s name, whatever it claims', async () => {
    const trail = await Trail.begin();
    const victim = anAgent('victim', random);
    await trail.learned(victim.identity.history[0] ?? new Uint8Array());
    const before = new Trust(trail.log).verifyPeer(victim.did, { at: trail.now });
    for (const code of ['envelope.bad_signature', 'certificate.wrong_key', 'policy.denied']) {
      await trail.event('node', 'message.refused', { from: victim.did, code });
      await trail.event('peer/x', 'message.refused', { from: victim.did, code });
      if (code.startsWith('policy.')) continue;
      const envelope = digestText(sha256(utf8(code)));
      await trail.event('peer/x', 'message.refused', { from: victim.did, code }, { envelope });
      await trail.event(
        'orders-7',
        'action.decided',
        { key: 'x', verb: 'use', target: 'file.write', risk: 4, refused: { gate: 'policy' } },
        {
          actor: victim.did,
          decision: { verdict: 'deny', code },
        },
      );
    }
    const after = new Trust(trail.log).verifyPeer(victim.did, { at: trail.now });
    expect(unwrap(after, 'admitted').score).toBe(unwrap(before, 'admitted').score);
  });

  test('payloads that are not what their type promises', async () => {
    const trail = await Trail.begin();
    for (const value of [null, 7, [], 'x', { key: 1 }, { key: 'k', verb: 'use', target: 'a', risk: 99 }]) {
      for (const type of [
        'action.decided',
        'action.settled',
        'action.abandoned',
        'agent.endorsed',
        'identity.learned',
      ]) {
        await trail.event('agent/clerk', type, value, { decision: { verdict: 'allow', code: 'policy.allowed' } });
      }
    }
    await trail.event('ring/clerk', 'agent.endorsed', { agent: 'clerk', trust_floor: 1001, expires_at: 9e15 });
    await trail.event('ring/clerk', 'agent.endorsed', { agent: 'clerk', trust_floor: 0.5, expires_at: 9e15 });
    expect(known(trail, 'clerk')).toMatchObject({ score: 21, good: 0, bad: 0, floor: 0 });
  });
});

describe('an identity', () => {
  test('keeps its score through a change of key: the same DID, the same name, the same sponsor', async () => {
    const trail = await Trail.begin();
    const { identity, did, key, next, sponsor } = anAgent('quote', random);
    await trail.learned(identity.history[0] ?? new Uint8Array());
    await trail.worked('quote', 40, { actor: did });
    await trail.denied('quote', 'policy', { actor: did });
    const before = known(trail, 'quote');
    const third = generateKeyPair(random);
    const rotated = unwrap(
      learn(identity, writeRotation(identity, { from: key, to: next, next: third.publicKey, at: NOW })),
      'x',
    );
    for (const statement of rotated.history) await trail.learned(statement);
    await trail.event('agent/quote', 'agent.started', { parent: null }, { actor: rotated.did });
    expect(known(trail, 'quote')).toEqual(before);

    // Registered again, with keys of its own: another DID, and the same history.
    const [again, after] = [generateKeyPair(random), generateKeyPair(random)];
    const second = writeInception({ name: 'quote', key: again, next: after.publicKey, sponsor, at: NOW });
    await trail.learned(second);
    const { state } = fold(trail.log, trustProjection);
    const subject = subjectOf('quote', formatDidKey(sponsor.publicKey));
    expect(score(state.ledger, { subject, at: trail.now }).score).toBe(before.score);
    expect(entriesOf(state.roster.identities).map(([, known]) => known)).toEqual([subject, subject]);
  });

  test('S1: that no sponsor signed for is worth 0, and its deeds are nobody else’s', async () => {
    const trail = await Trail.begin();
    const [key, next, victim] = [generateKeyPair(random), generateKeyPair(random), generateKeyPair(random)];
    const stray = writeInception({ name: 'stray', key, next: next.publicKey, at: NOW });
    await trail.learned(stray);
    const { did } = unwrap(foldIdentity([stray]), 'an inception');
    await trail.worked('stray', 60, { actor: did });
    expect(new Trust(trail.log).verifyPeer(did, { at: trail.now, required: 1 })).toMatchObject({
      error: { code: 'trust.unsponsored' },
    });

    // A forged one that names a sponsor who never signed: he does not pay for what it does.
    const value = {
      at: NOW,
      key: formatDidKey(key.publicKey),
      name: 'forged',
      next: 'A'.repeat(43),
      sponsor: formatDidKey(victim.publicKey),
    };
    await trail.learned(writeStatement('did-mesh/1/inception', value, [key]));
    for (let n = 0; n < 10; n++) await trail.denied('stray', 'policy', { actor: did, risk: 4 });
    const { state } = fold(trail.log, trustProjection);
    const own = score(state.ledger, { subject: subjectOf('honest', formatDidKey(victim.publicKey)), at: trail.now });
    expect(own).toMatchObject({ limit: 1000, score: 21 });
    expect(score(state.ledger, { subject: unsponsored(did), at: trail.now }).score).toBe(0);
  });
});
