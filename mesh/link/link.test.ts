/** Nodes that meet, ask and tell over a wire that works. */
import { expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { nextTurn } from '../../runtime/core/system.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import { isBundle } from '../bundle.ts';
import { SEAL_BATCH_MAX } from '../limits.ts';
import { ENVELOPES_PER_TURN, LARGE_BODY_BYTES_MAX } from './limits.ts';
import { aPair, type Handler, LinkNode } from './link.fixture.ts';
import { Net } from './net.fixture.ts';

const echo: Handler = ({ body }) => ({ type: 'ok', value: { echo: body } });

test('strangers find each other, and an ask is answered', async () => {
  const { net, a, b } = await aPair('ask');

  expect(a.link.find('quote')).toEqual({ contract: 'quote', did: b.keys.didOf('quote') });
  expect(await net.outcome(a.ask('desk', 'quote', { n: 1 }))).toEqual({ type: 'ok', value: { echo: { n: 1 } } });

  expect(b.receiver.arrived).toMatchObject([
    { from: { agent: 'desk', did: a.keys.didOf('desk') }, to: 'quote', name: 'doIt', chain: ['desk'], kind: 'ask' },
  ]);
  expect([a.refusals(), b.refusals()]).toEqual([[], []]);
  expect([a.recorded('peer.met').length, b.recorded('peer.met').length]).toEqual([1, 1]);
});

test('what is ready in one turn leaves in one bundle, and so do its answers', async () => {
  const { net, a } = await aPair('bundle');
  await net.outcome(a.ask('desk', 'quote', 'first'));
  net.sent.length = 0;

  const asks = Array.from({ length: 64 }, (_, n) => a.ask('desk', 'quote', n));
  expect(await net.outcome(Promise.all(asks))).toEqual(asks.map((_, n) => ({ type: 'ok', value: { echo: n } })));

  const asking = net.sent.filter(({ lane }) => lane === 'ask');
  expect(asking.map(({ bytes }) => isBundle(bytes))).toEqual([true]);
  expect(net.sent.filter(({ lane }) => lane === 'answer').length).toBeLessThanOrEqual(8);
});

test('a long bundle is taken over several turns of the event loop, in order and whole (V3)', async () => {
  const arrived: JsonValue[] = [];
  /** How many had arrived whenever the event loop had had its turn. */
  const had: number[] = [];
  const over = { nextTurn: () => nextTurn().then(() => void had.push(arrived.length)) };
  const { net, a, b } = await aPair('long', over);
  await net.outcome(a.ask('desk', 'quote', 'first'));
  const { accept } = b.receiver;
  b.receiver.accept = (incoming) => {
    arrived.push(incoming.body);
    return accept.call(b.receiver, incoming);
  };

  const count = ENVELOPES_PER_TURN * 4 + 3;
  const asks = Array.from({ length: count }, (_, n) => a.ask('desk', 'quote', n));
  expect(await net.outcome(Promise.all(asks))).toEqual(asks.map((_, n) => ({ type: 'ok', value: { echo: n } })));

  const steps = had.map((now, n) => now - (had[n - 1] ?? 0));
  expect(Math.max(...steps)).toBe(ENVELOPES_PER_TURN);
  expect(arrived).toEqual(asks.map((_, n) => n));
});

test('messages for several nodes share a signature where each gets one', async () => {
  const { net, a } = await aPair('three');
  const c = await new LinkNode(net, 'c', { third: echo }).start();
  await net.until('c is known', () => a.link.find('third') !== undefined && c.link.find('desk') !== undefined);
  await net.outcome(Promise.all([a.ask('desk', 'quote', 0), a.ask('desk', 'third', 0)]));
  net.sent.length = 0;

  const [one, other] = await net.outcome(Promise.all([a.ask('desk', 'quote', 1), a.ask('desk', 'third', 2)]));

  expect([one, other]).toEqual([
    { type: 'ok', value: { echo: 1 } },
    { type: 'ok', value: { echo: 2 } },
  ]);
  const frames = net.sent.filter(({ lane }) => lane === 'ask').map(({ bytes }) => Buffer.from(bytes));
  expect(frames.map((frame) => [frame.subarray(0, 4).toString(), frame.readUInt16BE(138)])).toEqual([
    ['IATP', 2],
    ['IATP', 2],
  ]);
  expect(frames[0]?.subarray(140, 204)).toEqual(frames[1]?.subarray(140, 204));
});

test('with one message to a signature, what leaves together is signed and carried one by one', async () => {
  const { net, a } = await aPair('alone', { batchMax: 1 });
  await net.outcome(a.ask('desk', 'quote', 'first'));
  net.sent.length = 0;

  const asks = [1, 2, 3].map((n) => a.ask('desk', 'quote', n));
  expect(await net.outcome(Promise.all(asks))).toEqual([1, 2, 3].map((n) => ({ type: 'ok', value: { echo: n } })));

  const frames = net.sent.filter(({ lane }) => lane === 'ask').map(({ bytes }) => Buffer.from(bytes));
  expect(frames.map((frame) => [frame.subarray(0, 4).toString(), frame.readUInt16BE(138)])).toEqual(
    Array(3).fill(['IATP', 1]),
  );
  expect(new Set(frames.map((frame) => frame.toString('hex', 140, 204))).size).toBe(3);
});

test.each([0, -1, 1.5, SEAL_BATCH_MAX + 1])('%d messages to a signature are refused', async (batchMax) => {
  await expect(aPair('none', { batchMax })).rejects.toMatchObject({ code: 'assert.failed' });
});

test.each<[string, Outcome]>([
  ['denied', { type: 'denied', code: 'policy.denied', message: 'not you' }],
  ['invalid', { type: 'invalid', code: 'value.wrong', message: 'not that' }],
  ['failed', { type: 'failed', code: 'tool.broke', message: 'it broke' }],
  ['busy', { type: 'busy', retryAfterMs: 250 }],
  ['died', { type: 'died', message: 'it has ended' }],
  ['timeout', { type: 'timeout', withinMs: 12 }],
  ['unknown', { type: 'unknown', message: 'somebody has to look' }],
])('an ask that comes to %s says so on the other side', async (type, outcome) => {
  const { net, a } = await aPair(`outcome ${type}`);
  const c = await new LinkNode(net, 'c', { stubborn: () => outcome }).start();
  await net.until('c is known', () => a.link.find('stubborn') !== undefined && c.link.find('desk') !== undefined);
  expect(await net.outcome(a.ask('desk', 'stubborn', null))).toEqual(outcome);
});

test('an ask that is not answered ends at its deadline, in doubt, and is not done again by its resendings', async () => {
  const { net, a, b } = await aPair('slow');
  const never = new LinkNode(net, 'c', { slow: () => new Promise<Outcome>(() => undefined) });
  await never.start();
  await net.until('c is known', () => a.link.find('slow') !== undefined);

  expect(await net.outcome(a.ask('desk', 'slow', 1, 40_000))).toEqual({ type: 'timeout', withinMs: 40_000 });

  expect([...never.receiver.executed.values()]).toEqual([1]);
  expect(never.receiver.arrived).toHaveLength(1);
  expect(a.link.stats.requests).toBe(0);
  expect(b.refusals()).toEqual([]);
});

test('an ask may be given up; its answer is then nobody’s', async () => {
  const { net, a } = await aPair('abort');
  const given = new AbortController();
  const message = a.outgoing('ask', { from: 'desk', to: 'quote', body: 1, withinMs: 10_000 });
  const asked = a.link.ask(message, given.signal);
  given.abort(new Error('enough'));
  await expect(asked).rejects.toThrow('enough');
  await net.pass(1_000);
  expect(a.link.stats.requests).toBe(0);
});

test('tells arrive once and in order, whatever the receiver says meanwhile', async () => {
  const { net, a, b } = await aPair('tells');
  b.receiver.refuses = { type: 'busy', retryAfterMs: 300 };
  const told = Promise.all(Array.from({ length: 20 }, (_, n) => a.tell('desk', 'quote', n)));
  await net.pass(2_000);
  expect(b.recorded('message.accepted')).toEqual([]);
  b.receiver.refuses = undefined;

  expect((await net.outcome(told)).map(({ type }) => type)).toEqual(Array(20).fill('ok'));
  expect(b.recorded('message.accepted').map((payload) => (payload as { body: number }).body)).toEqual(
    Array.from({ length: 20 }, (_, n) => n),
  );
});

test('a tell that is refused for good is settled, and the next of its pair goes on', async () => {
  const { net, a, b } = await aPair('tell denied');
  b.receiver.refuses = { type: 'invalid', code: 'value.wrong', message: 'not that' };
  const first = a.tell('desk', 'quote', 1);
  const second = a.tell('desk', 'quote', 2);
  expect(await net.outcome(first)).toMatchObject({ type: 'invalid', code: 'value.wrong' });
  b.receiver.refuses = undefined;
  expect(['ok', 'invalid']).toContain((await net.outcome(second)).type);
});

test('a tell waits for an agent that is not there yet, an ask does not', async () => {
  const { net, a } = await aPair('later');
  expect(await net.outcome(a.ask('desk', 'late', 1))).toMatchObject({ type: 'died' });
  const told = a.tell('desk', 'late', 1);
  await net.pass(20_000);
  const c = await new LinkNode(net, 'c', { late: echo }).start();
  expect(await net.outcome(told)).toMatchObject({ type: 'ok' });
  expect(c.recorded('message.accepted')).toHaveLength(1);
});

test('a tell that nobody took ends at its deadline', async () => {
  const { net, a } = await aPair('tell late');
  expect(await net.outcome(a.tell('desk', 'nobody', 1, 5_000))).toEqual({ type: 'timeout', withinMs: 5_000 });
});

test('certificates and sessions are renewed under way', async () => {
  const { net, a, b } = await aPair('renew');
  for (let quarter = 0; quarter < 10; quarter++) {
    expect(await net.outcome(a.ask('desk', 'quote', quarter))).toMatchObject({ type: 'ok' });
    expect(await net.outcome(b.ask('quote', 'desk', quarter))).toMatchObject({ type: 'ok' });
    await net.pass(900_000);
  }
  expect(a.recorded('peer.met').length).toBeGreaterThan(1);
  expect([a.refusals(), b.refusals()]).toEqual([[], []]);
}, 120_000);

test.each(['asked', 'asking'] as const)('after a restart of the node that is %s everything goes on', async (which) => {
  const { net, a, b } = await aPair(`restart ${which}`);
  await net.outcome(a.ask('desk', 'quote', 1));
  const restarted = which === 'asked' ? b : a;
  await restarted.kill();
  await restarted.start();
  await net.until('they know each other', () => a.link.find('quote') !== undefined);

  const began = net.clock.now();
  expect(await net.outcome(a.ask('desk', 'quote', 2))).toEqual({ type: 'ok', value: { echo: 2 } });
  expect(net.clock.now() - began).toBeLessThan(5_000);
  expect(await net.outcome(b.ask('quote', 'desk', 3))).toEqual({ type: 'ok', value: { echo: 3 } });
  expect([a.refusals(), b.refusals()]).toEqual([[], []]);
});

test('an ask that was answered before a restart of the asked is answered as it was', async () => {
  const { net, a, b } = await aPair('answer lost in a restart');
  await net.outcome(a.ask('desk', 'quote', 0));
  net.wire = ({ lane }) => (lane === 'answer' ? [] : [0]);
  const asked = a.ask('desk', 'quote', 1);
  await net.until('it is answered there', () => b.recorded('turn.committed').length === 2);
  await b.kill();
  net.wire = () => [0];
  await b.start();
  expect(await net.outcome(asked)).toEqual({ type: 'ok', value: { echo: 1 } });
  expect(b.receiver.executed.size).toBe(0);
  expect(b.recorded('turn.committed')).toHaveLength(2);
});

test('a node that leaves says so: who asks its agents hears at once that they are gone', async () => {
  const { net, a, b } = await aPair('leave');
  await net.outcome(a.ask('desk', 'quote', 1));
  await b.stop();
  await net.until('a has heard', () => a.recorded('peer.left').length === 1);
  expect(a.receiver.lost).toEqual(['quote']);
  expect(await net.outcome(a.ask('desk', 'quote', 2), 100)).toMatchObject({ type: 'died' });
  await b.start();
  await net.until('it is back', () => a.link.find('quote') !== undefined);
  expect(await net.outcome(a.ask('desk', 'quote', 3))).toEqual({ type: 'ok', value: { echo: 3 } });
});

test('a node that falls silent is out of reach, and back when it is heard again', async () => {
  const { net, a, b } = await aPair('silent');
  net.wire = ({ from }) => (from === b.token ? [] : [0]);
  await net.until('it is lost', () => a.receiver.lost.length > 0, 200_000);
  expect(a.link.find('quote')).toBeUndefined();
  net.wire = () => [0];
  await net.until('it is back', () => a.link.find('quote') !== undefined);
  expect(a.receiver.lost).toEqual(['quote']);
});

test('where somebody else judges silence, the link gives a node up when it is told to, and hears it again', async () => {
  const { net, a, b } = await aPair('followed', { isFollowed: () => true });
  net.wire = ({ from }) => (from === b.token ? [] : [0]);
  await net.pass(200_000);
  expect(a.receiver.lost).toEqual([]);
  a.link.lose(b.did);
  expect(a.receiver.lost).toEqual(['quote']);
  expect(a.link.find('quote')).toBeUndefined();
  a.link.regain(b.did);
  expect(a.link.find('quote')).toBeDefined();
  a.link.lose(b.did);
  net.wire = () => [0];
  await net.until('it is back', () => a.link.find('quote') !== undefined);
});

test('a node that stops finishes what is under way, and takes nothing more', async () => {
  const { net, a, b } = await aPair('drain');
  const gate = Promise.withResolvers<Outcome>();
  const c = await new LinkNode(net, 'c', { gated: () => gate.promise }).start();
  await net.until('c is known', () => a.link.find('gated') !== undefined);
  const under = a.ask('desk', 'gated', 1);
  await net.until('it has arrived', () => c.receiver.arrived.length === 1);
  const stopped = c.link.stop(10_000);
  expect(await net.outcome(a.ask('desk', 'gated', 2))).toMatchObject({ type: 'busy' });
  gate.resolve({ type: 'ok', value: 'done' });
  expect(await net.outcome(under)).toEqual({ type: 'ok', value: 'done' });
  await net.outcome(stopped);
  expect(await c.ask('gated', 'desk', 1)).toMatchObject({ type: 'busy' });
  expect(b.refusals()).toEqual([]);
});

test('an agent of this node is meant before one elsewhere, and the dispute is on record', async () => {
  const { net, a, b } = await aPair('names');
  const c = await new LinkNode(net, 'c', { quote: echo, desk: echo, own: echo }).start();
  await net.until('c is known', () => a.link.find('own') !== undefined && b.link.find('own') !== undefined);

  expect(a.link.find('quote')?.did).toBe(b.keys.didOf('quote'));
  expect([a.link.find('desk'), b.link.find('quote')]).toEqual([undefined, undefined]);
  await net.until('both disputes are on record', () => a.recorded('name.disputed').length === 2);
  expect(a.recorded('name.disputed')).toMatchObject([
    { name: 'quote', kept: b.keys.didOf('quote'), refused: c.keys.didOf('quote'), node: c.did },
    { name: 'desk', kept: a.keys.didOf('desk'), refused: c.keys.didOf('desk'), node: c.did },
  ]);
});

test('what a peer says of its log is on record, once a second at most', async () => {
  const { net, a, b } = await aPair('heads');
  const origin = b.recorded('peer.met');
  expect(origin).toEqual([]);
  for (let n = 0; n < 10; n++) await net.outcome(a.ask('desk', 'quote', n));
  await net.pass(3_000);
  const seen = a.recorded('peer.head_seen') as readonly { node: string; head: { size: number; root: string } }[];
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.length).toBeLessThanOrEqual(5);
  for (const { node, head } of seen) {
    expect(node).toBe(b.did);
    expect(Buffer.from(b.log.root(head.size)).toString('base64url')).toBe(head.root);
  }
});

