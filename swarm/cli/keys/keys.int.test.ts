import { chmodSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, desk, expectError } from '../command.fixture.ts';

function written(at: Desk, name: string, text: string, mode = 0o600): string {
  writeFileSync(join(at.path, name), text, { mode });
  return name;
}

/** An operator and an agent that it sponsors. */
function withAgent(at: Desk, ...options: readonly string[]): void {
  at.run(['keys', 'new', 'operator', 'op']);
  const args = ['keys', 'new', 'agent', 'agent', '--name', 'researcher', '--sponsor', 'op/sponsor.key', ...options];
  expect(at.run(args)).toMatchObject({ status: 0, stderr: '' });
}

function shown(at: Desk, directory: string): Record<string, unknown> {
  return JSON.parse(at.run(['keys', 'show', directory, '--json']).stdout) as Record<string, unknown>;
}

test('keys new makes an operator, a node and a sponsored agent, and says who they are', () => {
  using at = desk();
  withAgent(at);
  const made = JSON.parse(at.run(['keys', 'new', 'node', 'node', '--json']).stdout) as Record<string, unknown>;
  expect(made).toEqual({
    schema: 'ringmesh.keys/1',
    kind: 'node',
    did: expect.stringMatching(/^did:key:z6Mk/),
    fingerprint: expect.stringMatching(/^[0-9a-f]{32}$/),
    token: expect.stringMatching(/^[a-z2-7]{32}$/),
    nkey: expect.stringMatching(/^U[A-Z2-7]{55}$/),
    keys: Object.fromEntries(
      ['login', 'node', 'witness'].map((purpose) => [
        `${purpose}.key`,
        { purpose, key: expect.any(String), fingerprint: expect.any(String), encrypted: false, mode: '600' },
      ]),
    ),
    warnings: [],
  });
  const operator = shown(at, 'op')['keys'] as Record<string, { readonly key: string }>;
  expect(shown(at, 'agent')).toMatchObject({
    kind: 'agent',
    did: expect.stringMatching(/^did:mesh:researcher:/),
    name: 'researcher',
    sponsor: operator['sponsor.key']?.key,
    rotations: 0,
    revoked: null,
  });
});

test('keys show tells people the same in lines, and shows no secret and not the next key', () => {
  using at = desk();
  withAgent(at);
  const { stdout } = at.run(['keys', 'show', 'agent']);
  expect(stdout).toMatch(/^did +did:mesh:researcher:/m);
  expect(stdout).toMatch(/^keys\.next-1\.key\.mode +600$/m);
  for (const name of ['agent-0.key', 'next-1.key']) {
    const { seed } = JSON.parse(readFileSync(join(at.path, 'agent', name), 'utf8')) as { readonly seed: string };
    expect(stdout).not.toContain(seed);
  }
  const { key } = JSON.parse(readFileSync(join(at.path, 'agent/next-1.key'), 'utf8')) as { readonly key: string };
  expect(stdout).not.toContain(key);
});

test('keys rotate keeps the DID; keys revoke ends it for good, by the sponsor too', () => {
  using at = desk();
  withAgent(at);
  const { did } = shown(at, 'agent');
  expect(at.run(['keys', 'rotate', 'agent']).status).toBe(0);
  expect(shown(at, 'agent')).toMatchObject({ did, rotations: 1 });
  const revoke = ['keys', 'revoke', 'agent', '--reason', 'its laptop was stolen'];
  expect(at.run([...revoke, '--sponsor', 'op/sponsor.key']).status).toBe(0);
  expect(shown(at, 'agent')).toMatchObject({ did, rotations: 1, revoked: 'its laptop was stolen' });
  expectError(at.run(revoke), 2, 'key.no_revocation');
  expectError(at.run(['keys', 'rotate', 'agent']), 2, 'key.no_rotation');
});

