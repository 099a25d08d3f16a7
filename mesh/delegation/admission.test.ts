/** Delegation and revocation where a message of another node's is admitted. */
import { describe, expect, test } from 'vitest';
import type { Cid } from '../../runtime/codec/cid.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { type Admitted, admit } from '../admit.ts';
import type { Claims } from '../claims.ts';
import type { Kind } from '../head.ts';
import { revocationCheck } from '../revocation/check.ts';
import { aFrame, aMessage, aWorld, codeOf, NOW } from '../world.fixture.ts';
import type { Delegation } from './delegation.ts';
import { delegationCheck } from './gate.ts';
import { type Party, Realm } from './realm.fixture.ts';

/** A asks B's agent, whose node asks for a chain. */
async function aGuarded(risk: 1 | 2 | 'none' = 1) {
  const world = aWorld('guarded');
  const realm = new Realm('its realm');
  const asker: Party = { did: world.ask.did, pair: world.ask.key };
  for (const told of world.ask.identity.history) unwrap(realm.directory.learn(told, NOW), 'a history');
  const where = [{ arg: 'sku', is: 'in', value: ['7', '8'] }] as const;
  const [link] = await realm.chain([asker], [{ command: '/quote', where, budget: { calls: 1 } }]);
  if (link === undefined) throw new Error('expected a link');
  await realm.learn([link]);
  const guard = delegationCheck({ ...realm.parts, riskOf: () => (risk === 'none' ? undefined : risk) });
  world.b.checks.push(revocationCheck(realm.authority), guard.check);
  type Sent = { claims?: Partial<Claims>; content?: string; media?: string; kind?: Kind };
  const send = ({ claims = {}, content = '{"sku":"7"}', kind = 'ask' }: Sent = {}) => {
    const message = aMessage(world, { kind, claims: { delegation: [link.cid], ...claims }, content: utf8(content) });
    return admit(aFrame(world, message), NOW, world.b.view());
  };
  return { world, realm, link: link as Delegation, guard, send, asker };
}

describe('T3: a message', () => {
  test('is admitted under the chain that it names', async () => {
    const { send } = await aGuarded();
    expect(send().ok).toBe(true);
  });

  test.each([
    ['no chain', { claims: { delegation: [] } }, 'delegation.none'],
    ['another command', { claims: { command: '/order/place' } }, 'delegation.other_command'],
    ['other arguments', { content: '{"sku":"9"}' }, 'delegation.args_denied'],
    ['no arguments', { content: '{}' }, 'delegation.missing_field'],
    ['an argument twice', { content: '{"sku":"9","sku":"7"}' }, 'delegation.args_unreadable'],
    ['no JSON', { content: 'sku=7' }, 'delegation.args_unreadable'],
  ] as const)('with %s is refused, and its sender is known', async (_what, sent, code) => {
    const { send, world } = await aGuarded();
    expect(
      send({ ...sent, ...('claims' in sent ? { claims: { ...sent.claims } as Partial<Claims> } : {}) }),
    ).toMatchObject({
      ok: false,
      error: { code, authenticated: true, from: world.a.did },
    });
  });

  test('that needs no chain needs none, but one that is shown has to hold', async () => {
    const { send } = await aGuarded('none');
    expect(send({ claims: { delegation: [] } }).ok).toBe(true);
    expect(codeOf(send({ content: '{"sku":"9"}' }))).toBe('delegation.args_denied');
  });

  test('that shows statements needs none', async () => {
    const { send } = await aGuarded();
    expect(send({ kind: 'present', claims: { delegation: [] } }).ok).toBe(true);
  });

  test('of risk 2 needs a fresh view of the revocations', async () => {
    const { send, realm } = await aGuarded(2);
    expect(send().ok).toBe(true);
    realm.heardAt = (NOW - 30_000) as typeof NOW;
    expect(codeOf(send())).toBe('revocation.stale');
  });

  test('is paid for by whoever obeys it, and the next is refused', async () => {
    const { send, guard, realm, link } = await aGuarded();
    const [one, two] = [send(), send()];
    const first = unwrap(one, 'an envelope') as Admitted;
    expect(guard.debit(first, NOW)).toEqual({
      ok: true,
      value: { amount: { calls: 1 }, delegations: [link.cid], key: first.message },
    });
    // Both were admitted before either was paid for: the debit decides.
    expect(codeOf(guard.debit(unwrap(two, 'an envelope') as Admitted, NOW))).toBe('delegation.overdrawn');
    expect(codeOf(send())).toBe('delegation.overdrawn');
    expect(realm.ledger.spent(link.cid)).toEqual({ calls: 1 });
  });
});

describe('a message after a revocation', () => {
  test('of its delegation is refused', async () => {
    const { send, realm, link } = await aGuarded();
    realm.revoke(link.cid, realm.operator);
    expect(codeOf(send())).toBe('delegation.revoked');
  });

  test.each(['the agent itself', 'its sponsor', 'an operator'] as const)(
    'of its certificate by %s is refused',
    async (who) => {
      const { send, realm, world, asker } = await aGuarded();
      const sponsor = { did: formatDidKey(world.ask.sponsor.publicKey), pair: world.ask.sponsor };
      const by = {
        'the agent itself': { ...asker, did: asker.did },
        'its sponsor': sponsor,
        'an operator': realm.operator,
      }[who];
      realm.revoke(world.certificate as Cid, by);
      expect(codeOf(send())).toBe('revocation.certificate');
    },
  );

  test('of its agent, or its node, by an operator is refused', async () => {
    for (const pick of ['agent', 'node'] as const) {
      const { send, realm, world, asker } = await aGuarded();
      realm.revoke(pick === 'agent' ? asker.did : world.a.did, realm.operator);
      expect(codeOf(send())).toBe('revocation.identity');
    }
  });

  test('by a stranger is admitted', async () => {
    const { send, realm, world, asker } = await aGuarded();
    for (const target of [asker.did, world.a.did, world.certificate as Cid]) realm.revoke(target, realm.party());
    expect(send().ok).toBe(true);
  });
});
