import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, desk, expectError } from '../command.fixture.ts';

const binaries = [
  'nats-server',
  ...(process.env['RINGMESH_NATS_SERVERS'] ?? '').split(':').filter((path) => path !== ''),
];

/** Two nodes; what others may know of them. */
function withNodes(at: Desk): readonly [string, string] {
  return ['a', 'b'].map((name) => {
    const { did, nkey } = JSON.parse(at.run(['keys', 'new', 'node', name, '--json']).stdout) as {
      readonly did: string;
      readonly nkey: string;
    };
    return `${did}=${nkey}`;
  }) as unknown as readonly [string, string];
}

test('nats config gives the same from folders as from public keys, on loopback', () => {
  using at = desk();
  const [a, b] = withNodes(at);
  const byFolder = at.run(['nats', 'config', '--realm', 'acme', '--node', 'a', '--controller', 'b']);
  const byKey = at.run(['nats', 'config', '--realm', 'acme', '--node', a, '--controller', b]);
  expect(byFolder).toMatchObject({ status: 0, stderr: '' });
  expect(byKey.stdout).toBe(byFolder.stdout);
  expect(byFolder.stdout).toContain('listen: "127.0.0.1:4222"');
  expect(byFolder.stdout.match(/\.control\./g)).toHaveLength(1);
  const json = at.run(['nats', 'config', '--realm', 'acme', '--node', 'a', '--controller', 'b', '--json']).stdout;
  expect(JSON.parse(json)).toMatchObject({
    schema: 'ringmesh.nats-config/1',
    users: [{ control: false }, { control: true }],
    config: byFolder.stdout,
  });
});

test('an operator may be named, by his key and the login of his tools', () => {
  using at = desk();
  const [a, b] = withNodes(at);
  const told = at.run(['nats', 'config', '--realm', 'acme', '--node', a, '--operator', b]);
  expect(told).toMatchObject({ status: 0, stderr: '' });
  expect(told.stdout).toContain(`# the operator ${b.split('=')[0]}`);
  expect(told.stdout.match(/\.control\./g)).toHaveLength(1);
  const same = at.run(['nats', 'config', '--realm', 'acme', '--node', a, '--operator', a]);
  expectError(same, 2, 'usage.invalid');
  expectError(at.run(['nats', 'config', '--realm', 'acme', '--node', a, '--operator', 'x']), 2, 'usage.invalid');
});

test.each(binaries)('%s takes what nats config writes, with JetStream too', (binary) => {
  using at = desk();
  withNodes(at);
  for (const extra of [[], ['--jetstream', join(at.path, 'streams')]]) {
    const { stdout } = at.run(['nats', 'config', '--realm', 'acme', '--node', 'a', 'b', ...extra]);
    writeFileSync(join(at.path, 'nats.conf'), stdout);
    const { status, stderr } = spawnSync(binary, ['-t', '-c', 'nats.conf'], { cwd: at.path, encoding: 'utf8' });
    expect({ status, stderr }).toMatchObject({ status: 0 });
  }
});

test('it listens elsewhere only when told to, and warns where others can read along', () => {
  using at = desk();
  withNodes(at);
  const config = ['nats', 'config', '--realm', 'acme', '--node', 'a'];
  const open = at.run([...config, '--listen', '0.0.0.0:4222']);
  expect(open).toMatchObject({ status: 0, stderr: expect.stringMatching(/^ringmesh: warning: without --tls-cert/) });
  const tls = ['--tls-cert', '/etc/c.pem', '--tls-key', '/etc/k.pem', '--tls-ca', '/etc/ca.pem'];
  const closed = at.run([...config, '--listen', '0.0.0.0:4222', ...tls]);
  expect(closed).toMatchObject({ status: 0, stderr: '' });
  expect(closed.stdout).toContain('verify: true');
});

test.each([
  ['an address without a host, which is every address', ['--listen', ':4222'], 'usage.invalid'],
  ['a port alone', ['--listen', '4222'], 'usage.invalid'],
  ['a port that is none', ['--listen', '127.0.0.1:99999'], 'usage.invalid'],
  ['an address with more in it', ['--listen', '127.0.0.1:1"\nno_auth_user: x'], 'usage.invalid'],
  ['half of TLS', ['--tls-cert', 'c.pem'], 'usage.invalid'],
  ['a path with a quote', ['--jetstream', 'a"b'], 'usage.invalid'],
  ['a node named twice', ['--controller', 'a'], 'usage.invalid'],
  [
    'an nkey that is none',
    ['--controller', 'did:key:z6MkvQ9fh87RiwBHmDMDdFgws7CSyQVo1WxeaCZs6nQf9fZo=UX'],
    'nkey.malformed',
  ],
  ['a DID that is none', ['--controller', 'did:key:z6Mk=UX'], 'did.unsupported'],
  ['the folder of an operator', ['--controller', 'op'], 'key.wrong_purpose'],
])('nats config refuses %s', (_what, args, code) => {
  using at = desk();
  withNodes(at);
  at.run(['keys', 'new', 'operator', 'op']);
  expectError(at.run(['nats', 'config', '--realm', 'acme', '--node', 'a', ...args]), 2, code);
});

test('nats config refuses a realm that is none, and nodes that share a login', () => {
  using at = desk();
  const [a, b] = withNodes(at);
  expectError(at.run(['nats', 'config', '--realm', 'A.>', '--node', 'a']), 2, 'realm.malformed');
  const shared = `${b.split('=')[0]}=${a.split('=')[1]}`;
  expectError(at.run(['nats', 'config', '--realm', 'acme', '--node', a, shared]), 2, 'usage.invalid');
});