test('a passphrase comes from a file or from stdin, and is needed from then on', () => {
  using at = desk();
  withAgent(at, '--passphrase-file', written(at, 'pass', 'correct horse\n'));
  const rotate = ['keys', 'rotate', 'agent'];
  expectError(at.run(rotate), 2, 'key.locked');
  expectError(at.run([...rotate, '--passphrase-file', '-'], { input: 'battery staple\n' }), 2, 'key.wrong_passphrase');
  expect(at.run([...rotate, '--passphrase-file', '-'], { input: 'correct horse\n' }).status).toBe(0);
  expect(shown(at, 'agent')).toMatchObject({ rotations: 1, keys: { 'agent-1.key': { encrypted: true } } });
});

test.each([
  ['that others can read', (at: Desk) => written(at, 'pass', 'x\n', 0o644), 2, 'key.exposed'],
  ['with nothing in it', (at: Desk) => written(at, 'pass', '\n'), 2, 'key.bad_passphrase'],
  ['with a book in it', (at: Desk) => written(at, 'pass', 'x'.repeat(1_025)), 2, 'key.bad_passphrase'],
  ['that is not there', () => 'pass', 3, 'file.not_found'],
])('a passphrase file %s is refused, and no keys are made', (_what, prepare, exit, code) => {
  using at = desk();
  const file = prepare(at);
  expectError(at.run(['keys', 'new', 'node', 'node', '--passphrase-file', file]), exit, code);
  expect(existsSync(join(at.path, 'node'))).toBe(false);
});

test('there is no way to give a passphrase on the command line', () => {
  using at = desk();
  expectError(at.run(['keys', 'new', 'node', 'node', '--passphrase', 'secret']), 2, 'usage.invalid');
});

test('nothing is overwritten', () => {
  using at = desk();
  withAgent(at);
  const before = readdirSync(join(at.path, 'agent')).map((name) => readFileSync(join(at.path, 'agent', name), 'utf8'));
  expectError(at.run(['keys', 'new', 'node', 'agent']), 2, 'key.exists');
  const after = readdirSync(join(at.path, 'agent')).map((name) => readFileSync(join(at.path, 'agent', name), 'utf8'));
  expect(after).toEqual(before);
});

test.each([
  ['readable by a group', 'key.exposed', (path: string) => chmodSync(path, 0o640)],
  ['somebody’s text', 'key.malformed', (path: string) => writeFileSync(path, 'dear diary', { mode: 0o600 })],
])('a sponsor’s key that is %s is not used', (_what, code, spoil) => {
  using at = desk();
  at.run(['keys', 'new', 'operator', 'op']);
  spoil(join(at.path, 'op/sponsor.key'));
  const ran = at.run(['keys', 'new', 'agent', 'agent', '--name', 'a', '--sponsor', 'op/sponsor.key']);
  expectError(ran, 2, code);
});

test('a key of another purpose, a link and a missing file are no sponsor’s keys', () => {
  using at = desk();
  at.run(['keys', 'new', 'operator', 'op']);
  symlinkSync('op/sponsor.key', join(at.path, 'link'));
  const make = (file: string) => at.run(['keys', 'new', 'agent', 'agent', '--name', 'a', '--sponsor', file]);
  expectError(make('op/operator.key'), 2, 'key.wrong_purpose');
  expectError(make('link'), 2, 'key.not_plain');
  expectError(make('nowhere'), 3, 'key.not_found');
  expectError(at.run(['keys', 'new', 'agent', 'agent', '--name', 'a']), 2, 'usage.invalid');
});

test('keys show warns of a file that others can read', () => {
  using at = desk();
  at.run(['keys', 'new', 'node', 'node']);
  chmodSync(join(at.path, 'node/login.key'), 0o644);
  const { status, stdout, stderr } = at.run(['keys', 'show', 'node', '--json']);
  expect(status).toBe(0);
  expect(stderr).toMatch(/^ringmesh: warning: .*login\.key.*644\n$/);
  expect(JSON.parse(stdout)).toMatchObject({
    keys: { 'login.key': { mode: '644' } },
    warnings: [expect.stringContaining('login.key')],
  });
});
