/**
 * What an enemy may try against the loop of a node. Before the signature all that follows is a count; after it, a line in the
 * log that names him. In either case the honest go on.
 */
import { expect, test } from 'vitest';
import { sha256 } from '../../runtime/codec/digest.ts';
import { digestText } from '../../runtime/codec/record.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { splitBundle } from '../bundle.ts';
import { splitFrame } from '../frame.ts';
import { writeWithdrawal } from '../hosting.ts';
import { foldIdentity, writeInception, writeRevocation } from '../identity.ts';
import { anAgent } from '../world.fixture.ts';
import { Enemy } from './enemy.fixture.ts';
import { aPair, type Handler, Keys, LinkNode } from './link.fixture.ts';
import type { Sent } from './net.fixture.ts';

const echo: Handler = ({ body }) => ({ type: 'ok', value: { echo: body } });

/** A pair that has talked, an enemy on the same carrier, and what A last asked B, as it was on the wire. */
async function underAttack(seed: string) {
  const { net, a, b } = await aPair(seed);
  const enemy = new Enemy(net);
  await net.outcome(a.ask('desk', 'quote', 'first'));
  const captured = (): Sent => {
    const found = net.sent.findLast(({ lane, from }) => lane === 'ask' && from === a.token);
    if (found === undefined) throw new Error('expected an ask on the wire');
    return found;
  };
  /** The honest still get their answers, nobody was met anew, and this is what was counted. */
  const isWell = async (code: string): Promise<void> => {
    const met = [a.recorded('peer.met').length, b.recorded('peer.met').length];
    expect(await net.outcome(a.ask('desk', 'quote', 'well'))).toEqual({ type: 'ok', value: { echo: 'well' } });
    expect([a.recorded('peer.met').length, b.recorded('peer.met').length]).toEqual(met);
    expect(b.link.stats.unauthenticated[code]).toBeGreaterThan(0);
    expect(b.refusals()).toEqual([]);
  };
  return { net, a, b, enemy, captured, isWell };
}

test('garbage in a victim’s name is counted, and recorded nowhere', async () => {
  const { net, a, b, enemy, captured, isWell } = await underAttack('garbage');
  const size = b.log.size;
  for (let n = 0; n < 200; n++) {
    const bytes = Uint8Array.from(captured().bytes);
    bytes.set(net.random.bytes(64), 140);
    enemy.forge('ask', { from: a, to: b }, n % 2 === 0 ? bytes : net.random.bytes(300));
    enemy.forge('hand', { from: a, to: b }, Uint8Array.from([0x49, 0x41, 0x54, 0x48, 1, 1 + (n % 5), 0, 0]));
  }
  await net.pass(1_500);
  expect(b.log.size - size).toBeLessThanOrEqual(1); // what A said of its log before
  expect(b.receiver.executed.size).toBe(1);
  await isWell('handshake.malformed');
});

test('a captured envelope is worth nothing: not again, not elsewhere, not in another’s hand, not late', async () => {
  const { net, a, b, enemy, captured, isWell } = await underAttack('captured');
  const c = await new LinkNode(net, 'c', { third: echo }).start();
  const { bytes } = captured();

  enemy.forge('ask', { from: a, to: b }, bytes);
  enemy.forge('ask', { from: a, to: c }, bytes);
  net.wire = ({ lane, from }) => (lane === 'ask' && from === a.token ? [] : [0]);
  const asked = a.ask('desk', 'quote', 'held back');
  await net.pass(100);
  const held = captured().bytes;
  enemy.send('ask', b, held);
  await net.pass(100);
  expect(b.receiver.executed.size).toBe(1);
  await net.pass(31_000);
  enemy.forge('ask', { from: a, to: b }, held);
  await net.pass(100);
  expect(b.receiver.executed.size).toBe(1);
  net.wire = () => [0];
  expect(await net.outcome(asked)).toEqual({ type: 'ok', value: { echo: 'held back' } });

  expect(c.link.stats.unauthenticated['envelope.misdirected']).toBeGreaterThan(0);
  expect(b.link.stats.unauthenticated).toMatchObject({
    'envelope.wrong_carrier': expect.any(Number),
    'envelope.expired': expect.any(Number),
  });
  await isWell('envelope.replayed');
});

