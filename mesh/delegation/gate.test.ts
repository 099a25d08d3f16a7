/** The gate in the real kernel, over a log: parallel children, restarts, and revocation between check and act. */
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { type EventId, parseStreamId } from '../../runtime/codec/record.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock } from '../../runtime/core/simulation.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import { allowList } from '../../runtime/kernel/allow-list.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import type { Attempt } from '../../runtime/kernel/kernel.ts';
import { Kernel } from '../../runtime/kernel/kernel.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { writeRevocationOf } from '../revocation/revocation.ts';
import { Revocations } from '../revocation/revocations.ts';
import { later, NOW } from '../world.fixture.ts';
import { delegationEvent, grantedPayload, realmAuthority, restoreAuthority, revokedPayload } from './authority.ts';
import { Delegations } from './delegations.ts';
import { type DelegationGateParts, delegationGate } from './gate.ts';
import { Ledger } from './ledger.ts';
import { mint } from './mint.ts';
import { type Party, PLAIN, Realm } from './realm.fixture.ts';

const live = new AbortController().signal;
const stream = unwrap(parseStreamId('agent/clerk'), 'a stream');

async function aDesk(seed: string | number, over: Partial<DelegationGateParts> = {}) {
  const realm = new Realm(seed);
  const clock = new ManualClock(NOW);
  const { log } = await new MemoryWorld(realm.random).open(clock);
  const ran: string[] = [];
  /** What a test wants to know in the tick in which an effect starts. */
  const starts: { onStart: (key: string) => void } = { onStart: () => undefined };
  const executor = {
    run: async (input: JsonValue, { key }: Attempt): Promise<Outcome> => {
      ran.push(key);
      starts.onStart(key);
      if ((input as { readonly fail?: boolean }).fail === true)
        return { type: 'failed', code: 'tool.failed', message: 'no' };
      return { type: 'ok', value: null };
    },
  };
  const delegation = delegationGate({ ...realm.parts, ...over });
  const kernel = new Kernel({
    log,
    clock,
    random: realm.random,
    gates: { policy: allowList({ '*': ['*'] }), delegation },
    executorOf: () => executor,
    epochs: () => ({ trust: 0, revocation: realm.revocations.epoch, kill: 0 }),
  });
  const act = (party: Party, key: string, over: Partial<Action> = {}): Action => ({
    key,
    agent: 'clerk',
    actor: party.did,
    stream,
    verb: 'use',
    target: 'mail.send',
    effect: 'unsafe',
    risk: 1,
    input: { to: 'ann' },
    withinMs: 1_000,
    ...over,
  });
  const perform = (party: Party, key: string, over: Partial<Action> = {}): Promise<Outcome> =>
    kernel.perform(act(party, key, over), live);
  return { realm, clock, log, kernel, ran, starts, act, perform };
}

describe('T1: the gate', () => {
  test('denies what no chain of the acting agent allows, and records the one that does', async () => {
    const { realm, log, perform, ran } = await aDesk('gate');
    const [chief, clerk, rogue] = [realm.party(), realm.party(), realm.party()];
    const chain = await realm.chain(
      [chief, clerk],
      [{}, { command: '/tool/mail', where: [{ arg: 'to', is: 'eq', value: 'ann' }] }],
    );
    await realm.learn(chain);

    expect(await perform(clerk, '1')).toMatchObject({ type: 'ok' });
    expect(await perform(clerk, '2', { input: { to: 'eve' } })).toMatchObject({
      type: 'denied',
      code: 'delegation.args_denied',
    });
    expect(await perform(clerk, '3', { target: 'pay.out' })).toMatchObject({
      type: 'denied',
      code: 'delegation.other_command',
    });
    expect(await perform(rogue, '4')).toMatchObject({ type: 'denied', code: 'delegation.none' });
    expect(await perform(clerk, '5', { verb: 'ask', target: 'tool.mail@x' })).toMatchObject({
      code: 'delegation.no_command',
    });
    expect(await perform(clerk, '6', { risk: 2 })).toMatchObject({ type: 'ok' });
    realm.heardAt = later(-30_000);
    expect(await perform(clerk, '7', { risk: 2 })).toMatchObject({ type: 'denied', code: 'revocation.stale' });

    expect(ran).toEqual(['1', '6']);
    const [first] = log.read();
    expect(first?.decision?.delegations).toEqual(chain.map(({ cid }) => cid));
  });

  test.each([
    [1, 'the view of the revocations ages', 'ok'],
    [2, 'the view of the revocations ages', 'revocation.stale'],
    [2, 'the chain ends', 'delegation.expired'],
  ] as const)('T5: an act of class %i, while %s between its decision and its start: %s', async (risk, what, end) => {
    const { realm, clock, perform, ran } = await aDesk(`late ${risk} ${what}`);
    const clerk = realm.party();
    await realm.learn(await realm.chain([clerk], [{ expires: later(60_000) }]));
    if (what === 'the view of the revocations ages') realm.heardAt = later(-29_999);
    else clock.advance(59_999);
    if (what === 'the chain ends') realm.heardAt = later(59_999);
    const under = perform(clerk, '1', { risk });
    clock.advance(1);
    const outcome = await under;
    expect('code' in outcome ? outcome.code : outcome.type).toBe(end);
    expect(ran).toHaveLength(end === 'ok' ? 1 : 0);
    expect(realm.ledger.toJSON()).toMatchObject({ open: [] }); // what was never begun holds nothing
  });

  test('lets pass what needs no chain, where somebody says so', async () => {
    const { realm, perform } = await aDesk('free', { mustDelegate: ({ risk }) => risk > 0 });
    const clerk = realm.party();
    expect(await perform(clerk, '1', { risk: 0 })).toMatchObject({ type: 'ok' });
    expect(await perform(clerk, '2')).toMatchObject({ code: 'delegation.none' });
  });

  test('asks for the trust that an act needs, against the ceiling of the chain', async () => {
    const { realm, perform } = await aDesk('trust', { trustFor: () => 500 });
    const clerk = realm.party();
    await realm.learn(await realm.chain([clerk], [{ ceiling: 499 }]));
    expect(await perform(clerk, '1')).toMatchObject({ code: 'delegation.low_ceiling' });
  });
});

