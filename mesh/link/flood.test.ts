/** What a member of the realm can write into another's log by sending: a bounded number of events, whatever it sends. */
import { expect, test } from 'vitest';
import { utf8 } from '../../runtime/core/bytes.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { Directory } from '../directory.ts';
import { PRESENTATION_MEDIA, writePresentation } from '../presentation.ts';
import type { NodeToken } from '../subject.ts';
import { anAgent, NOW } from '../world.fixture.ts';
import { Enemy } from './enemy.fixture.ts';
import { Inbox } from './inbox.ts';
import { INBOX_PER_NODE_MAX, PRESENT_RATE } from './limits.ts';
import { aPair, digestOf } from './link.fixture.ts';
import { Names } from './names.ts';

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

test('presentations: what one node shows is looked at at a bounded rate, and counted beyond it', async () => {
  const { net, b, enemy, isWell } = await hostileMember('presentations');
  const said = {
    kind: 'present',
    lane: 'hand',
    claims: { command: '/mesh/present' },
    media: PRESENTATION_MEDIA,
  } as const;
  const content = writePresentation(anAgent('mallory', net.random).identity.history);
  for (let n = 0; n < 2_000; n++) enemy.say(b, { ...said, content });
  await net.pass(2_000);
  const counted = b.recorded('message.refused_many') as readonly { counts: Record<string, number> }[];
  const excess = counted.reduce((sum, { counts }) => sum + (counts['quota.exceeded'] ?? 0), 0);
  expect(excess).toBeGreaterThan(2_000 - PRESENT_RATE.burst - 4 * PRESENT_RATE.count);
  expect(excess).toBeLessThan(2_000);
  await isWell();
});

test('identities: one node is the first to tell of so many and no more, and others still can', () => {
  const random = seededRandom('identities');
  const directory = new Directory(undefined, 2);
  const [hostile, honest] = ['a'.repeat(32), 'b'.repeat(32)] as unknown as readonly [NodeToken, NodeToken];
  const inceptions = [0, 1, 2].map((n) => anAgent(`agent-${n}`, random).identity.history[0] ?? new Uint8Array());
  const [first = new Uint8Array(), , third = new Uint8Array()] = inceptions;
  const taken = inceptions.map((inception) => directory.learn(inception, NOW, hostile));
  expect(taken.map((learned) => (learned.ok ? 'taken' : learned.error.code))).toEqual([
    'taken',
    'taken',
    'directory.full',
  ]);
  expect(directory.learn(first, NOW, hostile)).toMatchObject({ ok: true, value: { isNews: false } });
  expect(directory.learn(third, NOW, honest)).toMatchObject({ ok: true, value: { isNews: true } });
});

test('a node whose refusals are too many to be recorded is told to wait, once a second', async () => {
  const { net, b, enemy } = await hostileMember('excess');
  const answers: unknown[] = [];
  enemy.onMessage = ({ claims }) => void answers.push(claims.answer?.code);
  const refused = {
    kind: 'ask',
    claims: { to: b.keys.didOf('quote'), from: enemy.did, command: '/quote/no-such' },
  } as const;
  for (let n = 0; n < 40; n++) {
    for (let each = 0; each < 10; each++) enemy.say(b, { ...refused, content: utf8('not JSON') });
    await net.pass(100);
  }
  expect(b.refusals()).toHaveLength(10);
  const busy = answers.filter((code) => code === 'answer.busy').length;
  expect(busy).toBeGreaterThanOrEqual(3);
  expect(busy).toBeLessThanOrEqual(5);
  expect(answers.length - busy).toBe(10);
});

test('places of agents are forgotten when their certificates have ended', () => {
  const names = new Names(() => undefined);
  const place = { name: 'quote', agent: 'did:x:quote', node: 'did:x:node', issued: 0, expires: 100 } as never;
  names.learn(place, 50 as never);
  names.expire(100 as never);
  expect(names.at('did:x:node' as never)).toEqual(['did:x:quote']);
  names.expire(101 as never);
  expect(names.at('did:x:node' as never)).toEqual([]);
});