test('what was captured before a restart is worth nothing after it, and makes the node say hello at most', async () => {
  const { net, a, b, enemy, captured } = await underAttack('restart');
  const { bytes } = captured();
  await b.kill();
  await b.start();
  await net.until(
    'they know each other',
    () => a.link.find('quote') !== undefined && b.link.find('desk') !== undefined,
  );
  net.sent.length = 0;
  net.wire = ({ from }) => (from === a.token ? [] : [0]);
  for (let n = 0; n < 1_000; n++) enemy.forge('ask', { from: a, to: b }, bytes);
  await net.pass(900);
  const hellos = new Set(
    net.sent
      .filter(({ lane, from }) => lane === 'hand' && from === b.token)
      .map((sent) => Buffer.from(sent.bytes).toString('hex')),
  );
  expect(hellos.size).toBeLessThanOrEqual(2); // an announcement, and one hello
  expect(b.link.stats.unauthenticated['envelope.unknown_session']).toBeGreaterThanOrEqual(1_000);
  net.wire = () => [0];
  expect(await net.outcome(a.ask('desk', 'quote', 2))).toMatchObject({ type: 'ok' });
  expect(b.receiver.executed.size).toBe(1);
});

test('envelopes of unknown sessions in a victim’s name tear down no session', async () => {
  const { net, a, b, enemy, captured, isWell } = await underAttack('tear down');
  const forged = Uint8Array.from(captured().bytes);
  const head = Buffer.from(forged).indexOf('IATP');
  forged.set(net.random.bytes(16), head + 88);
  const keepsAway = net.wire;
  net.wire = ({ lane }) => (lane === 'hand' ? [] : [0]);
  for (let n = 0; n < 500; n++) enemy.forge('ask', { from: a, to: b }, forged);
  await net.pass(5_000);
  await isWell('envelope.unknown_session');
  net.wire = keepsAway;
});

test('a swapped body is refused after the signature, and the message still arrives', async () => {
  const { net, a, b, enemy, captured } = await underAttack('body');
  net.wire = ({ lane, from }) => (lane === 'ask' && from === a.token ? [] : [0]);
  const asked = a.ask('desk', 'quote', 'ten cents');
  await net.pass(50);
  const swapped = Uint8Array.from(captured().bytes);
  swapped.set([0x39], swapped.length - 3);
  net.wire = () => [0];
  enemy.forge('ask', { from: a, to: b }, swapped);
  expect(await net.outcome(asked)).toEqual({ type: 'ok', value: { echo: 'ten cents' } });
  expect(['body.wrong_digest', 'body.undecipherable']).toContain(b.refusals()[0]);
});

test('a node that hosts an agent under a stolen name is refused by name, on record', async () => {
  const { net, a, b } = await aPair('stolen name');
  const thief = await new LinkNode(net, 'thief', { desk: echo }).start();
  await net.until('the thief knows b', () => thief.link.find('quote') !== undefined);

  expect(await net.outcome(thief.ask('desk', 'quote', 1))).toMatchObject({ type: 'denied', code: 'name.taken' });

  expect(b.refusals()).toEqual(['name.taken']);
  expect(b.recorded('message.refused')).toMatchObject([{ from: thief.did }]);
  expect(b.recorded('message.accepted')).toEqual([]);
  expect(b.link.find('desk')?.did).toBe(a.keys.didOf('desk'));
});

test('an agent that nobody answers for is refused, on record', async () => {
  const { net, b } = await aPair('unsponsored');
  const c = new LinkNode(net, 'c', { ghost: echo });
  const ghost = anAgent('ghost', net.random);
  const inception = writeInception({ name: 'ghost', key: ghost.key, next: ghost.next.publicKey, at: net.clock.now() });
  const identity = unwrap(foldIdentity([inception]), 'an inception');
  c.keys = new Keys(net.clock, [{ ...ghost, identity, did: identity.did }]);
  await c.start();
  await net.until('c knows b', () => c.link.find('quote') !== undefined);
  expect(await net.outcome(c.ask('ghost', 'quote', 1))).toMatchObject({ type: 'denied', code: 'did.unsponsored' });
  expect(b.refusals()).toEqual(['did.unsponsored']);
});

test.each(['its own key', 'the certificate of another node'] as const)(
  'a node that speaks for an agent of another with %s is refused, on record',
  async (means) => {
    const { net, a, b } = await aPair(`usurper ${means}`);
    const thief = new LinkNode(net, 'thief', { desk: echo });
    const victim = a.keys.agents.get('desk');
    const own = thief.keys.agents.get('desk');
    if (victim === undefined || own === undefined) throw new Error('expected two agents');
    class Usurped extends Keys {
      override certify(name: string, hosting: Parameters<Keys['certify']>[1]): Uint8Array {
        return means === 'its own key'
          ? super.certify(name, hosting)
          : a.keys.certify('desk', { ...hosting, node: a.did, epoch: a.epoch });
      }
    }
    thief.keys = new Usurped(net.clock, [{ ...victim, key: own.key }]);
    await thief.start();
    await net.until('the thief knows b', () => thief.link.find('quote') !== undefined);

    const asked = thief.ask('desk', 'quote', 1, 20_000);
    expect(['denied', 'timeout']).toContain((await net.outcome(asked)).type);

    const code = means === 'its own key' ? 'certificate.unknown' : 'certificate.other_node';
    expect(b.refusals()).toContain(code);
    expect(b.recorded('message.accepted')).toEqual([]);
    expect(await net.outcome(a.ask('desk', 'quote', 2))).toMatchObject({ type: 'ok' });
  },
);

