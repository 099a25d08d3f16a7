/**
 * Nodes over a wire that fails. Every fault twice: the request is lost, the answer is lost. Then all faults at once, by
 * seeds: `vitest run --project unit mesh/link/faults -t 'seed 3'` runs one again.
 */
import { expect, test } from 'vitest';
import type { Random } from '../../runtime/core/random.ts';
import { soundEventsOf } from '../../runtime/log/sound-events.fixture.ts';
import { stepOf } from '../handshake.ts';
import { aPair, type Handler, LinkNode } from './link.fixture.ts';
import { Net, type Sent, type Wire } from './net.fixture.ts';

const echo: Handler = ({ body }) => ({ type: 'ok', value: { echo: body } });

/** Loses the first `count` messages of which it is said. */
function losing(count: number, isLost: (sent: Sent) => boolean): Wire {
  let lost = 0;
  return (sent) => {
    if (lost >= count || !isLost(sent)) return [0];
    lost++;
    return [];
  };
}

type Fault = readonly [what: string, isOf: (sent: Sent, a: LinkNode) => boolean];

const FAULTS: readonly Fault[] = [
  ['a hello', ({ bytes }) => stepOf(bytes) === 1],
  ['a welcome', ({ bytes }) => stepOf(bytes) === 2],
  ['a confirm', ({ bytes }) => stepOf(bytes) === 3],
  ['an ask or tell', ({ lane }) => lane === 'ask' || lane === 'tell'],
  ['an answer', ({ lane }) => lane === 'answer'],
  ['whatever leaves the asking node', ({ from }, a) => from === a.token],
  ['whatever leaves the asked node', ({ from }, a) => from !== a.token],
];

test.each(FAULTS.flatMap(([what, isOf]) => [1, 3].map((count) => [what, count, isOf] as const)))(
  '%s is lost, %i times: the ask is answered, the tell accepted, both once',
  async (what, count, isOf) => {
    const { net, a, b } = await aPair(`lost ${what} ${count}`);
    net.wire = losing(count, (sent) => isOf(sent, a));
    const work = Promise.all([a.ask('desk', 'quote', 'ask'), a.tell('desk', 'quote', 'tell')]);
    expect(await net.outcome(work)).toMatchObject([{ type: 'ok', value: { echo: 'ask' } }, { type: 'ok' }]);
    expect([...b.receiver.executed.values()]).toEqual([1]);
    expect(b.recorded('message.accepted')).toHaveLength(2);
    expect([a.refusals(), b.refusals()]).toEqual([[], []]);
  },
);

test.each(FAULTS)('%s is doubled: nothing happens twice', async (what, isOf) => {
  const { net, a, b } = await aPair(`doubled ${what}`);
  net.wire = (sent) => (isOf(sent, a) ? [0, 0, 300] : [0]);
  const work = Promise.all([a.ask('desk', 'quote', 'ask'), a.tell('desk', 'quote', 'tell')]);
  expect(await net.outcome(work)).toMatchObject([{ type: 'ok', value: { echo: 'ask' } }, { type: 'ok' }]);
  await net.pass(1_000);
  expect([...b.receiver.executed.values()]).toEqual([1]);
  expect(b.recorded('message.accepted')).toHaveLength(2);
  expect([a.refusals(), b.refusals()]).toEqual([[], []]);
});

test('a certificate that was to be shown with the first answer is lost: it is asked for', async () => {
  const { net, a, b } = await aPair('unshown');
  await net.outcome(a.ask('desk', 'quote', 0));
  await net.pass(1_000);
  net.wire = ({ lane }) => (lane === 'beat' ? [] : [0]);
  b.link.host([]);
  b.link.host(['quote']); // under a new certificate, of which nobody hears
  let answers = 0;
  net.wire = ({ lane }) => (lane === 'beat' || (lane === 'answer' && answers++ === 0) ? [] : [0]);
  expect(await net.outcome(a.ask('desk', 'quote', 1))).toEqual({ type: 'ok', value: { echo: 1 } });
  expect([a.refusals(), b.refusals()]).toEqual([['certificate.unknown'], []]);
  expect([...b.receiver.executed.values()]).toEqual([1, 1]);
});

test('an announcement is lost: it is said again', async () => {
  const { net, a, b } = await aPair('announcement');
  await b.kill();
  net.wire = losing(2, ({ lane }) => lane === 'beat');
  await b.start();
  net.wire = losing(1, ({ lane }) => lane === 'beat');
  await net.pass(40_000);
  expect(await net.outcome(a.ask('desk', 'quote', 1))).toMatchObject({ type: 'ok' });
});

