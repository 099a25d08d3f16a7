/** Bodies for which no envelope has room, over a wire that fails and from nodes that lie. */
import { expect, test } from 'vitest';
import type { Cid } from '../../runtime/codec/cid.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { splitBundle } from '../bundle.ts';
import { decodeClaims } from '../claims.ts';
import { splitFrame } from '../frame.ts';
import { writeWithdrawal } from '../hosting.ts';
import { BODY_BYTES_MAX } from '../limits.ts';
import { CHUNK_COMMAND, CHUNK_MEDIA, digestOfBody, REFERENCE_MEDIA } from './body-reference.ts';
import { Enemy } from './enemy.fixture.ts';
import {
  CHUNK_BYTES,
  FETCH_BYTES_PER_NODE_MAX,
  FETCH_IDLE_MS,
  LARGE_BODY_BYTES_MAX,
  LOAN_BYTES_MAX,
  LOAN_MS,
  SERVE_RATE,
} from './limits.ts';
import { aPair, type LinkNode } from './link.fixture.ts';
import { Loans } from './loans.ts';
import type { Sent } from './net.fixture.ts';

const LARGE = 'x'.repeat(BODY_BYTES_MAX + 3 * CHUNK_BYTES);
const HUGE = 'y'.repeat(LARGE_BODY_BYTES_MAX - 2); // with its quotes, exactly the limit

const isPiece = ({ lane }: Sent): boolean => lane === 'body';
const isRequest = (sent: Sent): boolean => isPiece(sent) && sent.bytes.length < CHUNK_BYTES;
const isChunk = (sent: Sent): boolean => isPiece(sent) && !isRequest(sent);

test('a large body arrives whole: in an ask, in its answer, and in a tell', async () => {
  const { net, a, b } = await aPair('large');
  const work = Promise.all([a.ask('desk', 'quote', LARGE), a.tell('desk', 'quote', LARGE)]);
  expect(await net.outcome(work)).toMatchObject([{ type: 'ok', value: { echo: LARGE } }, { type: 'ok' }]);
  expect(b.receiver.arrived.map(({ body }) => body)).toEqual([LARGE, LARGE]);
  expect([...b.receiver.executed.values()]).toEqual([1]);
  expect([a.refusals(), b.refusals()]).toEqual([[], []]);
  expect(Math.max(...net.sent.map(({ bytes }) => bytes.length))).toBeLessThan(1_044_480);
});

test('a body as large as one may be arrives, and one byte more is refused where it is said', async () => {
  const { net, a, b } = await aPair('limit');
  expect(await net.outcome(a.tell('desk', 'quote', HUGE))).toMatchObject({ type: 'ok' });
  expect(b.receiver.arrived.map(({ body }) => body === HUGE)).toEqual([true]);
  expect(await net.outcome(a.tell('desk', 'quote', `${HUGE}y`))).toMatchObject({
    type: 'invalid',
    code: 'body.too_large',
  });
});

test.each([
  ['requests for chunks', isRequest, 3],
  ['chunks', isChunk, 3],
  ['every piece for a while', isPiece, 4],
] as const)('%s are lost, and the same come twice: everything happens once', async (what, isOf, count) => {
  for (const copies of [[], [0, 0, 400]]) {
    const { net, a, b } = await aPair(`${what} ${copies.length}`);
    let faults = 0;
    net.wire = (sent) => (isOf(sent) && faults++ < count ? copies : [0]);
    const work = Promise.all([a.ask('desk', 'quote', LARGE), a.tell('desk', 'quote', LARGE)]);
    expect(await net.outcome(work)).toMatchObject([{ type: 'ok', value: { echo: LARGE } }, { type: 'ok' }]);
    await net.pass(1_000);
    expect(faults).toBeGreaterThan(count - 1);
    expect(b.recorded('message.accepted')).toHaveLength(2);
    expect([...b.receiver.executed.values()]).toEqual([1]);
    expect([a.refusals(), b.refusals()]).toEqual([[], []]);
  }
});

test.each(['sender', 'receiver'])(
  'the %s is killed while the body is on its way: its next life goes on',
  async (who) => {
    const { net, a, b } = await aPair(`killed ${who}`);
    let pieces = 0;
    net.wire = (sent) => (isPiece(sent) && ++pieces > 3 ? [] : [0]);
    const first = a.outgoing('tell', { from: 'desk', to: 'quote', body: LARGE, withinMs: 600_000 });
    const told = a.link.tell(first, new AbortController().signal);
    await net.until('a few pieces', () => pieces > 3);
    const node = who === 'sender' ? a : b;
    await node.kill();
    net.wire = () => [0];
    await node.start();
    await net.until(
      'each knows the other',
      () => a.link.find('quote') !== undefined && b.link.find('desk') !== undefined,
    );
    // What a sender's log holds is said again by its next life, under the same id.
    const work = who === 'sender' ? a.link.tell(first, new AbortController().signal) : told;
    expect(await net.outcome(work)).toMatchObject({ type: 'ok' });
    expect(b.recorded('message.accepted')).toHaveLength(1);
    expect(b.receiver.arrived.map(({ body }) => body === LARGE)).toEqual([true]);
  },
);

