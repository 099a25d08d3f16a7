/** What a member of the realm can write into another's log by sending: a bounded number of events, whatever it sends. */
import { expect, test } from 'vitest';
import { Enemy } from './enemy.fixture.ts';
import { Inbox } from './inbox.ts';
import { INBOX_PER_NODE_MAX } from './limits.ts';
import { aPair, digestOf } from './link.fixture.ts';

async function hostileMember(seed: string) {
  const { net, a, b } = await aPair(seed);
  const enemy = new Enemy(net);
  await enemy.meet(b);
  const size = b.log.size;
  const isWell = async (): Promise<void> => {
    expect(await net.outcome(a.ask('desk', 'quote', 'well'))).toMatchObject({ type: 'ok' });
  };
  return { net, b, enemy, isWell, added: () => b.log.size - size };
}

const rest = { kind: 'tell', claims: { command: '/mesh/nothing' } } as const;

test('contradictions about a log: the first few are proof enough', async () => {
  const { net, b, enemy, isWell } = await hostileMember('split');
  for (let n = 0; n < 500; n++) {
    enemy.head = { ...enemy.head, root: digestOf(`root ${n}`) };
    enemy.say(b, rest);
  }
  await net.pass(2_000);
  expect(b.recorded('peer.split_view').length).toBeLessThanOrEqual(4);
  expect(b.recorded('peer.split_view').length).toBeGreaterThan(0);
  await isWell();
});

test('heads of ever new logs', async () => {
  const { net, b, enemy, isWell, added } = await hostileMember('origins');
  for (let n = 0; n < 500; n++) {
    enemy.head = { ...enemy.head, origin: digestOf(`origin ${n}`) };
    enemy.say(b, rest);
  }
  await net.pass(2_000);
  expect(b.recorded('peer.head_seen').length).toBeLessThan(10);
  expect(added()).toBeLessThan(30);
  await isWell();
});

test('goodbyes, and hellos after them', async () => {
  const { net, b, enemy, isWell } = await hostileMember('goodbye');
  for (let n = 0; n < 200; n++) enemy.say(b, { kind: 'tell', claims: { command: '/mesh/leave' } });
  await net.pass(500);
  expect(b.recorded('peer.left')).toHaveLength(1);
  for (let n = 0; n < 150; n++) {
    await enemy.meet(b);
    await net.pass(20);
  }
  expect(b.recorded('peer.met').length).toBeLessThan(100);
  await isWell();
});

test('one node’s requests under way leave room for those of others', () => {
  const inbox = new Inbox();
  const request = (peer: string, n: number) =>
    ({ claims: { from: `did:x:${peer}`, id: `${n}` }, message: `${n}`, session: { peerDid: peer } }) as never;
  for (let n = 0; n < INBOX_PER_NODE_MAX; n++) expect(inbox.begin(request('hostile', n))).toBe('new');
  expect(inbox.begin(request('hostile', -1))).toBe('full');
  expect(inbox.begin(request('honest', 1))).toBe('new');
  inbox.end(request('hostile', 0));
  inbox.end(request('hostile', 0));
  expect(inbox.begin(request('hostile', -1))).toBe('new');
  expect(inbox.begin(request('hostile', -2))).toBe('full');
});
