/** What an operator sees of a realm that runs: real nodes, a real broker, the real command. */
import { expect, test } from 'vitest';
import { NatsLink } from '../../../mesh/nats-link.ts';
import { subject } from '../../../mesh/subject.ts';
import { refTo } from '../../../runtime/actor/ref.ts';
import { utf8 } from '../../../runtime/core/bytes.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { Clerk, RealmOfTest } from '../../realm/mesh-node.fixture.ts';
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
