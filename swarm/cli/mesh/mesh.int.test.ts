/** What an operator sees of a realm that runs: real nodes, a real broker, the real command. */
import { expect, test } from 'vitest';
import { NatsLink } from '../../../mesh/nats-link.ts';
import { connectNats } from '../../../mesh/nats-transport.ts';
import { writeOrder } from '../../../mesh/order.ts';
import { nodeToken, subject } from '../../../mesh/subject.ts';
import { refTo } from '../../../runtime/actor/ref.ts';
import type { Millis } from '../../../runtime/core/brand.ts';
import { utf8 } from '../../../runtime/core/bytes.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { newEventId } from '../../../runtime/kernel/event-id.ts';
import { Clerk, RealmOfTest, recorded, until } from '../../realm/mesh-node.fixture.ts';
import { openOperatorLogin, openRealmNode, readRoster } from '../../realm/realm-folder.ts';
import { type Desk, desk, ended, expectError, type Ran } from '../command.fixture.ts';

/** The nodes live in this process, so it must not stand still while the command runs. */
function mesh(at: Desk, realm: RealmOfTest, args: readonly string[]): Promise<Ran> {
  return ended(at.start(['mesh', ...args, '--server', realm.broker.url, '--realm-folder', realm.folder]));
}

test('mesh ls shows the nodes that answer, with their agents and their load, and those that are away', async () => {
  using at = desk();
  await using realm = await RealmOfTest.open(['ann', 'bob', 'cid'], process.env['PATH']);
  const ann = await realm.start('ann');
  await realm.start('bob');
  const answer = await ann.node.agents.ask(refTo(Clerk, 'clerk/ann')).ask({ to: 'clerk/bob', n: 2 });
  expect(answer).toMatchObject({ type: 'ok', value: 4 });

  const told = await mesh(at, realm, ['ls', '--json', '--wait', '1000']);
  expect(told).toMatchObject({ status: 0, stderr: '' });
  const { nodes } = JSON.parse(told.stdout) as { readonly nodes: readonly object[] };
  const [first, second] = readRoster(realm.folder).nodes;
  expect(nodes).toMatchObject([
    { name: 'ann', did: first?.did, isUp: true, version: '0.1.0', agents: ['clerk/ann'], waiting: 0, asks: 0 },
    { name: 'bob', did: second?.did, isUp: true, agents: ['clerk/bob'], asks: 1, refused: 0 },
    { name: 'cid', isUp: false },
  ]);
  const shown = await mesh(at, realm, ['ls', '--wait', '1000']);
  expect(shown.stdout).toMatch(/^NODE +STATE +VERSION +WAITING +TURN +ASKS +REFUSED +AGENTS\n/);
  expect(shown.stdout).toMatch(/\nann +up +0\.1\.0 +0 +0 ms +0 +0 +clerk\/ann\n/);
  expect(shown.stdout).toMatch(/\ncid +away( +-){6}\n$/);
});

test('attack: what a node says in another’s name does not hide that one, and is told of', async () => {
  using at = desk();
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  await realm.start('ann');
  const { login, did } = openRealmNode(realm.folder, 'bob');
  const options = { servers: [realm.broker.url], name: 'bob', clock: systemClock, random: systemRandom, login };
  await using bob = await NatsLink.open(options, AbortSignal.timeout(10_000));
  let asked = 0;
  for (const verb of ['INFO', 'STATS']) {
    bob.connection?.subscribe(subject.discoverNodes(verb), {
      callback: (_, { reply }) => {
        asked++;
        for (const lie of ['{}', 'no JSON', '{"id":"x","type":"io.nats.micro.v1.info_response"}', `{"id":"${did}"}`]) {
          bob.connection?.publish(reply ?? '', utf8(lie));
        }
      },
    });
  }
  await bob.flush(AbortSignal.timeout(10_000));
  const told = await mesh(at, realm, ['ls', '--json', '--wait', '1000']);
  expect(asked).toBe(2);
  expect(told.stderr).toBe('ringmesh: 6 answers were no node’s of the realm, or a second one in its name\n');
  expect(JSON.parse(told.stdout)).toMatchObject({
    nodes: [
      { name: 'ann', isUp: true },
      { name: 'bob', isUp: false },
    ],
  });
});