/** Two nodes that greet each other at once for the first time; the hello of one takes so long, and its log grows meanwhile. */
async function crossing(seed: string, helloMs: number) {
  const net = new Net(seed);
  const nodes = ['one', 'other', 'third'].map((name) => new LinkNode(net, name, { [name]: echo }));
  for (const node of nodes) await node.start();
  const agentOf = ({ handlers }: LinkNode): string => [...handlers.keys()].join();
  await net.until('all are known', () =>
    nodes.every((node) => nodes.every((other) => node === other || node.link.find(agentOf(other)) !== undefined)),
  );
  const [low, high, third] = [...nodes.slice(0, 2).sort((a, b) => (a.did < b.did ? -1 : 1)), ...nodes.slice(2)];
  if (low === undefined || high === undefined || third === undefined) throw new Error('expected three');
  net.wire = ({ to, from, bytes }) => {
    if (stepOf(bytes) !== 1 || to === third.token) return [0];
    if (from === high.token) return [helloMs];
    return [from === low.token ? 200 : 0];
  };
  const asks = [low.ask(agentOf(low), agentOf(high), 1), high.ask(agentOf(high), agentOf(low), 2)];
  expect(await net.outcome(third.ask('third', agentOf(high), 3))).toMatchObject({ type: 'ok' });
  for (const ask of asks) expect(await net.outcome(ask)).toMatchObject({ type: 'ok' });
  /** Sizes of the log of the one whose hello is slow, as it stated them in handshakes that the other has on record. */
  const met = () =>
    (low.recorded('peer.met') as readonly { readonly node: string; readonly head: { readonly size: number } }[])
      .filter(({ node }) => node === high.did)
      .map(({ head }) => head.size);
  return { net, low, high, met };
}

test('handshakes that cross the first time two nodes meet are no split view, though one says less', async () => {
  const { net, low, high, met } = await crossing('crossing', 600);
  await net.until('the slow hello to be answered', () => met().length === 2);
  const [first = 0, second = 0] = met();
  expect(second).toBeLessThan(first);
  expect([low, high].map((node) => node.recorded('peer.split_view'))).toEqual([[], []]);
});

test('a hello from before its receiver was killed is no split view, though it says less than is on record', async () => {
  const { net, low, high, met } = await crossing('crossing a restart', 4_000);
  await net.pass(1_500);
  await low.kill();
  await low.start();
  await net.until('the slow hello to be answered', () => met().some((size, n, all) => size < (all[n - 1] ?? 0)));
  expect([low, high].map((node) => node.recorded('peer.split_view'))).toEqual([[], []]);
});

/** Drops, doubles and holds back by chance, which also turns round. */
function chaos(random: Random): Wire {
  return () => {
    const dice = random.below(100);
    if (dice < 20) return [];
    if (dice < 35) return [1 + random.below(2_000), 1 + random.below(5_000)];
    if (dice < 60) return [1 + random.below(1_500)];
    return [0];
  };
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'seed %i: nothing accepted is lost or done twice, tells keep their order, asks are answered or in doubt',
  async (seed) => {
    const { net, a, b } = await aPair(`chaos ${seed}`);
    net.wire = chaos(net.random.stream('chaos'));
    const asks = Array.from({ length: 20 }, (_, n) => a.ask('desk', 'quote', n, 60_000));
    const backwards = Array.from({ length: 10 }, (_, n) => b.ask('quote', 'desk', n, 60_000));
    const tells = Array.from({ length: 20 }, (_, n) => a.tell('desk', 'quote', n));
    for (const work of backwards) work.catch(() => undefined);
    let executedBefore = new Map(b.receiver.executed);
    if (seed % 2 === 0) {
      await net.pass(3_000);
      executedBefore = new Map(b.receiver.executed);
      await b.kill();
      await net.pass(2_000);
      await b.start();
    }

    const asked = await net.outcome(Promise.all(asks), 600_000);
    const told = await net.outcome(Promise.all(tells), 600_000);

    for (const [n, outcome] of asked.entries()) {
      if (outcome.type === 'ok') expect(outcome.value).toEqual({ echo: n });
      else expect(['timeout', 'died', 'unknown']).toContain(outcome.type);
    }
    expect(asked.filter(({ type }) => type === 'ok').length).toBeGreaterThan(10);
    expect(told.map(({ type }) => type)).toEqual(Array(20).fill('ok'));
    const accepted = b.recorded('message.accepted') as readonly { message: string; kind: string; body: number }[];
    const toldThere = accepted.filter(({ kind }) => kind === 'tell').map(({ body }) => body);
    expect(toldThere).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(new Set(accepted.map(({ message }) => message)).size).toBe(accepted.length);
    const answered = b.recorded('turn.committed').length;
    expect(answered).toBeLessThanOrEqual(20);
    for (const count of [...executedBefore.values(), ...b.receiver.executed.values()]) expect(count).toBe(1);
    for (const node of [a, b]) {
      // What was to show it may be lost; it is then shown again.
      expect(node.refusals().filter((code) => code !== 'certificate.unknown')).toEqual([]);
      expect(soundEventsOf(node.log).length).toBeGreaterThan(0);
    }
  },
);