test.each(['certificate.withdrawn', 'did.revoked'] as const)(
  '%s ends what a node may say for an agent',
  async (code) => {
    const { net, a, b } = await aPair(code);
    await net.outcome(a.ask('desk', 'quote', 1));
    const desk = a.keys.agents.get('desk');
    const at = net.clock.now();
    const certificate = desk && b.link.directory.newestCertificate(desk.did, at)?.cid;
    if (desk === undefined || certificate === undefined) throw new Error('expected an agent and its certificate');
    const statement =
      code === 'did.revoked'
        ? writeRevocation(desk.did, { by: desk.sponsor, at, reason: 'stolen' })
        : writeWithdrawal({ agent: desk.did, certificate, at }, desk.sponsor);
    unwrap(b.link.directory.learn(statement, at), 'a statement');
    expect(await net.outcome(a.ask('desk', 'quote', 2))).toMatchObject({ type: 'denied', code });
    expect(b.receiver.executed.size).toBe(1);
    expect(b.refusals()).toEqual([code]);
  },
);

test('an answer of who was not asked is refused on record, and the asker waits for the one who was', async () => {
  const { net, a, b, enemy } = await underAttack('hijack');
  await enemy.meet(a);
  net.wire = ({ lane, from }) => (lane === 'answer' && from === b.token ? [] : [0]);
  const asked = a.ask('desk', 'quote', 'who is it');
  await net.until('it is answered there', () => b.recorded('turn.committed').length === 2);
  const bytes = net.sent.findLast(({ lane, from }) => lane === 'ask' && from === a.token)?.bytes ?? new Uint8Array();
  const request = digestText(sha256(claimsIn(bytes)));
  const [quote, desk] = [b.keys.didOf('quote'), a.keys.didOf('desk')];
  if (quote === undefined || desk === undefined) throw new Error('expected two agents');

  enemy.say(a, { kind: 'reply', claims: { answer: { request }, from: enemy.did, to: desk }, lane: 'answer' });
  enemy.say(a, { kind: 'failure', claims: { answer: { request, code: 'answer.busy' }, to: desk }, lane: 'answer' });
  enemy.say(a, { kind: 'reply', claims: { answer: { request }, from: quote, to: desk }, lane: 'answer' });
  enemy.say(a, { kind: 'reply', claims: { answer: { request: digestText(sha256(utf8('none'))) }, to: desk } });
  await net.until('all are on record', () => a.refusals().length === 4);
  net.wire = () => [0];

  expect(await net.outcome(asked)).toEqual({ type: 'ok', value: { echo: 'who is it' } });
  expect(a.refusals().toSorted()).toEqual([
    'answer.unexpected',
    'answer.wrong_peer',
    'answer.wrong_peer',
    'certificate.missing',
  ]);
});

test.each<[string, Parameters<Enemy['say']>[1], string]>([
  ['a node that speaks for itself to an agent', { kind: 'ask', claims: {} }, 'name.missing'],
  [
    'a command for the node that it does not have',
    { kind: 'tell', claims: { command: '/mesh/shutdown' } },
    'envelope.no_such_agent',
  ],
  ['a farewell of an agent', { kind: 'tell', claims: { command: '/quote/leave' } }, 'envelope.no_such_agent'],
  [
    'statements that are none',
    { kind: 'present', claims: { command: '/mesh/present' }, content: utf8('{}\n') },
    'statement.malformed',
  ],
  ['statements under another name', { kind: 'present', claims: { command: '/mesh/other' } }, 'claims.malformed'],
  ['control on a common lane', { kind: 'control', claims: {} }, 'claims.malformed'],
])('%s is refused on record', async (what, said, code) => {
  const { net, b } = await aPair(`says ${what}`);
  const enemy = new Enemy(net);
  await enemy.meet(b);
  const quote = b.keys.didOf('quote');
  const isToNode = said.kind === 'present' || said.kind === 'tell' || quote === undefined;
  enemy.say(b, { ...said, claims: { ...said.claims, to: isToNode ? b.did : quote } });
  await net.until('it is on record', () => b.refusals().length > 0);
  expect(b.refusals()).toEqual([code]);
  expect(b.receiver.arrived).toEqual([]);
});