test('a sender that goes away in the middle: what was set aside is given back, on record, and nobody is told', async () => {
  const { net, a, b } = await aPair('gone');
  let pieces = 0;
  net.wire = (sent) => (isPiece(sent) && ++pieces > 3 ? [] : [0]);
  a.tell('desk', 'quote', LARGE).catch(() => undefined);
  await net.until('a few pieces', () => pieces > 3);
  expect(b.link.stats.fetching).toBeGreaterThan(0);
  await a.kill();
  await net.pass(FETCH_IDLE_MS + 1_000);
  expect(b.link.stats.fetching).toBe(0);
  expect(b.refusals()).toEqual(['body.not_fetched']);
  expect(b.receiver.arrived).toEqual([]);
});

test('a body that does not come before its deadline is not handed on', async () => {
  const { net, a, b } = await aPair('late');
  net.wire = (sent) => (isChunk(sent) ? [] : [0]);
  expect(await net.outcome(a.ask('desk', 'quote', LARGE, 5_000))).toMatchObject({ type: 'timeout' });
  await net.pass(1_000);
  expect([b.receiver.arrived, b.refusals(), b.link.stats.fetching]).toEqual([[], ['envelope.past_deadline'], 0]);
});

test('Z5: a certificate that is withdrawn while the body is on its way ends the message', async () => {
  const { net, a, b } = await aPair('withdrawn on the way');
  net.wire = (sent) => [isChunk(sent) ? 3_000 : 0];
  const told = a.tell('desk', 'quote', LARGE);
  await net.until('it is being fetched', () => b.link.stats.fetching > 0);
  net.wire = ({ lane }) => (lane === 'tell' ? [] : [0]); // what is sealed again is refused anyhow
  const desk = a.keys.agents.get('desk');
  const peer = net.sent.find(({ lane }) => lane === 'tell');
  if (desk === undefined || peer === undefined) throw new Error('expected an agent that has spoken');
  const certificate = certificateIn(peer.bytes);
  const withdrawal = writeWithdrawal({ agent: desk.did, at: net.clock.now(), certificate }, desk.key);
  expect(b.link.directory.learn(withdrawal, net.clock.now())).toMatchObject({ ok: true });
  expect(await net.outcome(told)).toMatchObject({ type: 'denied', code: 'certificate.withdrawn' });
  expect([b.receiver.arrived, b.refusals(), b.link.stats.fetching]).toEqual([[], ['certificate.withdrawn'], 0]);
});

/** Of the last envelope in a frame or bundle. */
function certificateIn(bytes: Uint8Array): Cid {
  const bundle = splitBundle(bytes);
  const parts = bundle.ok ? bundle.value.items.at(-1) : unwrap(splitFrame(bytes), 'a frame');
  const { certificate } = unwrap(decodeClaims(parts?.claims ?? new Uint8Array()), 'claims');
  if (certificate === undefined) throw new Error('expected a certificate');
  return certificate;
}

test('nobody else gets what is lent, not even who knows its digest', () => {
  const loans = new Loans();
  const content = utf8(LARGE);
  const digest = digestOfBody(content);
  const [friend, other] = ['did:key:zFriend', 'did:key:zOther'] as const;
  expect(loans.lend(friend as never, { digest, content }, 'one', 0 as never)).toBe(true);
  expect(loans.chunk(other as never, { digest, index: 0 })).toBeUndefined();
  expect(loans.chunk(friend as never, { digest, index: 0 })).toHaveLength(CHUNK_BYTES);
  expect(loans.chunk(friend as never, { digest, index: 5 })).toBeUndefined();
  const room = { digest: digestOfBody(utf8('more')), content: new Uint8Array(LOAN_BYTES_MAX) };
  expect(loans.lend(other as never, room, 'two', 0 as never)).toBe(false);
  loans.expire((LOAN_MS + 1) as never);
  expect([loans.bytes, loans.chunk(friend as never, { digest, index: 0 })]).toEqual([0, undefined]);
});

test('J3: one node is lent half of the room at most, and gets more when that has ended', () => {
  const loans = new Loans();
  const [greedy, other] = ['did:key:zGreedy', 'did:key:zOther'] as const;
  const content = new Uint8Array(LARGE_BODY_BYTES_MAX);
  const lend = (to: string, n: number): boolean =>
    loans.lend(to as never, { digest: digestOfBody(utf8(`${n}`)), content }, `${n}`, 0 as never);
  expect([1, 2, 3, 4, 5].map((n) => lend(greedy, n))).toEqual([true, true, true, true, false]);
  expect([6, 7, 8, 9].map((n) => lend(other, n))).toEqual([true, true, true, true]);
  expect([loans.bytes, lend('did:key:zThird', 10)]).toEqual([LOAN_BYTES_MAX, false]);
  loans.end(greedy as never, digestOfBody(utf8('1')), '1');
  expect([lend(greedy, 5), lend(greedy, 1)]).toEqual([true, false]);
});