test('bodies are encrypted where both sides can', async () => {
  const { net, a } = await aPair('secret', { encryption: 'required' });
  expect(await net.outcome(a.ask('desk', 'quote', 'a word that is nowhere else'))).toMatchObject({ type: 'ok' });
  expect(net.sent.some(({ bytes }) => Buffer.from(bytes).includes('nowhere else'))).toBe(false);
});

test('a body that is too long is refused before it is sent, and an answer that is too long fails', async () => {
  const { net, a } = await aPair('long');
  const long = 'x'.repeat(LARGE_BODY_BYTES_MAX);
  const c = await new LinkNode(net, 'c', { long: () => ({ type: 'ok', value: long }) }).start();
  await net.until('c is known', () => a.link.find('long') !== undefined);
  expect(await net.outcome(a.ask('desk', 'quote', long))).toMatchObject({
    type: 'invalid',
    code: 'body.too_large',
  });
  expect(await net.outcome(a.ask('desk', 'long', 1))).toMatchObject({ type: 'failed', code: 'body.too_large' });
  expect(c.refusals()).toEqual([]);
});

test('when it cannot record, the link ends and says why', async () => {
  const { net, a, b } = await aPair('no log');
  const ended = a.link.ended.then(
    () => 'well',
    (error: Error) => error.message,
  );
  await a.log[Symbol.asyncDispose]();
  const asked = b.ask('quote', 'desk', 1, 5_000);
  expect(await net.outcome(ended)).not.toBe('well');
  expect(await net.outcome(asked)).toMatchObject({ type: 'timeout' });
  expect(await a.ask('desk', 'quote', 1)).toMatchObject({ type: 'busy' });
});

test('nodes that this one does not talk with are not met, and their agents not known', async () => {
  const net = new Net('strangers');
  const a = new LinkNode(net, 'a', { desk: echo });
  const b = new LinkNode(net, 'b', { quote: echo });
  a.over = { mayMeet: () => false };
  await a.start();
  await b.start();
  await net.until('b knows a', () => b.link.find('desk') !== undefined);
  expect(await net.outcome(b.ask('quote', 'desk', 1, 5_000))).toMatchObject({ type: 'timeout' });
  expect([a.link.find('quote'), a.link.stats.peers, b.link.stats.peers]).toEqual([undefined, 0, 0]);
  expect(a.link.stats.unauthenticated['handshake.unknown_node']).toBeGreaterThan(0);
});
