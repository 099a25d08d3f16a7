import { expect, test } from 'vitest';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { discoveryAnswer, type NodeCard } from './discovery.ts';
import { isOperatorInbox, nodeToken, parseLetterSubject, parseRealm, subject } from './subject.ts';
import { didOf, NOW } from './world.fixture.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const node = didOf(generateKeyPair(seededRandom('discovery')));
const self = nodeToken(node);
const card: NodeCard = { node, self, realm, version: '0.1.0', epoch: 'AAAAAAAAAAA', started: NOW };
const load = {
  agents: 2,
  names: ['ask', 'quote'],
  mailbox: 3,
  turn: 40,
  asks: 5,
  refused: 1,
  now: NOW,
  clocksApart: 0,
};

test('each answer says who, where, in which life and with how many agents', () => {
  const metadata = { agents: '2', epoch: card.epoch, node, protocol: 'iatp-mesh/1', realm };
  const service = { id: self, metadata, name: 'ringmesh', version: '0.1.0' };
  expect(discoveryAnswer('PING', card, load)).toEqual({ ...service, type: 'io.nats.micro.v1.ping_response' });
  expect(discoveryAnswer('INFO', card, load)).toEqual({
    ...service,
    description: 'a node of a Ringmesh realm',
    metadata: { ...metadata, names: 'ask quote' },
    endpoints: [{ metadata: {}, name: 'ask', queue_group: '', subject: subject.asked(realm, self) }],
    type: 'io.nats.micro.v1.info_response',
  });
  expect(discoveryAnswer('STATS', card, load)).toMatchObject({
    ...service,
    endpoints: [
      { data: { agents: 2, mailbox: 3, turn_ms: 40, now: NOW, clocks_apart: 0 }, num_requests: 5, num_errors: 1 },
    ],
    started: '2023-11-14T22:13:20.000Z',
    type: 'io.nats.micro.v1.stats_response',
  });
});

test.each([
  ['_INBOX.a', true],
  ['_INBOX.Xyz012.1', true],
  ['_INBOX', false],
  ['_INBOX.', false],
  ['_INBOX.>', false],
  ['_INBOX.*', false],
  ['_INBOX.a b', false],
  ['_INBOX.a\r\nPUB x 0', false],
  ['_INBOXX.a', false],
  ['x._INBOX.a', false],
  ['_INBOX.a.b.c.d.e', false],
  [`_I.${self}.a`, false],
])('%j is an operator’s inbox: %s', (text, expected) => {
  expect(isOperatorInbox(text)).toBe(expected);
});

test('who left a letter is read from its subject, and only from one that is built here', () => {
  expect(parseLetterSubject(subject.letter(realm, { to: self, from: self }))).toEqual({ to: self, from: self });
  for (const text of [
    '',
    `_M.acme.${self}`,
    `_M.acme.${self}.*`,
    `_M.Acme.${self}.${self}`,
    `_M.acme.${self}.${self}.x`,
  ]) {
    expect(parseLetterSubject(text)).toBeUndefined();
  }
});