/** An enemy who lends what he likes: to each request for a chunk he answers as `serve` says. */
async function lender(serve: (index: number) => Uint8Array | undefined): Promise<{
  readonly enemy: Enemy;
  readonly b: LinkNode;
  readonly refer: (reference: object) => void;
  readonly asked: number[];
}> {
  const { net, a, b } = await aPair('lender');
  const enemy = new Enemy(net);
  await enemy.meet(b);
  const agent = await enemy.adopt(b);
  const asked: number[] = [];
  enemy.onMessage = ({ claims, message, content }) => {
    if (claims.command !== CHUNK_COMMAND || claims.answer !== undefined) return;
    const { index } = JSON.parse(Buffer.from(content).toString()) as { readonly index: number };
    asked.push(index);
    const chunk = serve(index);
    if (chunk === undefined) return;
    const answer = { command: CHUNK_COMMAND, answer: { request: message }, to: b.did };
    enemy.say(b, { kind: 'reply', lane: 'body', claims: answer, content: chunk, media: CHUNK_MEDIA });
  };
  const refer = (reference: object): void => {
    const content = utf8(JSON.stringify(reference));
    const quote = b.keys.didOf('quote');
    enemy.say(b, { kind: 'tell', lane: 'tell', claims: { ...agent, to: quote }, content, media: REFERENCE_MEDIA });
  };
  await a.kill();
  return { enemy, b, refer, asked };
}

const SIZE = 3 * CHUNK_BYTES;
const CHUNK = new Uint8Array(CHUNK_BYTES).fill(0x20);
const aChunk = (): Uint8Array => CHUNK;
const none = (): undefined => undefined;
const lie = digestOfBody(utf8('something else'));
const JSON_TYPE = 'application/json';

test.each([
  ['a size beyond the limit', { size: LARGE_BODY_BYTES_MAX + 1 }, aChunk, ['body.too_large', 0]],
  ['a size for which there is room in an envelope', { size: 10 }, aChunk, ['body.malformed', 0]],
  ['a size that is none', { size: -1 }, aChunk, ['body.malformed', 0]],
  ['one thing more', { more: 1 }, aChunk, ['body.malformed', 0]],
  ['another media type', { media: 'text/html' }, aChunk, ['body.malformed', 0]],
  ['a digest of something else', {}, aChunk, ['body.false_reference', 3]],
  ['a chunk that is too short', {}, (): Uint8Array => CHUNK.subarray(1), ['body.wrong_chunk', 3]],
  ['a chunk that is too long', {}, (): Uint8Array => new Uint8Array(CHUNK_BYTES + 1), ['body.wrong_chunk', 3]],
  ['an endless body: nothing comes', {}, none, ['body.not_fetched', 3]],
] as const)('attack: %s is refused with a code, and nothing is kept', async (_what, over, serve, [code, chunks]) => {
  const { enemy, b, refer, asked } = await lender(serve);
  refer({ digest: lie, media: JSON_TYPE, size: SIZE, ...over });
  await enemy.net.until('a refusal', () => b.refusals().length > 0);
  expect(b.refusals()).toEqual([code]);
  expect(new Set(asked).size).toBe(chunks);
  expect([b.link.stats.fetching, b.link.stats.underWay, b.receiver.arrived]).toEqual([0, 0, []]);
});

test('attack: many large bodies at once take no more room than one node has, and leave room to others', async () => {
  const { enemy, b, refer } = await lender(() => undefined);
  for (let n = 0; n < 12; n++)
    refer({ digest: digestOfBody(utf8(`${n}`)), media: JSON_TYPE, size: LARGE_BODY_BYTES_MAX });
  await enemy.net.pass(1_000);
  expect(b.link.stats.fetching).toBe(FETCH_BYTES_PER_NODE_MAX);
  expect(new Set(b.refusals())).toEqual(new Set(['body.no_room']));
  await enemy.net.pass(FETCH_IDLE_MS + 1_000);
  expect(b.link.stats.fetching).toBe(0);
});

test('attack: who asks for what was not lent to him gets a coded no, and a bounded number of answers', async () => {
  const { net, a, b } = await aPair('thief');
  net.wire = (sent) => (isChunk(sent) ? [] : [0]);
  const thief = new Enemy(net);
  await thief.meet(a);
  a.tell('desk', 'quote', LARGE).catch(() => undefined);
  await net.until('it is lent', () => a.link.stats.lent > 0);
  const codes: unknown[] = [];
  thief.onMessage = ({ claims }) => void codes.push(claims.answer?.code);
  const content = utf8(JSON.stringify({ digest: digestOfBody(utf8(JSON.stringify(LARGE))), index: 0 }));
  for (let n = 0; n < 300; n++) thief.say(a, { kind: 'ask', claims: { command: CHUNK_COMMAND, to: a.did }, content });
  await net.pass(100);
  expect([...new Set(codes)].sort()).toEqual(['answer.busy', 'body.not_lent']);
  expect(codes.filter((code) => code === 'body.not_lent').length).toBeLessThanOrEqual(SERVE_RATE.burst + 100);
  expect(b.receiver.arrived).toEqual([]);
});