test('a body with a name twice, or with __proto__, is refused or stays data', async () => {
  const { net, a, b } = await aPair('bodies');
  const polluting = JSON.parse('{"__proto__":{"isAdmin":true}}') as { readonly isAdmin?: boolean };
  expect(await net.outcome(a.ask('desk', 'quote', polluting as never))).toMatchObject({ type: 'ok' });
  expect(Object.hasOwn(b.receiver.arrived[0]?.body as object, '__proto__')).toBe(true);
  expect(b.receiver.arrived[0]?.body).not.toHaveProperty('isAdmin');
});

test('of a flood of refused messages ten are recorded, and the rest is counted on record', async () => {
  const { net, b } = await aPair('flood');
  const enemy = new Enemy(net);
  await enemy.meet(b);
  for (let n = 0; n < 200; n++) enemy.say(b, { kind: 'ask', claims: { to: b.keys.didOf('quote') } });
  await net.pass(3_000);
  const many = b.recorded('message.refused_many') as readonly { node: string; counts: Record<string, number> }[];
  expect(b.refusals()).toHaveLength(10);
  expect(many.reduce((sum, { counts }) => sum + (counts['name.missing'] ?? 0), 0)).toBe(190);
  expect(many.every(({ node }) => node === enemy.did)).toBe(true);
});

test('who sends more than his quota is not looked at, and others are', async () => {
  const { net, a, b } = await aPair('quota', { quota: { count: 20, periodMs: 1_000, burst: 20 } });
  const enemy = new Enemy(net);
  await enemy.meet(b);
  for (let n = 0; n < 100; n++) enemy.say(b, { kind: 'ask', claims: { to: b.keys.didOf('quote') } });
  expect(await net.outcome(a.ask('desk', 'quote', 1))).toMatchObject({ type: 'ok' });
  await net.pass(2_000);
  const many = b.recorded('message.refused_many') as readonly { counts: Record<string, number> }[];
  expect(many.reduce((sum, { counts }) => sum + (counts['quota.exceeded'] ?? 0), 0)).toBe(80);
});

test('two roots at one size are on record with both heads, and the message is refused', async () => {
  const { net, b } = await aPair('split view');
  const enemy = new Enemy(net);
  await enemy.meet(b);
  const heard = enemy.head;
  enemy.head = { ...heard, root: digestText(sha256(utf8('another history'))) };
  enemy.say(b, { kind: 'ask', claims: { to: b.keys.didOf('quote') } });
  await net.until('it is on record', () => b.refusals().length === 1);
  expect(b.refusals()).toEqual(['peer.split_view']);
  expect(b.recorded('peer.split_view')).toEqual([{ node: enemy.did, heard, said: enemy.head }]);
});

test('a node that comes back with a shorter log is not met, even after a restart of who remembers', async () => {
  const { net, a, b } = await aPair('put back');
  for (let n = 0; n < 5; n++) await net.outcome(a.ask('desk', 'quote', n));
  await net.pass(3_000);
  await b.kill();
  b.world = new MemoryWorld(net.random, 'test/b/log/0');
  await a.kill();
  await a.start();
  await b.start();
  await net.until('b is heard', () => a.link.find('quote') !== undefined);
  expect(await net.outcome(a.ask('desk', 'quote', 9, 10_000))).toMatchObject({ type: 'timeout' });
  expect(a.recorded('peer.split_view')[0]).toMatchObject({ node: b.did });
  expect(b.receiver.arrived).toEqual([]);
});

test('an announcement of another’s agents moves nobody', async () => {
  const { net, a, b, enemy } = await underAttack('announce');
  const announced = net.sent.find(({ lane, from }) => lane === 'beat' && from === a.token)?.bytes ?? new Uint8Array();
  const c = await new LinkNode(net, 'c', { third: echo }).start();
  await net.until('c knows a', () => c.link.find('desk') !== undefined);
  enemy.send('hand', c, announced);
  await net.pass(1_000);
  expect(await net.outcome(c.ask('third', 'desk', 1))).toMatchObject({ type: 'ok' });
  expect(a.receiver.arrived.at(-1)?.from.agent).toBe('third');
  expect(b.refusals()).toEqual([]);
});

/** The claims of the last envelope in a frame or bundle, as they are on the wire. */
function claimsIn(bytes: Uint8Array): Uint8Array {
  const bundle = splitBundle(bytes);
  if (bundle.ok) return bundle.value.items.at(-1)?.claims ?? new Uint8Array();
  return unwrap(splitFrame(bytes), 'a frame').claims;
}
