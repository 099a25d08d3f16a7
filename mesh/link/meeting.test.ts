import { expect, test } from 'vitest';
import type { Millis } from '../../runtime/core/brand.ts';
import { equalBytes } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { claimsOfHello, sayHello, stepOf } from '../handshake.ts';
import type { Session } from '../session.ts';
import { nodeToken } from '../subject.ts';
import { codeOf, later, NOW, TestNode } from '../world.fixture.ts';
import { HALF_OPEN_BUSY } from './limits.ts';
import { Meetings, type Saying } from './meeting.ts';

/** Two nodes, the one with the lower DID first, and what a carrier does between them. */
function twoNodes(seed: string) {
  const random = seededRandom(seed);
  const nodes = [new TestNode(random), new TestNode(random)].sort((a, b) => (a.did < b.did ? -1 : 1));
  const [low, high] = nodes.map((node) => ({
    node,
    token: nodeToken(node.did),
    meetings: new Meetings({ node, terms: () => node.terms, mayMeet: () => true, random }),
    sessions: [] as Session[],
  }));
  if (low === undefined || high === undefined) throw new Error('expected two');
  /** Carries until nobody has anything to say. How many messages it took. */
  const carry = (first: readonly (Saying | undefined)[], at: Millis = NOW): number => {
    const waiting = first.filter((saying) => saying !== undefined);
    let count = 0;
    for (let saying = waiting.shift(); saying !== undefined; saying = waiting.shift()) {
      count++;
      const [to, from] = saying.to === low.token ? [low, high] : [high, low];
      const heard = to.meetings.hear(saying.frame, from.token, at);
      if (!heard.ok) continue;
      if (heard.value.session !== undefined) to.sessions.push(heard.value.session);
      if (heard.value.say !== undefined) waiting.push(heard.value.say);
    }
    return count;
  };
  return { random, low, high, carry };
}

test('two nodes meet in three messages', () => {
  const { low, high, carry } = twoNodes('meet');
  expect(carry([low.meetings.want(high.node.did, NOW)])).toBe(3);
  expect([low.sessions.length, high.sessions.length]).toEqual([1, 1]);
  expect(equalBytes(low.sessions[0]?.id ?? new Uint8Array(), high.sessions[0]?.id ?? new Uint8Array(1))).toBe(true);
});

test('K1: one hello is under way, said again with pauses until its time is over', () => {
  const { low, high } = twoNodes('again');
  const first = low.meetings.want(high.node.did, NOW);
  expect(low.meetings.want(high.node.did, later(9_000))).toBeUndefined();
  const said: number[] = [];
  for (let ms = 0; ms <= 12_000; ms += 10) {
    for (const { frame } of low.meetings.due(later(ms))) {
      said.push(ms);
      expect(frame).toEqual(first?.frame);
    }
  }
  expect(said.length).toBeGreaterThanOrEqual(6);
  expect(said.length).toBeLessThanOrEqual(12);
  expect(low.meetings.want(high.node.did, later(12_000))?.frame).not.toEqual(first?.frame);
});

test('a hello that comes twice is answered alike, and costs one signature', () => {
  const { low, high } = twoNodes('twice');
  const hello = low.meetings.want(high.node.did, NOW)?.frame ?? new Uint8Array();
  const answers = [hello, hello].map((frame) => unwrap(high.meetings.hear(frame, low.token, NOW), 'a hello').say);
  expect(answers[1]).toEqual(answers[0]);
});

test('K2: of two hellos that cross one leads to a session, that of the lower DID, whoever is heard first', () => {
  for (const isLowFirst of [true, false]) {
    const { low, high, carry } = twoNodes('race');
    const hellos = [low.meetings.want(high.node.did, NOW), high.meetings.want(low.node.did, NOW)];
    carry(isLowFirst ? hellos : hellos.toReversed());
    expect([low.sessions.length, high.sessions.length]).toEqual([1, 1]);
  }
});

test('K2: a node whose own hello is lost answers the other after two seconds', () => {
  const { low, high, carry } = twoNodes('race lost');
  low.meetings.want(high.node.did, NOW);
  const other = high.meetings.want(low.node.did, NOW);
  carry([other]);
  expect(low.sessions).toHaveLength(0);
  carry([other], later(2_001));
  expect([low.sessions.length, high.sessions.length]).toEqual([1, 1]);
});

