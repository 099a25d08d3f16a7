import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatDidKey } from '../../../runtime/codec/did-key.ts';
import { generateKeyPair } from '../../../runtime/codec/ed25519.ts';
import { systemRandom } from '../../../runtime/core/system.ts';
import { type Desk, desk, expectError } from '../command.fixture.ts';

/** An operator and two agents that it sponsors, and what it gave to one of them. Made once: each key is a process. */
let at: Desk;

beforeAll(() => {
  at = desk();
  for (const name of ['alice', 'mallory']) at.run(['keys', 'new', 'operator', name]);
  for (const name of ['clerk', 'aide']) {
    at.run(['keys', 'new', 'agent', name, '--name', name, '--sponsor', 'alice/sponsor.key']);
  }
  withClerk();
});

afterAll(() => at[Symbol.dispose]());

function put(name: string, text: string): void {
  writeFileSync(join(at.path, name), text);
}

/** alice → clerk, in `clerk.chain`. */
function withClerk(): void {
  const given = ['--command', '/tool/mail', '--where', 'to in ann, bob', '--depth', '1', '--calls', '10'];
  const { status, stdout, stderr } = at.run(['delegate', '--from', 'alice', '--to', 'clerk', ...given]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  put('clerk.chain', stdout);
}

const ON = ['delegate', '--from', 'clerk', '--to', 'aide', '--parent', 'clerk.chain'] as const;

function shown(file: string, ...more: readonly string[]): Record<string, unknown> {
  return JSON.parse(at.run(['delegation', 'show', file, '--json', ...more]).stdout) as Record<string, unknown>;
}

describe('delegate', () => {
  test('prints a chain that holds, and delegation show says who gave what to whom', () => {
    const { stdout } = at.run([
      ...ON,
      '--command',
      '/tool/mail/send',
      '--where',
      'to = ann',
      '--calls',
      '3',
      '--for',
      '10m',
    ]);
    put('aide.chain', stdout);

    const {
      status,
      stdout: words,
      stderr,
    } = at.run(['delegation', 'show', 'aide.chain', '--root', 'alice', '--known', 'clerk']);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(words).toMatch(
      /^1\. did:key:z6Mk\w+\n {3}gave did:mesh:clerk:\w+\n {3}the command \/tool\/mail, and those below it\n {3}where to is "ann" or "bob"\n/,
    );
    expect(words).toMatch(
      /\n2\. did:mesh:clerk:\w+\n {3}gave did:mesh:aide:\w+\n {3}the command \/tool\/mail\/send, .*\n {3}where to is "ann"\n/,
    );
    expect(words).toMatch(/\n {3}left: 3 of 3 calls \(no log was named\)\n/);
    expect(words).toMatch(/\nIt holds for (599|600|59\d) s more\.\n$/);
  });

  test('tells the same as JSON', () => {
    const args = ['delegate', '--from', 'alice', '--to', 'clerk', '--command', '/tool', '--json'];
    const told = JSON.parse(at.run(args).stdout) as { readonly tokens: readonly string[]; readonly delegation: string };
    put('one.chain', `${told.tokens.join('\n')}\n`);

    expect(told).toMatchObject({ schema: 'ringmesh.delegation/1', to: expect.stringMatching(/^did:mesh:clerk:/) });
    expect(shown('one.chain')).toMatchObject({
      holds: true,
      code: null,
      chain: [{ delegation: told.delegation, command: '/tool', depth: 0, ceiling: 1000 }],
    });
  });

  test.each([
    ['another command', ['--command', '/tool/pay']],
    ['everything', ['--command', '/']],
    ['longer', ['--command', '/tool/mail', '--for', '1h']],
    ['deeper', ['--command', '/tool/mail', '--depth', '1']],
    ['more calls', ['--command', '/tool/mail', '--calls', '11']],
    ['other arguments', ['--command', '/tool/mail', '--where', 'to = eve']],
  ])('refuses to give %s than was given', (_what, more) => {
    expectError(at.run([...ON, ...more]), 2, 'delegation.wider');
  });

  test.each([
    ['a predicate that is none', ['--command', '/tool', '--where', 'to matches .*'], 'input.malformed'],
    ['a maximum that is no number', ['--command', '/tool', '--where', 'cents <= many'], 'input.malformed'],
    ['a path that leads elsewhere', ['--command', '/tool', '--where', 'path under /data/..'], 'input.malformed'],
    ['a command that is none', ['--command', 'tool.mail'], 'input.malformed'],
    ['a span that is none', ['--command', '/tool', '--for', 'ever'], 'input.malformed'],
    ['a ceiling above all trust', ['--command', '/tool', '--ceiling', '1001'], 'input.malformed'],
    ['no time', ['--command', '/tool', '--for', '0s'], 'delegation.bad_terms'],
  ])('refuses %s', (_what, more, code) => {
    expectError(at.run(['delegate', '--from', 'alice', '--to', 'clerk', ...more]), 2, code);
  });

  test('needs the keys of who was given the parent, and not those of a node', () => {
    at.run(['keys', 'new', 'node', 'till']);
    const args = ['--to', 'clerk', '--command', '/tool/mail', '--parent', 'clerk.chain'];
    expectError(at.run(['delegate', '--from', 'aide', ...args, '--known', 'clerk']), 2, 'delegation.bad_terms');
    expectError(at.run(['delegate', '--from', 'till', '--to', 'clerk', '--command', '/tool']), 2, 'key.wrong_purpose');
    expectError(at.run(['delegate', '--from', 'none', '--to', 'clerk', '--command', '/tool']), 3, 'key.not_found');
  });
});

describe('delegation show', () => {
  test('ends with exit 5 where a token was changed, or cut from its chain', () => {
    const { stdout } = at.run([...ON, '--command', '/tool/mail']);
    const [first = '', second = ''] = stdout.split('\n');
    const [header, payload = '', signature] = second.split('.');
    const claims = Buffer.from(payload, 'base64url').toString().replace('"cmd":"/tool/mail"', '"cmd":"/tool"');
    put('changed.chain', `${first}\n${header}.${Buffer.from(claims).toString('base64url')}.${signature}\n`);
    put('cut.chain', `${second}\n`);
    put('empty.chain', '\n');

    expectError(at.run(['delegation', 'show', 'changed.chain', '--known', 'clerk']), 5, 'jwt.bad_signature');
    expect(at.run(['delegation', 'show', 'cut.chain', '--known', 'clerk'])).toMatchObject({
      status: 5,
      stdout: expect.stringMatching(/\nIt does not hold: .* \(delegation\.no_root\)\.\n$/),
      stderr: expect.stringMatching(/^ringmesh: delegation\.no_root: /),
    });
    expectError(at.run(['delegation', 'show', 'empty.chain']), 2, 'input.malformed');
    expectError(at.run(['delegation', 'show', 'none.chain']), 3, 'file.not_found');
  });

  test('counts what is left from a node’s log', () => {
    const { chain } = shown('clerk.chain') as { chain: readonly { readonly delegation: string }[] };
    const data = { amount: { calls: 3 }, delegations: [chain[0]?.delegation], key: 'one' };
    expect(at.run(['log', 'init', 'log']).status).toBe(0);
    const input = `${JSON.stringify({ stream: 'authority', type: 'budget.debited', data })}\n`;
    expect(at.run(['log', 'append', 'log', '--reserve', '0'], { input }).status).toBe(0);

    expect(at.run(['delegation', 'show', 'clerk.chain', '--log', 'log']).stdout).toContain(
      '\n   left: 7 of 10 calls\n',
    );
    expect(shown('clerk.chain', '--log', 'log')).toMatchObject({
      chain: [{ budget: { calls: 10 }, spent: { calls: 3 } }],
    });
  });

  test('says when the root is another than was named, and when it is over', () => {
    const other = formatDidKey(generateKeyPair(systemRandom).publicKey);
    expect(at.run(['delegation', 'show', 'clerk.chain', '--root', other]).status).toBe(5);
    expect(shown('clerk.chain', '--root', other)).toMatchObject({ holds: false, code: 'delegation.no_root' });
  });
});

describe('revoke', () => {
  test('ends a delegation, for whoever hears of it', () => {
    const { chain } = shown('clerk.chain') as { chain: readonly { readonly delegation: string }[] };
    const target = chain[0]?.delegation ?? '';

    const { status, stdout, stderr } = at.run(['revoke', target, '--by', 'alice', '--reason', 'the till was sold']);
    put('revoked', stdout);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ type: 'iatp-mesh/1/revocation' });
    expect(shown('clerk.chain', '--revocations', 'revoked')).toMatchObject({
      holds: false,
      code: 'delegation.revoked',
    });
  });

  test('by somebody without a part in it changes nothing', () => {
    const { chain } = shown('clerk.chain') as { chain: readonly { readonly delegation: string }[] };
    const { stdout } = at.run(['revoke', chain[0]?.delegation ?? '', '--by', 'mallory', '--reason', 'spite']);
    put('revoked', stdout);
    expect(shown('clerk.chain', '--revocations', 'revoked', '--known', 'clerk')).toMatchObject({ holds: true });
  });

  test('of an agent by its sponsor’s key ends what was given to it', () => {
    const { did } = JSON.parse(at.run(['keys', 'show', 'clerk', '--json']).stdout) as { readonly did: string };
    const { stdout } = at.run(['revoke', did, '--by', 'alice', '--as', 'sponsor', '--reason', 'lost', '--json']);
    put('revoked', `${(JSON.parse(stdout) as { readonly statement: string }).statement}\n`);
    expect(shown('clerk.chain', '--revocations', 'revoked', '--known', 'clerk')).toMatchObject({
      code: 'delegation.revoked',
    });
  });

  test.each([
    ['what is neither content id nor DID', ['clerk', '--reason', 'x'], 'input.malformed'],
    ['a reason that would forge a line', ['did:key:z6Mk', '--reason', 'a\nb'], 'input.malformed'],
  ])('refuses %s', (_what, [target = '', ...more], code) => {
    expectError(at.run(['revoke', target, '--by', 'alice', ...more]), 2, code);
  });
});

test('the block of docs/cli.md about delegation runs as it stands', () => {
  using empty = desk();
  const document = readFileSync(resolve(import.meta.dirname, '../../../docs/cli.md'), 'utf8');
  const section = document.split(/^## /m).find((one) => one.startsWith('`delegate`'));
  const [, script = ''] = /^```sh\n(.*?)^```/ms.exec(section ?? '') ?? [];
  expect(script).toContain('ringmesh revoke');
  mkdirSync(join(empty.path, 'bin'));
  const launcher = `#!/bin/sh\nexec '${process.execPath}' '${resolve(import.meta.dirname, '../main.ts')}' "$@"\n`;
  writeFileSync(join(empty.path, 'bin/ringmesh'), launcher, { mode: 0o755 });

  const ran = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: empty.path,
    env: { ...process.env, PATH: `${join(empty.path, 'bin')}:${process.env['PATH'] ?? ''}` },
    encoding: 'utf8',
  });

  expect(ran.status).toBe(0);
  expect(ran.stdout).toMatch(/\nIt holds for \d+ s more\.\n(?:.*\n)*It does not hold: .* \(delegation\.revoked\)\.\n$/);
});
