/** Letters over a real broker with JetStream: nodes that are never there at the same time. */
import { expect, test } from 'vitest';
import { NatsLink } from '../../mesh/nats-link.ts';
import { provisionMailbox } from '../../mesh/nats-mailbox.ts';
import { nodeToken } from '../../mesh/subject.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { Clerk, RealmOfTest, recorded, until } from './mesh-node.fixture.ts';
import { openOperatorLogin, readRoster } from './realm-folder.ts';

const withMail = { mailboxes: true, awayMs: 200 } as const;

async function provision({ folder, broker }: RealmOfTest): Promise<NatsLink> {
  const { realm, nodes } = readRoster(folder);
  const options = { servers: [broker.url], name: 'tools', clock: systemClock, random: systemRandom };
  const link = await NatsLink.open({ ...options, login: openOperatorLogin(folder) }, AbortSignal.timeout(10_000));
  const { connection } = link;
  if (connection === undefined) throw new Error('expected a connection');
  for (const { did } of nodes) await provisionMailbox(connection, { realm, node: nodeToken(did) });
  return link;
}

/** Letters that lie in a node's mailbox. */
async function lettersFor({ folder }: RealmOfTest, name: string, { connection }: NatsLink): Promise<number> {
  const did = readRoster(folder).nodes.find((node) => node.name === name)?.did;
  if (connection === undefined || did === undefined) throw new Error('expected a connection and a node');
  const answer = await connection.request(`$JS.API.STREAM.INFO.mailbox-${nodeToken(did)}`, '');
  return answer.json<{ readonly state: { readonly messages: number } }>().state.messages;
}

test('what is told to a node that is away reaches it though the teller is gone when it comes back, and once', async () => {
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  await using tools = await provision(realm);
  const first = await realm.start('bob', withMail);
  await first.stop();

  const ann = await realm.start('ann', withMail);
  await ann.node.agents.tell(refTo(Clerk, 'clerk/ann')).pass({ to: 'clerk/bob', n: 7 });
  await until('a letter is left', async () => (await lettersFor(realm, 'bob', tools)) === 1);
  await ann.stop();

  const bob = await realm.start('bob', withMail);
  await until('bob has it', () => recorded(bob.log, 'message.accepted').length > 0);
  expect(recorded(bob.log, 'message.accepted')).toMatchObject([{ name: 'put', body: { n: 7 }, from: 'clerk/ann' }]);
  await until('the letter is given up', async () => (await lettersFor(realm, 'bob', tools)) === 0);

  const again = await realm.start('ann', withMail);
  await until('ann knows that it arrived', () => recorded(again.log, 'message.delivered').length > 0);
  expect(recorded(again.log, 'message.delivered')).toMatchObject([{ type: 'accepted' }]);
  expect(recorded(bob.log, 'message.accepted')).toHaveLength(1);
  expect(recorded(bob.log, 'turn.committed')).toHaveLength(1);
});

test('where there is no mailbox, and where nothing may wait, a message waits with its sender as it would without', async () => {
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  const ann = await realm.start('ann', withMail);
  await ann.node.agents.tell(refTo(Clerk, 'clerk/ann')).pass({ to: 'clerk/bob', n: 8 });
  await until('it is sent', () => recorded(ann.log, 'message.sent').length > 0);
  const bob = await realm.start('bob');
  await until('ann knows that it arrived', () => recorded(ann.log, 'message.delivered').length > 0);
  expect(recorded(bob.log, 'message.accepted')).toMatchObject([{ name: 'put', body: { n: 8 } }]);
});
