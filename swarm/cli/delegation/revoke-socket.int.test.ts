/** The operator of a machine takes back what an agent was given, without a broker: the real command, through the real socket. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { type Desk, ended, expectError, objects } from '../command.fixture.ts';
import { AS_SOURCE, lineOf, project } from '../up/project.fixture.ts';

const GIVEN = `delegations:
  - { to: desk, command: /tool/notes }
  - { to: clerk/*, command: /desk/open, for: 7d }
`;
const LOG = '.ringmesh/office';
const KEYS = '.ringmesh/office-keys';
const UNKNOWN = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e';

const office = (given = GIVEN): Desk =>
  project((file) => `${file.replace('until: answered', 'until: stopped')}${given}`);

function revoke(at: Desk, target: string, ...more: readonly string[]) {
  const by = ['--by', `${KEYS}/operator`, '--reason', 'enough'];
  return at.run(['revoke', target, ...(more.includes('--by') ? ['--reason', 'enough'] : by), ...more], AS_SOURCE);
}

function dataOf(at: Desk, type: string): readonly Record<string, string>[] {
  const { stdout } = at.run(['log', 'show', LOG, '--type', type, '--json']);
  return objects(stdout).map(({ data }) => data as Record<string, string>);
}

/** The root that lets the clerk open the desk. */
function rootOf(at: Desk): string {
  const found = dataOf(at, 'delegation.granted').find(({ token = '' }) =>
    Buffer.from(token.split('.')[1] ?? '', 'base64url')
      .toString()
      .includes('/desk/open'),
  );
  return found?.['delegation'] ?? '';
}

test('what is taken back through the socket is on record, and no start and no keys realm gives it again', async () => {
  using at = office();
  const first = at.start(['up', 'swarm.yaml'], AS_SOURCE);
  expect(await lineOf(first, 'answer   clerk/1.visit')).toContain('"type":"ok"');
  const root = rootOf(at);

  const told = revoke(at, root, '--of', 'swarm.yaml');

  expect(told).toMatchObject({ status: 0, stderr: '' });
  expect(told.stdout).toMatch(new RegExp(`office: revoked: ${root}, on record and in force, epoch 1\n$`));
  expect(revoke(at, root, '--of', LOG, '--json').stdout).toContain('revoked before');
  expect(dataOf(at, 'authority.revoked')).toMatchObject([{ target: root, reason: 'enough' }]);
  first.kill('SIGTERM');
  await ended(first);

  expect(JSON.parse(at.run(['keys', 'realm', 'swarm.yaml', '--json'], AS_SOURCE).stdout)).toMatchObject({ signed: 0 });
  const second = at.start(['up', 'swarm.yaml'], AS_SOURCE);
  expect(await lineOf(second, 'started  fold')).toContain('1 delegated, 1 ended');
  expect(await lineOf(second, 'answer   clerk/1.visit')).toContain('"type":"denied"');
  second.kill('SIGTERM');
  await ended(second);
  expect(readdirSync(join(at.path, KEYS, 'revoked'))).toHaveLength(1);
  expect(dataOf(at, 'authority.revoked')).toHaveLength(1);
}, 60_000);

test('what was handed over while nobody ran is known at the next start', async () => {
  using at = office();
  const first = at.start(['up', 'swarm.yaml'], AS_SOURCE);
  expect(await lineOf(first, 'answer   clerk/1.visit')).toContain('"type":"ok"');
  const root = rootOf(at);
  first.kill('SIGTERM');
  await ended(first);
  expectError(revoke(at, root, '--of', 'swarm.yaml'), 8, 'control.not_running');
  const second = at.start(['up', 'swarm.yaml'], AS_SOURCE);
  expect(await lineOf(second, 'answer   clerk/1.visit')).toContain('"type":"denied"');
  second.kill('SIGTERM');
  await ended(second);
  expect(dataOf(at, 'authority.revoked')).toMatchObject([{ target: root }]);
}, 60_000);

test('attack: what nobody signed who may is refused, on record, and ends nothing', async () => {
  using at = office();
  const node = at.start(['up', 'swarm.yaml'], AS_SOURCE);
  expect(await lineOf(node, 'answer   clerk/1.visit')).toContain('"type":"ok"');
  const root = rootOf(at);
  at.run(['keys', 'new', 'operator', 'mallory'], AS_SOURCE);
  expectError(revoke(at, root, '--of', LOG, '--by', 'mallory'), 4, 'revocation.not_entitled');
  expectError(revoke(at, UNKNOWN, '--of', LOG, '--by', 'mallory'), 4, 'revocation.unknown_signer');
  const signed = revoke(at, root, '--by', 'mallory').stdout.trimEnd();
  const { operator } = JSON.parse(readFileSync(join(at.path, KEYS, 'realm.json'), 'utf8')) as { operator: string };
  for (const body of ['{}', signed.replace(/did:key:\w+/, operator), 'x'.repeat(100_000)]) {
    const sent = request({
      socketPath: join(at.path, LOG, 'control/socket'),
      method: 'POST',
      path: '/revoke',
      agent: false,
    });
    sent.end(body);
    const [response] = await once(sent, 'response');
    expect(JSON.parse(await text(response))).toMatchObject({
      refused: { code: expect.stringMatching(/^statement\./) },
    });
  }
  node.kill('SIGTERM');
  await ended(node);
  expect(dataOf(at, 'authority.revoked')).toEqual([]);
  expect(dataOf(at, 'authority.revocation_refused').map(({ code }) => code)).toEqual([
    'revocation.not_entitled',
    'revocation.unknown_signer',
    'statement.malformed',
    'statement.bad_signature',
    'statement.too_large',
  ]);
}, 60_000);

test('where nobody asks for delegations nothing is to be revoked', async () => {
  using at = office('');
  at.run(['keys', 'new', 'operator', 'alice'], AS_SOURCE);
  const node = at.start(['up', 'swarm.yaml'], AS_SOURCE);
  await lineOf(node, 'answer   clerk/1.visit');
  expectError(revoke(at, UNKNOWN, '--of', LOG, '--by', 'alice'), 1, 'revocation.no_authority');
  node.kill('SIGTERM');
  await ended(node);
}, 60_000);
