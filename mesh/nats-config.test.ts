import { expect, test } from 'vitest';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { natsConfig, natsPermissions } from './nats-config.ts';
import { formatUserNkey } from './nkey.ts';
import { nodeToken, parseRealm } from './subject.ts';
import { didOf } from './world.fixture.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const random = seededRandom('config');
const [node, login] = [generateKeyPair(random), generateKeyPair(random)];
const self = nodeToken(didOf(node));

test('P1 to P6: what a node may do, word for word', () => {
  expect(natsPermissions(realm, self, { mayControl: false })).toEqual({
    publish: ['hand', 'ask', 'tell', 'answer', 'body']
      .map((lane) => ['m1', 'acme', lane, '*', self].join('.'))
      .concat(['beat', 'revoke'].map((lane) => ['m1', 'acme', lane, 'all', self].join('.')))
      .concat('_INBOX.>'),
    subscribe: [
      ['m1', 'acme', '*', self, '*'].join('.'),
      ['m1', 'acme', '*', 'all', '*'].join('.'),
      `_I.${self}.>`,
      ...['PING', 'INFO', 'STATS'].flatMap((verb) => [
        `$SRV.${verb}`,
        `$SRV.${verb}.ringmesh`,
        `$SRV.${verb}.ringmesh.${self}`,
      ]),
    ],
  });
  const { publish } = natsPermissions(realm, self, { mayControl: true, hasMailbox: true });
  expect(publish).toContain(['m1', 'acme', 'control', '*', self].join('.'));
  expect(publish.slice(-3)).toEqual([
    `_M.acme.*.${self}`,
    `$JS.API.CONSUMER.MSG.NEXT.mailbox-${self}.node`,
    `$JS.ACK.mailbox-${self}.node.>`,
  ]);
});

test('a configuration has one user per node, by nkey, and no secret', () => {
  const users = [{ node: node.publicKey, login: login.publicKey, mayControl: false }];
  const config = natsConfig({ listen: '127.0.0.1:4222', realm, users });
  expect(config).toContain(`nkey: ${formatUserNkey(login.publicKey)}`);
  expect(config).not.toMatch(/\bS[A-Z2-7]{57}\b/);
  expect(config).toContain(`# ${didOf(node)}`);
});

test('an address with anything else in it is a bug', () => {
  expect(() => natsConfig({ listen: '127.0.0.1:4222"\nno_auth_user: x', realm, users: [] })).toThrow(/host:port/);
});

test('TLS and JetStream are in it when asked for; without TLS there is a place for it', () => {
  const plain = natsConfig({ listen: '127.0.0.1:4222', realm, users: [] });
  expect(plain).toMatch(/^# tls: /m);
  expect(plain).not.toContain('jetstream');
  const tls = { cert: '/etc/ringmesh/server.pem', key: '/etc/ringmesh/server.key', ca: '/etc/ringmesh/ca.pem' };
  const full = natsConfig({ listen: '0.0.0.0:4222', realm, users: [], tls, jetStreamDirectory: '/var/lib/nats' });
  expect(full).toMatch(/^tls: \{\n {2}cert_file: "\/etc\/ringmesh\/server.pem"/m);
  expect(full).toMatch(/^ {2}verify: true$/m);
  expect(full).toMatch(/^jetstream: \{ store_dir: "\/var\/lib\/nats" \}$/m);
  expect(full).toMatch(/^ {4}jetstream: enabled$/m);
});

test('operators’ tools find nodes, make mailboxes, give orders and hear reports, and say nothing else (P5 to P7)', () => {
  const operators = [{ operator: node.publicKey, login: login.publicKey }];
  const config = natsConfig({ listen: '127.0.0.1:4222', realm, users: [], operators });
  const order = ['m1', 'acme', 'control', '*', self].join('.');
  expect(config).toContain(`publish: { allow: ["$SRV.>","$JS.API.>","${order}"] }`);
  const heard = [
    '_INBOX.>',
    ['m1', 'acme', '*', self, '*'].join('.'),
    ['m1', 'acme', '*', 'all', '*'].join('.'),
    `_I.${self}.>`,
  ];
  expect(config).toContain(`subscribe: { allow: ${JSON.stringify(heard)} }`);
});

test('a path that could say something else to the server is a bug', () => {
  for (const cert of ['a"\nno_auth_user: x', 'a\\', '', 'a\nb']) {
    const tls = { cert, key: 'k' };
    expect(() => natsConfig({ listen: '127.0.0.1:4222', realm, users: [], tls })).toThrow(/a path/);
  }
});
