/**
 * Nodes over a wire that fails. Every fault twice: the request is lost, the answer is lost. Then all faults at once, by
 * seeds: `vitest run --project unit mesh/link/faults -t 'seed 3'` runs one again.
 */
import { expect, test } from 'vitest';
import type { Random } from '../../runtime/core/random.ts';
import { soundEventsOf } from '../../runtime/log/sound-events.fixture.ts';
import { stepOf } from '../handshake.ts';
import { aPair, type LinkNode } from './link.fixture.ts';
import type { Sent, Wire } from './net.fixture.ts';

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