describe('T2: budgets', () => {
  test('cannot be overdrawn by children that act in parallel', async () => {
    const { realm, perform, ran } = await aDesk('parallel');
    const [chief, ...clerks] = Array.from({ length: 5 }, () => realm.party()) as [Party, ...Party[]];
    const first = await realm.link(realm.operator, chief, [], { budget: { calls: 7 } });
    await realm.learn([first]);
    for (const clerk of clerks) await realm.learn([await realm.link(chief, clerk, [first], { budget: { calls: 5 } })]);

    const outcomes = await Promise.all(
      clerks.flatMap((clerk, n) => Array.from({ length: 5 }, (_, i) => perform(clerk, `${n}/${i}`))),
    );

    expect(outcomes.filter(({ type }) => type === 'ok')).toHaveLength(7);
    expect(ran).toHaveLength(7);
    expect(outcomes.find(({ type }) => type !== 'ok')).toMatchObject({ type: 'denied', code: 'delegation.overdrawn' });
    expect(realm.ledger.spent(first.cid)).toEqual({ calls: 7 });
  });

  test('B4: are the same after a restart, in whatever state it was', async () => {
    const { realm, log, kernel, act, perform, clock } = await aDesk('restart');
    const clerk = realm.party();
    const [link] = await realm.chain([clerk], [{ budget: { calls: 4 } }]);
    if (link === undefined) throw new Error('expected a link');
    await realm.learn([link]);
    await perform(clerk, 'done');
    await perform(clerk, 'failed', { input: { fail: true } });
    const stale = perform(clerk, 'stale');
    realm.revoke(realm.party().did, realm.operator); // any news: the permit is worthless
    expect(await stale).toMatchObject({ code: 'permit.stale' });
    const doubtful = new AbortController();
    const lost = kernel.perform(act(clerk, 'doubtful'), doubtful.signal);
    doubtful.abort(new Error('the process dies'));
    await expect(lost).rejects.toThrow('the process dies');

    const again = new Ledger();
    for (const past of log.read()) again.relive(past, log);

    expect(again.toJSON()).toEqual(realm.ledger.toJSON());
    expect(again.spent(link.cid)).toEqual({ calls: 3 });
    expect(again.isOpen('agent/clerk doubtful')).toBe(true);
    expect(clock.now()).toBe(NOW);
  });

  test('are not reserved without end: the next act waits', async () => {
    const ledger = new Ledger(() => ({ calls: 1 }), 1);
    const { realm, perform } = await aDesk('open', { ledger });
    const clerk = realm.party();
    await realm.learn(await realm.chain([clerk]));
    const outcomes = await Promise.all([perform(clerk, '1'), perform(clerk, '2')]);
    expect(outcomes).toMatchObject([{ type: 'ok' }, { type: 'busy' }]);
    expect(await perform(clerk, '3')).toMatchObject({ type: 'ok' });
  });

  test('are not paid twice by an act that is tried again', async () => {
    const { realm, log, kernel, act } = await aDesk('again');
    const clerk = realm.party();
    const [link] = await realm.chain([clerk], [{ budget: { calls: 1 } }]);
    if (link === undefined) throw new Error('expected a link');
    await realm.learn([link]);
    const doubtful = new AbortController();
    const lost = kernel.perform(act(clerk, 'once', { effect: 'idempotent' }), doubtful.signal);
    doubtful.abort(new Error('cut'));
    await expect(lost).rejects.toThrow('cut');
    expect(await kernel.resolve(act(clerk, 'once', { effect: 'idempotent' }), 1, live)).toMatchObject({ type: 'ok' });
    expect(realm.ledger.spent(link.cid)).toEqual({ calls: 1 });
    await log.flushed();
    const again = new Ledger();
    for (const past of log.read()) again.relive(past, log);
    expect(again.toJSON()).toEqual(realm.ledger.toJSON());
  });
});

