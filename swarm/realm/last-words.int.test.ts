/** What an agent has said to one on another node is delivered though it has ended meanwhile, in this life of its node or the next. */
import { expect, test } from 'vitest';
import { refTo } from '../../runtime/actor/ref.ts';
import { Clerk, RealmOfTest, recorded, until } from './mesh-node.fixture.ts';

test.each(['goes on', 'starts again'])('the last words of an agent are heard where its node %s', async (how) => {
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  let ann = await realm.start('ann');
  await ann.node.agents.tell(refTo(Clerk, 'clerk/ann')).pass({ to: 'clerk/bob', n: 7 });
  await until('it was said', () => recorded(ann.log, 'message.sent').length === 1);
  await ann.node.agents.stop('clerk/ann');
  if (how === 'starts again') {
    await ann.stop();
    ann = await realm.start('ann', { isEmpty: true });
  }
  expect(ann.node.agents.living).toEqual([]);

  const bob = await realm.start('bob');
  await until('it is heard', () => recorded(bob.log, 'message.accepted').length === 1);
  await until('ann knows', () => recorded(ann.log, 'message.delivered').length === 1);

  expect(recorded(bob.log, 'message.accepted')).toMatchObject([{ name: 'put', body: { n: 7 } }]);
  expect(recorded(ann.log, 'message.delivered')).toMatchObject([{ type: 'accepted', code: null }]);
  await until('it has nothing more to say', () => ann.node.agents.speaking.length === 0);
  expect(ann.node.agents.hosts('clerk/ann')).toBe(false);
});
