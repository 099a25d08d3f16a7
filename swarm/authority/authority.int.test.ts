/** Two nodes over a real broker: what is given on one is used on the other, and what is taken back there, is taken back here. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bundle } from '../../policies/bundle/bundle.ts';
import { policy } from '../../policies/document/document.ts';
import { contract } from '../../runtime/actor/contract.ts';
import { delegate } from '../../runtime/actor/delegate-tool.ts';
import { inlineHosts } from '../../runtime/actor/hosts.ts';
import { implement } from '../../runtime/actor/implement.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import { provide, tool } from '../../runtime/actor/tool.ts';
import { parseCid } from '../../runtime/codec/cid.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { scratchLog } from '../../runtime/log/scratch-log.fixture.ts';
import { govern } from '../governance.ts';
import { RealmOfTest, recorded, until } from '../realm/mesh-node.fixture.ts';
import { MeshNode } from '../realm/mesh-node.ts';
import { openRealmNode } from '../realm/realm-folder.ts';
import type { NodeAuthority } from './node-authority.ts';
import { openAuthority } from './open-authority.ts';
import { Operator } from './operator.ts';

const HOUR_MS = 3_600_000;
const ports = { clock: systemClock, random: systemRandom };

const send = tool('mail.send', { in: z.object({ to: z.string() }), out: z.null(), effect: 'idempotent' });
const Outcome = z.object({ type: z.string(), code: z.string().nullable(), delegation: z.string().nullable() });

const Desk = contract('desk', {
  messages: {
    give: { in: z.object({ to: z.string(), command: z.string(), names: z.array(z.string()) }), out: Outcome },
    pass: { in: z.object({ to: z.string(), name: z.string() }), out: Outcome, within: '20s' },
    write: { in: z.object({ name: z.string() }), out: Outcome, within: '20s' },
  },
  uses: { send, delegate },
  needs: { trust: 300 },
});

const seen = (outcome: { readonly type: string; readonly code?: string }, delegation: string | null = null) => ({
  type: outcome.type,
  code: outcome.code ?? null,
  delegation,
});

const desk = implement(Desk, {
  state: () => ({}),
  evolve: {},
  on: {
    async give({ to, command, names }, ctx) {
      const where = names.length === 0 ? [] : [{ arg: 'to', is: 'in' as const, value: names }];
      const given = await ctx.use.delegate({ to, command, where, forMs: HOUR_MS });
      return seen(given, given.type === 'ok' ? given.value.delegation : null);
    },
    async pass({ to, name }, ctx) {
      const answer = await ctx.ask(refTo(Desk, to)).write({ name }, { within: '10s' });
      return answer.type === 'ok' ? answer.value : seen(answer);
    },
    async write({ name }, ctx) {
      return seen(await ctx.use.send({ to: name }));
    },
  },
});

const rules = bundle([
  policy({
    name: 'desks',
    layer: 'org',
    tools: {
      'mail.send': { effects: ['write'], reversibility: 'reversible' },
      'authority.delegate': { effects: ['write'], reversibility: 'reversible' },
    },
    rules: [
      { id: 'tools', on: { verb: 'use' }, effect: 'allow' },
      { id: 'words', on: { verb: ['ask', 'tell'] }, effect: 'allow' },
    ],
  }),
]);

/** A life of a node. Without an authority nothing of its agents names a chain. */
async function aNode(name: string, disk: Awaited<ReturnType<typeof scratchLog>>, has = { authority: true }) {
  const log = await disk.open();
  const realm = openRealmNode(world.folder, name);
  const authority = has.authority ? await openAuthority(realm, { log, ...ports }) : undefined;
  const expiresAt = (systemClock.now() + HOUR_MS) as Millis;
  const endorsements = ['clerk/ann', 'clerk/bob'].map(
    (agent) => ({ agent, ring: 2, trustFloor: 650, expiresAt }) as const,
  );
  const optional = authority === undefined ? {} : { authority };
  const governance = govern({ log, ...ports, bundle: () => rules, endorsements, ...optional });
  await governance.recorded();
  const sent: string[] = [];
  const node = await MeshNode.open(
    {
      ...{ log, governance, realm, servers: [world.broker.url], ...ports, ...optional, beatEveryMs: 100 },
      ...{ contracts: [Desk], contractOf: () => Desk, hosts: inlineHosts([desk]) },
      tools: [
        provide(send, ({ to }) => {
          sent.push(to);
          return null;
        }),
      ],
    },
    new AbortController().signal,
  );
  const self = await node.agents.spawn(Desk, `clerk/${name}`);
  const stop = async (): Promise<void> => {
    await node.drain(1_000);
    await governance.recorded();
    await log[Symbol.asyncDispose]();
  };
  return { node, log, governance, sent, stop, ask: node.agents.ask(self), authority: authority as NodeAuthority };
}

type Node = Awaited<ReturnType<typeof aNode>>;
let world: RealmOfTest;
let disks: readonly Awaited<ReturnType<typeof scratchLog>>[];
let ann: Node;
let bob: Node;
let operator: Operator;

beforeAll(async () => {
  world = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  operator = Operator.ofRealm(world.folder, ports);
  disks = [await scratchLog(), await scratchLog()];
  const [one, two] = disks;
  if (one === undefined || two === undefined) throw new Error('two disks');
  [ann, bob] = [await aNode('ann', one), await aNode('bob', two)];
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
    bob = await aNode('bob', disks[1] as (typeof disks)[number]);
    expect(await bob.ask.write({ name: 'joe' })).toMatchObject({ value: { type: 'denied' } }); // the violation above stands
    expect(recorded(bob.log, 'delegation.granted')).toHaveLength(2);
    expect(bob.authority.delegations.to(bob.authority.didOf('clerk/bob') as never)).toContain(given);
  });

  test('a node whose own gates ask nothing is refused by the other’s', async () => {
    await ann.stop();
    ann = await aNode('ann', disks[0] as (typeof disks)[number], { authority: false });
    expect(await ann.ask.pass({ to: 'clerk/bob', name: 'eve' })).toMatchObject({
      value: { type: 'denied', code: 'delegation.none' },
    });
    expect(recorded(bob.log, 'message.refused')).toMatchObject([{ code: 'delegation.none' }]);
    await ann.stop();
    ann = await aNode('ann', disks[0] as (typeof disks)[number]);
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
