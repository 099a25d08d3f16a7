import { expect, test } from 'vitest';
import { unwrap } from '../../runtime/core/result.ts';
import { configure, type Flags } from './configuration.ts';
import { parseSwarm } from './swarm-file.ts';

const HEAD = `apiVersion: ringmesh.swarm/v1
realm: acme
policies: [./p.yaml]
agents:
  - { name: desk, module: ./desk.ts, export: desk, contract: { module: ./contract.ts, export: Desk } }
settings: { db: { path: ./a.db }, days: 30, dry: true, who: ann, token: { secret: ./token } }
roles: { front: { agents: [desk] } }
`;

function configured(
  more: string,
  flags: Flags = {},
  env: Readonly<Record<string, string>> = {},
): ReturnType<typeof configure> {
  const swarm = unwrap(parseSwarm(HEAD + more, { file: 'swarm/s.yaml', cwd: '/work' }), 'a good file');
  return configure(swarm, flags, { env, cwd: '/here', home: '/home/ann' });
}

test('a flag is stronger than the environment, that than the file, that than the default; each says where it is from', () => {
  const file = 'log: ./l\nbroker: spawn\n';
  const env = { RINGMESH_LOG: 'e' };
  expect(configured('').log).toEqual({ value: '/work/swarm/.ringmesh/acme', origin: 'default' });
  expect(configured(file).log).toEqual({ value: '/work/swarm/l', origin: 'file', from: 'swarm/s.yaml:8' });
  expect(configured(file, {}, env).log).toEqual({ value: '/here/e', origin: 'environment', from: 'RINGMESH_LOG' });
  expect(configured(file, { log: 'f' }, env).log).toEqual({ value: '/here/f', origin: 'flag', from: '--log' });
  expect(configured(file, {}, { RINGMESH_LOG: '' }).log).toMatchObject({ origin: 'file' });
});

test('a role has a log of its own', () => {
  expect(configured('log: ./l\n', { only: 'front' }).log.value).toBe('/work/swarm/l-front');
  expect(configured('', {}, { RINGMESH_ONLY: 'front' }).log.value).toBe('/work/swarm/.ringmesh/acme-front');
});

test('settings are overridden as the kind that they are', () => {
  const { settings } = configured(
    '',
    { set: ['db=x.db', 'days=7'] },
    { RINGMESH_SET_DRY: 'false', RINGMESH_SET_DAYS: '9' },
  );
  expect(settings).toMatchObject({
    db: { value: '/here/x.db', origin: 'flag' },
    days: { value: 7, origin: 'flag', from: '--set days' },
    dry: { value: false, origin: 'environment', from: 'RINGMESH_SET_DRY' },
    who: { value: 'ann', origin: 'file', from: 'swarm/s.yaml:6' },
    token: { value: { secret: '/work/swarm/token' }, origin: 'file' },
  });
});

test('health is a port of loopback, or an address that is told', () => {
  expect(configured('', {}, {}).health.value).toBe(null);
  expect(configured('', { health: '0' }).health.value).toBe(0);
  expect(configured('', {}, { RINGMESH_HEALTH: '0.0.0.0:9464' }).health.value).toBe('0.0.0.0:9464');
});

const REFUSED: readonly [string, { flags?: Flags; env?: Readonly<Record<string, string>> }, string, RegExp][] = [
  ['a secret in a flag', { flags: { set: ['token=hunter2'] } }, 'config.secret_inline', /--set token/],
  [
    'a secret in the environment',
    { env: { RINGMESH_SET_TOKEN: 'hunter2' } },
    'config.secret_inline',
    /RINGMESH_SET_TOKEN/,
  ],
  [
    'a passphrase in the environment',
    { env: { RINGMESH_PASSPHRASE: 'x' } },
    'config.secret_inline',
    /RINGMESH_PASSPHRASE/,
  ],
  ['a password in a broker’s address', { flags: { broker: 'ann:pw@h:1' } }, 'config.malformed', /--broker/],
  ['a setting that is none', { flags: { set: ['bd=x'] } }, 'config.malformed', /did you mean db\?/],
  ['a setting without a value', { flags: { set: ['db'] } }, 'config.malformed', /NAME=VALUE/],
  ['a name that every object has', { flags: { set: ['constructor=x'] } }, 'config.malformed', /NAME=VALUE/],
  ['a number that is none', { flags: { set: ['days=many'] } }, 'config.malformed', /whole number/],
  ['a maybe', { env: { RINGMESH_SET_DRY: 'maybe' } }, 'config.malformed', /true or false/],
  ['a role that is none', { flags: { only: 'frnt' } }, 'swarm.no_such_role', /did you mean front\?/],
  ['one operator beyond this machine', { flags: { broker: '10.0.0.1:4222' } }, 'swarm.quorum_too_small', /10\.0\.0\.1/],
  ['a port that is none', { flags: { health: '99999' } }, 'config.malformed', /--health/],
  ['a host by its name to listen on', { flags: { health: 'web:9464' } }, 'config.malformed', /--health/],
  ['a drain without a unit', { flags: { drain: '10' } }, 'config.malformed', /--drain/],
];

test.each(REFUSED)('%s is refused', (_what, { flags, env }, code, message) => {
  expect(() => configured('', flags, env)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
});

test('what is refused never shows a secret', () => {
  expect(() => configured('', { broker: 'ann:hunter2@h:1' })).not.toThrow(/hunter2/);
  expect(() => configured('', { set: ['token=hunter2'] })).not.toThrow(/hunter2/);
});