test('what was given and revoked is known again after a restart, from the log alone', async () => {
  const { realm, log, clock } = await aDesk('known again');
  const [clerk, other] = [realm.party(), realm.party()];
  const [kept] = await realm.chain([clerk]);
  const [revoked] = await realm.chain([other]);
  if (kept === undefined || revoked === undefined) throw new Error('expected links');
  const statement = writeRevocationOf({ at: NOW, reason: 'lost', target: revoked.cid }, realm.operator.pair);
  const learned = unwrap(realm.revocations.learn(statement), 'a revocation');
  const by = (): { id: EventId; actor: typeof log.did } => ({ id: newEventId(clock, realm.random), actor: log.did });
  const authority = unwrap(parseStreamId('authority'), 'a stream');
  const events = [
    delegationEvent('delegation.granted', grantedPayload(kept), by()),
    delegationEvent('delegation.granted', grantedPayload(revoked), by()),
    delegationEvent('authority.revoked', revokedPayload(learned, statement), by()),
    delegationEvent('budget.debited', { amount: { calls: 2 }, delegations: [kept.cid], key: 'm' }, by()),
  ];
  await log.append([{ stream: authority, expected: 'any', events }]);

  const revocations = new Revocations(() => true);
  const operators = new Set([realm.operator.did]);
  const delegations = new Delegations(realmAuthority({ subject: (did) => realm.subject(did), operators, revocations }));
  const ledger = new Ledger();
  await restoreAuthority(log, { revocations, delegations, ledger }, NOW);

  expect(revocations.head()).toEqual(realm.revocations.head());
  expect([delegations.to(clerk.did), delegations.to(other.did)]).toEqual([[kept.cid], []]);
  expect(ledger.spent(kept.cid)).toEqual({ calls: 2 });
  expect(revocations.heardAt).toBe(0);
});

test('of 1,000 interleavings of a revocation with an act, none acts after it', async () => {
  const ended = { ok: 0, stale: 0, denied: 0 };
  const { realm, starts, perform } = await aDesk('interleaving');
  const draw = realm.random.stream('moments');
  const clerk = realm.party();
  for (let n = 0; n < 1_000; n++) {
    const terms = { ...PLAIN, issuer: realm.operator.did, audience: clerk.did };
    const token = unwrap(await mint(terms, [], { pair: realm.operator.pair, random: realm.random }), 'terms');
    const { delegation: link } = unwrap(await realm.delegations.learn(token, NOW), 'a link');
    let isRevoked = false;
    let actedAfter = false;
    const begin = draw.below(12);
    const revokeAt = draw.below(24);
    starts.onStart = () => {
      actedAfter ||= isRevoked;
    };
    const acting = after(begin, () => perform(clerk, `${n}`));
    const revoking = after(revokeAt, () => {
      realm.revoke(link.cid, realm.operator);
      isRevoked = true;
    });
    const outcome = await acting;
    await revoking;
    expect({ n, begin, revokeAt, actedAfter }).toMatchObject({ actedAfter: false });
    if (outcome.type === 'ok') ended.ok += 1;
    else if ('code' in outcome && outcome.code === 'permit.stale') ended.stale += 1;
    else ended.denied += 1;
  }
  // The draws reach all three: before the decision, between check and act, and after the act began.
  expect(Math.min(ended.ok, ended.stale, ended.denied)).toBeGreaterThan(50);
}, 60_000);

/** Runs `work` after so many microtasks. */
async function after<T>(microtasks: number, work: () => T): Promise<Awaited<T>> {
  for (let n = 0; n < microtasks; n++) await undefined;
  return await work();
}