test('mesh mailboxes makes one for each node, and again', async () => {
  using at = desk();
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  for (let n = 0; n < 2; n++) {
    expect(await mesh(at, realm, ['mailboxes'])).toMatchObject({ status: 0, stdout: 'ann\nbob\n', stderr: '' });
  }
  const options = { servers: [realm.broker.url], name: 'tools', clock: systemClock, random: systemRandom };
  const login = openOperatorLogin(realm.folder);
  await using link = await NatsLink.open({ ...options, login }, AbortSignal.timeout(10_000));
  const answer = await link.connection?.request(subject.jetStream('STREAM.NAMES'), '');
  expect(answer?.json<{ readonly streams: readonly string[] }>().streams).toHaveLength(2);
});

test('mesh ls refuses a realm that is none, a wait that is none, and a broker that does not know the operator', async () => {
  using at = desk();
  await using realm = await RealmOfTest.open(['ann'], process.env['PATH']);
  await using other = await RealmOfTest.open(['ann'], process.env['PATH']);
  expectError(await mesh(at, realm, ['ls', '--wait', 'x']), 2, 'usage.invalid');
  const nowhere = at.start(['mesh', 'ls', '--server', realm.broker.url, '--realm-folder', at.path]);
  expect((await ended(nowhere)).stderr).toContain('realm.not_found');
  const strange = at.start(['mesh', 'ls', '--server', other.broker.url, '--realm-folder', realm.folder]);
  expect((await ended(strange)).stderr).toContain('transport.unreachable');
});

test('an operator suspends, resumes and ends an agent elsewhere, and hears what happened from the node itself', async () => {
  using at = desk();
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  await realm.start('ann');
  const bob = await realm.start('bob');
  const suspended = await mesh(at, realm, ['suspend', 'clerk/bob', '--why', 'look at it', '--json']);
  expect(suspended).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(suspended.stdout)).toMatchObject({
    action: 'suspend',
    node: 'bob',
    detail: 'suspended: clerk/bob',
  });
  expect(recorded(bob.log, 'agent.suspended')).toEqual([{ why: 'look at it' }]);
  expect((await mesh(at, realm, ['resume', 'clerk/bob'])).stdout).toBe('bob: resumed: clerk/bob\n');
  expect((await mesh(at, realm, ['kill', '--node', 'bob'])).stdout).toBe('bob: ended: clerk/bob\n');
  expect(bob.node.agents.living).toEqual([]);
  expectError(await mesh(at, realm, ['suspend', 'clerk/bob']), 3, 'agent.not_found');
  const accepted = recorded(bob.log, 'order.accepted');
  expect(accepted.map((payload) => (payload as { action: string }).action)).toEqual([
    'suspend',
    'resume',
    'kill',
    'suspend',
  ]);
});

test('an order to a node that is away, or by nobody who may, is not obeyed', async () => {
  using at = desk();
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  const ann = await realm.start('ann');
  expectError(await mesh(at, realm, ['kill', 'clerk/bob', '--wait', '700']), 8, 'order.unanswered');
  expectError(await mesh(at, realm, ['kill', 'clerk/none']), 3, 'agent.not_found');
  expectError(await mesh(at, realm, ['kill', '--node', 'none']), 2, 'realm.no_such_node');
  expectError(await mesh(at, realm, ['kill']), 2, 'usage.invalid');
  expectError(await mesh(at, realm, ['kill', 'clerk/ann', '--wait', '31000']), 2, 'usage.invalid');
  // A node of the realm has no way to the control lane, and its key is no operator's.
  const { login, did, node, roster } = openRealmNode(realm.folder, 'bob');
  const refused: string[] = [];
  const options = { servers: [realm.broker.url], clock: systemClock, random: systemRandom, login };
  await using bob = await connectNats(
    { ...options, realm: roster.realm, self: nodeToken(did), onRefused: (reason) => refused.push(reason) },
    AbortSignal.timeout(10_000),
  );
  const now = systemClock.now();
  const order = {
    action: 'kill',
    agent: 'clerk/ann',
    at: now,
    by: did,
    expires: (now + 10_000) as Millis,
    id: newEventId(systemClock, systemRandom),
    node: roster.nodes[0]?.did ?? did,
    realm: roster.realm,
    why: 'spite',
  } as const;
  bob.send('control', nodeToken(order.node), writeOrder(order, node).bytes);
  await bob.flush(AbortSignal.timeout(10_000));
  await until('the broker to say no', () => refused.length > 0);
  expect(refused[0]).toMatch(/permissions violation/i);
  expect([ann.node.agents.living, recorded(ann.log, 'order.accepted')]).toEqual([['clerk/ann'], []]);
});
