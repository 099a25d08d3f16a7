/** Two nodes over a real broker: what is given on one is used on the other, and what is taken back there, is taken back here. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCid } from '../../runtime/codec/cid.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { systemClock } from '../../runtime/core/system.ts';
import { scratchLog } from '../../runtime/log/scratch-log.fixture.ts';
import { RealmOfTest, recorded, until } from '../realm/mesh-node.fixture.ts';
import { aDeskNode, type DeskNode, HOUR_MS, ports } from './desk-node.fixture.ts';
import { Operator } from './operator.ts';

let world: RealmOfTest;
let disks: readonly Awaited<ReturnType<typeof scratchLog>>[];
let ann: DeskNode;
let bob: DeskNode;
let operator: Operator;

beforeAll(async () => {
  world = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  operator = Operator.ofRealm(world.folder, ports);
  disks = [await scratchLog(), await scratchLog()];
  const [one, two] = disks;
  if (one === undefined || two === undefined) throw new Error('two disks');
  [ann, bob] = [await aDeskNode(world, 'ann', one), await aDeskNode(world, 'bob', two)];
  const expires = (systemClock.now() + HOUR_MS) as Millis;
  const { token } = await operator.grant(ann.authority.didOf('clerk/ann') as never, {
    command: '/',
    expires,
    depth: 2,
    budget: { calls: 1_000 },
  });
  await ann.authority.learn([token]);
}, 60_000);

afterAll(async () => {
  await bob?.stop();
  await ann?.stop();
  for (const disk of disks ?? []) await disk[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

describe('two nodes', () => {
  let given: string;

  test('what is given on one node is shown to the other, and used there', async () => {
    const answer = await ann.ask.give({ to: 'clerk/bob', command: '/tool/mail/send', names: ['eve', 'joe'] });
    expect(answer).toMatchObject({ type: 'ok', value: { type: 'ok' } });
    given = (answer as { value: { delegation: string } }).value.delegation;
    expect(await ann.ask.pass({ to: 'clerk/bob', name: 'eve' })).toMatchObject({ type: 'ok', value: { type: 'ok' } });
    expect(bob.sent).toEqual(['eve']);
    expect(recorded(bob.log, 'message.refused')).toEqual([]);
    expect(recorded(bob.log, 'delegation.granted')).toHaveLength(2);
    expect(recorded(bob.log, 'budget.debited')).toHaveLength(1);
  });

  test('who was given nothing is refused at home', async () => {
    expect(await bob.ask.pass({ to: 'clerk/ann', name: 'eve' })).toMatchObject({
      value: { type: 'denied', code: 'delegation.other_command' },
    });
  });

  test('a restart needs to be shown nothing again', async () => {
    await bob.stop();
    bob = await aDeskNode(world, 'bob', disks[1] as (typeof disks)[number]);
    expect(await bob.ask.write({ name: 'joe' })).toMatchObject({ value: { type: 'denied' } }); // the violation above stands
    expect(recorded(bob.log, 'delegation.granted')).toHaveLength(2);
    expect(bob.authority.delegations.to(bob.authority.didOf('clerk/bob') as never)).toContain(given);
  });

  test('a node whose own gates ask nothing is refused by the other’s', async () => {
    await ann.stop();
    ann = await aDeskNode(world, 'ann', disks[0] as (typeof disks)[number], { authority: false });
    expect(await ann.ask.pass({ to: 'clerk/bob', name: 'eve' })).toMatchObject({
      value: { type: 'denied', code: 'delegation.none' },
    });
    expect(recorded(bob.log, 'message.refused')).toMatchObject([{ code: 'delegation.none' }]);
    await ann.stop();
    ann = await aDeskNode(world, 'ann', disks[0] as (typeof disks)[number]);
  });

  test('what is taken back on one node is worth nothing on the other, once it has heard', async () => {
    const target = unwrap(parseCid(given), 'a delegation');
    expect(ann.authority.revoke(operator.revocation(target, 'no longer'))).toMatchObject({ ok: true });
    await until('bob to hear of it', () => bob.authority.revocations.epoch === 1);
    const { delegations } = bob.authority;
    const didOfBob = bob.authority.didOf('clerk/bob') as never;
    const act = { agent: didOfBob, command: '/tool/mail/send', args: { to: 'eve' }, risk: 1, cost: {} } as const;
    const view = { ...bobView(), heardAt: systemClock.now(), spent: () => ({}) };
    expect(delegations.find(act, systemClock.now(), view)).toMatchObject({ error: { code: 'delegation.revoked' } });
    expect(bob.governance.epochs().revocation).toBe(1);
    await until('it to be on record', () => recorded(bob.log, 'authority.revoked').length === 1);
    await until('bob to be fresh', () => systemClock.now() - bob.authority.revocations.heardAt < 5_000);
  });

  function bobView() {
    return {
      subject: bob.authority.directory.subject.bind(bob.authority.directory),
      isRoot: () => true,
      isOperator: (did: string) => did === operator.did,
      revokersOf: (target: string) => bob.authority.revocations.revokersOf(target),
    };
  }
});
