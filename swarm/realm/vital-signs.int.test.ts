/** Nodes over a real broker: whose heart is heard, whose is not, and what becomes of those who watch. */
import { expect, test } from 'vitest';
import { FaultProxy } from '../../mesh/fault-proxy.ts';
import { nodeToken } from '../../mesh/subject.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { systemClock } from '../../runtime/core/system.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { Clerk, RealmOfTest, type Running, recorded, until } from './mesh-node.fixture.ts';
import { readRoster } from './realm-folder.ts';
import { NO_REVOCATIONS } from './vital-signs.ts';

function didOf({ folder }: RealmOfTest, name: string): Did {
  const found = readRoster(folder).nodes.find((node) => node.name === name);
  if (found === undefined) throw new Error(`expected a node ${name}`);
  return found.did;
}

/** What is on record of a node's life and death, in short. */
function story(log: EventLog, of: Did): readonly string[] {
  const words = ['peer.suspected', 'peer.died', 'peer.returned'];
  return [...log.read()]
    .filter(({ type, stream }) => words.includes(type) && stream === `peer/${nodeToken(of)}`)
    .map(({ type }) => type.replace('peer.', ''));
}

/** The ends that a node's agent was told of. */
const endedIn = (log: EventLog): readonly JsonValue[] =>
  recorded(log, 'message.accepted').flatMap((value) => {
    const { name, body } = value as { readonly name: string; readonly body: JsonValue };
    return name === 'ended' ? [body] : [];
  });

const ask = ({ node }: Running, from: string, to: string) =>
  node.agents.ask(refTo(Clerk, `clerk/${from}`)).ask({ to: `clerk/${to}`, n: 21 });

test('a node that the network hides is dead for the others, those who watch its agents hear of it, and it returns', async () => {
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  await using proxy = await FaultProxy.listen(realm.broker.url, { clock: systemClock, random: seededRandom('hidden') });
  const ann = await realm.start('ann');
  const bob = await realm.start('bob', { servers: [proxy.url] });
  const bobs = didOf(realm, 'bob');
  expect(await ask(ann, 'ann', 'bob')).toMatchObject({ type: 'ok', value: 42 });
  await ann.node.agents.tell(refTo(Clerk, 'clerk/ann')).follow({ agent: 'clerk/bob' });

  const partition = proxy.inject({ type: 'partition' });
  await until('ann gives bob up', () => endedIn(ann.log).length > 0);
  expect(story(ann.log, bobs)).toEqual(['suspected', 'died']);
  expect(endedIn(ann.log)).toMatchObject([{ agent: 'clerk/bob' }]);

  partition[Symbol.dispose]();
  await until('bob has returned', () => story(ann.log, bobs).length > 2);
  expect(story(ann.log, bobs).slice(0, 3)).toEqual(['suspected', 'died', 'returned']);
  expect(await ask(ann, 'ann', 'bob')).toMatchObject({ type: 'ok', value: 42 });
  expect(await ask(bob, 'bob', 'ann')).toMatchObject({ type: 'ok', value: 42 });
});

test('a node that ends in order is given up at once, and one that is told of is suspected at once', async () => {
  await using realm = await RealmOfTest.open(['ann', 'bob', 'cid'], process.env['PATH']);
  const [ann, bob, cid] = [await realm.start('ann'), await realm.start('bob'), await realm.start('cid')];
  expect(await ask(ann, 'ann', 'bob')).toMatchObject({ type: 'ok' });
  expect(await ask(ann, 'ann', 'cid')).toMatchObject({ type: 'ok' });
  ann.node.sawEnd(didOf(realm, 'cid'), 'killed');
  await until('bob has heard it', () => story(bob.log, didOf(realm, 'cid')).length > 0);
  expect(recorded(bob.log, 'peer.suspected')).toMatchObject([{ by: didOf(realm, 'ann'), cause: 'killed' }]);
  await until('it was refuted', () => story(bob.log, didOf(realm, 'cid')).at(-1) === 'returned');
  await cid.stop();
  await until('ann knows', () => recorded(ann.log, 'peer.died').length > 0);
  expect(recorded(ann.log, 'peer.died')).toMatchObject([{ node: didOf(realm, 'cid'), why: 'left' }]);
});

test('what a node knows to be revoked reaches the ports of the others with each heartbeat', async () => {
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  const head = { epoch: 3, digest: NO_REVOCATIONS.head().digest };
  await realm.start('ann', { revocations: { head: () => head, beat: () => undefined } });
  const heard: unknown[] = [];
  await realm.start('bob', {
    revocations: { ...NO_REVOCATIONS, beat: (node, said) => void heard.push({ node, ...said }) },
  });
  await until('bob hears ann', () => heard.length > 0);
  expect(heard[0]).toEqual({ node: didOf(realm, 'ann'), ...head });
});