test('K2: hellos forged in the name of the lower DID keep the higher from nothing', () => {
  const { random, low, high, carry } = twoNodes('forged');
  const own = high.meetings.want(low.node.did, NOW);
  for (let n = 0; n < 20; n++) {
    const forged = sayHello(low.node, { to: high.node.did, terms: low.node.terms, at: NOW }, random);
    high.meetings.hear(forged.frame, low.token, NOW);
  }
  carry([own]);
  expect([low.sessions.length, high.sessions.length]).toEqual([1, 1]);
});

test('K3: under load a hello must bring a cookie, which a stranger cannot make and another cannot use', () => {
  const { random, low, high, carry } = twoNodes('load');
  for (let n = 0; n < HALF_OPEN_BUSY; n++) {
    const flooder = new TestNode(random);
    const { frame } = sayHello(flooder, { to: high.node.did, terms: flooder.terms, at: NOW }, random);
    expect(high.meetings.hear(frame, nodeToken(flooder.did), NOW)).toMatchObject({ ok: true });
  }
  const stranger = new TestNode(random);
  const { frame } = sayHello(stranger, { to: high.node.did, terms: stranger.terms, at: NOW }, random);
  const demand = unwrap(high.meetings.hear(frame, nodeToken(stranger.did), NOW), 'a hello').say?.frame;
  expect(stepOf(demand ?? new Uint8Array())).toBe(4);
  expect(demand?.length).toBeLessThan(frame.length);

  expect(carry([low.meetings.want(high.node.did, NOW)])).toBe(5);
  expect([low.sessions.length, high.sessions.length]).toEqual([1, 1]);
});

test('K3: a demand is believed once per hello, and from whom was greeted only', () => {
  const { random, low, high } = twoNodes('demand');
  for (let n = 0; n < HALF_OPEN_BUSY; n++) {
    const flooder = new TestNode(random);
    const flood = sayHello(flooder, { to: high.node.did, terms: flooder.terms, at: NOW }, random);
    high.meetings.hear(flood.frame, nodeToken(flooder.did), NOW);
  }
  const hello = low.meetings.want(high.node.did, NOW);
  const demand = unwrap(high.meetings.hear(hello?.frame ?? new Uint8Array(), low.token, NOW), 'a hello').say;
  const frame = demand?.frame ?? new Uint8Array();
  expect(codeOf(low.meetings.hear(frame, nodeToken(new TestNode(random).did), NOW))).toBe('handshake.unexpected');
  const again = unwrap(low.meetings.hear(frame, high.token, NOW), 'a demand').say;
  expect(claimsOfHello(again?.frame ?? new Uint8Array())?.cookie).toHaveLength(32);
  expect(codeOf(low.meetings.hear(frame, high.token, NOW))).toBe('handshake.wrong_peer');
});

test('K4: nothing but a whole handshake makes a session', () => {
  const { random, low, high } = twoNodes('whole');
  const hello = low.meetings.want(high.node.did, NOW)?.frame ?? new Uint8Array();
  const welcome = unwrap(high.meetings.hear(hello, low.token, NOW), 'a hello').say?.frame ?? new Uint8Array();
  const stranger = nodeToken(new TestNode(random).did);
  expect(codeOf(high.meetings.hear(hello, stranger, NOW))).toBe('handshake.wrong_carrier');
  expect(codeOf(low.meetings.hear(welcome, stranger, NOW))).toBe('handshake.unexpected');
  const damaged = Uint8Array.from(welcome);
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
  expect(codeOf(low.meetings.hear(damaged, high.token, NOW))).toBe('handshake.bad_signature');
  const heard = unwrap(low.meetings.hear(welcome, high.token, NOW), 'a welcome');
  expect(heard.session).toBeDefined();
  const confirm = heard.say?.frame ?? new Uint8Array();
  expect(codeOf(high.meetings.hear(confirm, stranger, NOW))).toBe('handshake.unexpected');
  expect(unwrap(high.meetings.hear(confirm, low.token, NOW), 'a confirm').session).toBeDefined();
  expect(codeOf(high.meetings.hear(confirm, low.token, NOW))).toBe('handshake.unexpected');
  expect(codeOf(high.meetings.hear(new Uint8Array(3), low.token, NOW))).toBe('handshake.malformed');
});

test('a node that is not to be met is neither greeted nor answered', () => {
  const random = seededRandom('closed');
  const [a, b] = [new TestNode(random), new TestNode(random)];
  const closed = new Meetings({ node: a, terms: () => a.terms, mayMeet: () => false, random });
  expect(closed.want(b.did, NOW)).toBeUndefined();
  const { frame } = sayHello(b, { to: a.did, terms: b.terms, at: NOW }, random);
  expect(codeOf(closed.hear(frame, nodeToken(b.did), NOW))).toBe('handshake.unknown_node');
});
