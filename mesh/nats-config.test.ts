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

test('P1, P2, P3: what a node may do, word for word', () => {
  expect(natsPermissions(realm, self, false)).toEqual({
    publish: ['hand', 'ask', 'tell', 'answer']
      .map((lane) => ['m1', 'acme', lane, '*', self].join('.'))
      .concat(['beat', 'revoke'].map((lane) => ['m1', 'acme', lane, 'all', self].join('.'))),
    subscribe: [['m1', 'acme', '*', self, '*'].join('.'), ['m1', 'acme', '*', 'all', '*'].join('.'), `_I.${self}.>`],
  });
  expect(natsPermissions(realm, self, true).publish).toContain(['m1', 'acme', 'control', '*', self].join('.'));
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
