/** The operator asks an agent of another node, over the broker: real nodes, a real broker, the real command. */
import { expect, test } from 'vitest';
import { refTo } from '../../../runtime/actor/ref.ts';
import { allowList } from '../../../runtime/kernel/allow-list.ts';
import { NO_EPOCHS } from '../../../runtime/kernel/gate.ts';
import { Rings } from '../../../runtime/kernel/rings.ts';
import { Clerk, RealmOfTest } from '../../realm/mesh-node.fixture.ts';
import { readRoster } from '../../realm/realm-folder.ts';
import { type Desk, desk, ended, expectError, type Ran } from '../command.fixture.ts';

/** The nodes live in this process, so it must not stand still while the command runs. */
function ask(at: Desk, realm: RealmOfTest, args: readonly string[]): Promise<Ran> {
  return ended(at.start(['ask', ...args, '--server', realm.broker.url, '--realm-folder', realm.folder]));
}

test('an agent anywhere in a realm answers its operator, whose signed order it is, on record in its node’s log', async () => {
  using at = desk();
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  await realm.start('ann');
  const bob = await realm.start('bob');

  const told = await ask(at, realm, ['clerk/bob', 'double', '{"n": 21}']);

  expect(told).toEqual({ status: 0, signal: null, stdout: '42\n', stderr: '' });
  const { operator } = readRoster(realm.folder);
  const accepted = [...bob.log.read()].filter(({ type }) => type === 'message.accepted');
  expect(accepted).toMatchObject([{ principal: operator, decision: { verdict: 'allow' } }]);
  expectError(await ask(at, realm, ['clerk/bob', 'dubble', '{"n": 21}']), 2, 'ask.invalid');
  expectError(await ask(at, realm, ['clerk/eve', 'double', '{"n": 21}']), 3, 'agent.not_found');
  expectError(await ask(at, realm, ['clerk/bob', 'double', '{"n": 21}', '--within', '1h']), 2, 'usage.invalid');
});

test('attack: the operator’s signature is no way around the policy', async () => {
  using at = desk();
  await using realm = await RealmOfTest.open(['ann'], process.env['PATH']);
  const mayAgents = { gates: { policy: allowList({ 'clerk/*': ['*'] }) }, epochs: () => NO_EPOCHS };
  const ann = await realm.start('ann', { governance: { ...mayAgents, rings: new Rings({ kindOf: () => 'pure' }) } });

  const told = await ask(at, realm, ['clerk/ann', 'put', '{"n": 1}']);

  expectError(told, 4, 'ask.denied');
  expect([...ann.log.read()].filter(({ type }) => type === 'message.accepted')).toEqual([]);
  expect(await ann.node.agents.ask(refTo(Clerk, 'clerk/ann')).double({ n: 1 })).toMatchObject({ value: 2 });
});
