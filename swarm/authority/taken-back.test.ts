/** What is handed in to be taken back, by whoever brings it: it counts by its own signature. */
import { describe, expect, test } from 'vitest';
import { writeRevocationOf } from '../../mesh/revocation/revocation.ts';
import { parseCid } from '../../runtime/codec/cid.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { generateKeyPair, type KeyPair } from '../../runtime/codec/ed25519.ts';
import { view } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { Operator } from './operator.ts';
import { eventsOf, House, type Name } from './realm.fixture.ts';
import { takenBackInWords } from './taken-back.ts';

const ann = { to: 'ann' };
const UNKNOWN = unwrap(parseCid('bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'), 'a content id');
const stranger = generateKeyPair(seededRandom('a stranger'));

/** A house whose chief has everything, and whose clerk may write to Ann. */
async function aHouse(seed: string) {
  const house = new House(seed);
  const node = await house.open();
  const { token, delegation: root } = await house.grant('chief');
  await node.authority.learn([token]);
  const where = [{ arg: 'to', is: 'in', value: ['ann'] }];
  const given = await node.delegate('chief', 'clerk', { command: '/tool/mail/send', where });
  const target = unwrap(
    parseCid((given as unknown as { value: { delegation: string } }).value.delegation),
    'a delegation',
  );
  const keyOf = (name: Name): KeyPair => house.signers.get(name)?.key as KeyPair;
  const by = (pair: KeyPair, what = target) =>
    writeRevocationOf({ at: house.clock.now(), reason: 'enough', target: what }, pair);
  return { house, ...node, root, target, keyOf, by };
}

describe('a revocation that is handed in', () => {
  test('by the operator is on record and in force when that is said; brought again, it changes nothing', async () => {
    const { house, authority, act, log, target } = await aHouse('operator');
    expect(await act('clerk', ann)).toMatchObject({ type: 'ok' });
    const statement = house.operator.revocation(target, 'enough');
    const taken = await authority.takeBack(statement);
    expect(taken).toMatchObject({ ok: true, value: { isNews: true, isKnown: true, epoch: 1, target } });
    expect(eventsOf(log, 'authority.revoked')).toMatchObject([{ target, reason: 'enough' }]);
    expect(await act('clerk', ann)).toMatchObject({ type: 'denied', code: 'delegation.revoked' });
    house.clock.advance(60_000);
    for (const again of [statement, house.operator.revocation(target, 'in other words')]) {
      const told = await authority.takeBack(again);
      expect(told.ok && takenBackInWords(told.value)).toBe(
        `revoked before: ${target}, on record and in force, epoch 1`,
      );
    }
    expect(eventsOf(log, 'authority.revoked')).toHaveLength(1);
  });

  test.each(['chief', 'clerk'] as const)('by %s, a party of it, counts', async (name) => {
    const { authority, act, by, keyOf } = await aHouse(`party ${name}`);
    expect(await authority.takeBack(by(keyOf(name)))).toMatchObject({ ok: true });
    expect(await act('clerk', ann)).toMatchObject({ code: 'delegation.revoked' });
  });

  test('is known to the next life of the node', async () => {
    const { house, authority, close, by, keyOf } = await aHouse('next life');
    await authority.takeBack(by(keyOf('chief')));
    await close();
    const next = await house.open();
    expect(next.authority.revocations.epoch).toBe(1);
  });

  test('of what nobody here knows is taken from the realm’s own, and said to be unknown', async () => {
    const { house, authority, by, keyOf } = await aHouse('unknown');
    const taken = await authority.takeBack(house.operator.revocation(UNKNOWN, 'enough'));
    expect(taken.ok && takenBackInWords(taken.value)).toMatch(/epoch 1; nothing of that name is known here yet$/);
    expect(await authority.takeBack(by(keyOf('rogue'), UNKNOWN))).toMatchObject({
      ok: true,
      value: { isKnown: false },
    });
  });
});

describe('attack: a revocation', () => {
  test('by an agent of the realm that has no part in it, below it or beside it, is refused', async () => {
    const { authority, act, by, keyOf, root } = await aHouse('no part');
    expect(await authority.takeBack(by(keyOf('rogue')))).toMatchObject({ error: { code: 'revocation.not_entitled' } });
    expect(await authority.takeBack(by(keyOf('clerk'), root))).toMatchObject({
      error: { code: 'revocation.not_entitled' },
    });
    expect(authority.revocations.epoch).toBe(0);
    expect(await act('clerk', ann)).toMatchObject({ type: 'ok' });
  });

  test('by the operator of another realm, of what is known or unknown here, is refused', async () => {
    const { house, authority, target } = await aHouse('another realm');
    const other = new Operator(stranger, { clock: house.clock, random: seededRandom('other') });
    expect(await authority.takeBack(other.revocation(target, 'mine'))).toMatchObject({
      error: { code: 'revocation.not_entitled' },
    });
    expect(await authority.takeBack(other.revocation(UNKNOWN, 'mine'))).toMatchObject({
      error: { code: 'revocation.unknown_signer' },
    });
  });

  test.each([
    [
      'forged under the operator’s name',
      (text: string, did: string) => text.replace(/did:key:\w+/, did),
      'bad_signature',
    ],
    ['of another target', (text: string) => text.replace('payload":"', 'payload":"AAAA'), 'bad_signature'],
    ['cut short', (text: string) => text.slice(0, -2), 'malformed'],
    ['that is none', () => '', 'malformed'],
  ])('%s is refused, and on record', async (_, change, code) => {
    const { house, authority, log, by } = await aHouse('forged');
    const text = change(view(by(stranger)).toString('utf8'), house.operator.did);
    const taken = await authority.takeBack(new TextEncoder().encode(text));
    expect(taken).toMatchObject({ ok: false, error: { code: `statement.${code}` } });
    expect(eventsOf(log, 'authority.revocation_refused')).toMatchObject([{ code: `statement.${code}` }]);
    expect(authority.revocations.epoch).toBe(0);
  });

  test('that is refused is on record with its signer, ten a minute (A6)', async () => {
    const { house, authority, log, by, target } = await aHouse('flood');
    for (let n = 0; n < 40; n++) await authority.takeBack(by(stranger));
    const refused = eventsOf(log, 'authority.revocation_refused');
    expect(refused).toHaveLength(10);
    const whose = { by: formatDidKey(stranger.publicKey), target, code: 'revocation.not_entitled' };
    expect(refused[0]).toMatchObject(whose);
    house.clock.advance(60_000);
    await authority.takeBack(by(stranger));
    expect(eventsOf(log, 'authority.revocation_refused')).toHaveLength(11);
  });
});
