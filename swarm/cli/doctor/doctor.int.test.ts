import { chmodSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseRealm } from '../../../mesh/subject.ts';
import type { Origin } from '../../../runtime/codec/checkpoint.ts';
import type { Millis } from '../../../runtime/core/brand.ts';
import { unwrap } from '../../../runtime/core/result.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { editTables } from '../../../runtime/log/directory.fixture.ts';
import { formatValue } from '../../../runtime/log/layout.ts';
import { findBroker } from '../../broker/find-broker.ts';
import { spawnBroker } from '../../broker/spawn-broker.ts';
import { provisionRealm } from '../../realm/realm-folder.ts';
import { mintRoots } from '../../realm/roots.ts';
import { type Desk, desk, ended, expectError, lines, type Ran, withLog } from '../command.fixture.ts';
import { lookForBroker } from './broker-state.ts';
import { lookAtRoots } from './root-state.ts';

type Checked = { readonly name: string; readonly status: string; readonly found: string; readonly remedy?: string };

function checksOf({ stdout }: Ran): ReadonlyMap<string, Checked> {
  const { schema, checks } = JSON.parse(stdout) as { readonly schema: string; readonly checks: readonly Checked[] };
  expect(schema).toBe('ringmesh.doctor/1');
  return new Map(checks.map((check) => [check.name, check]));
}

describe('doctor', () => {
  test('says of this machine, line by line, how it is, and leaves nothing behind', () => {
    using at = desk();

    const { status, stdout, stderr } = at.run(['doctor'], { env: { TMPDIR: at.path } });

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const name of ['node', 'lmdb', 'disk space', 'disk flush', 'clock', 'broker', 'container engine'])
      expect(stdout).toMatch(new RegExp(`^(ok  |warn)  ${name} `, 'm'));
    expect(stdout).toMatch(/^(ok {4}|warn {2})isolation of ring 3 .*128 MiB/m);
    expect(stdout).not.toContain('\u001b');
    expect(readdirSync(at.path)).toEqual([]);
  });

  test('finds a sound log and keys of their owner alone', async () => {
    using at = desk();
    await withLog(at, 3);
    at.run(['keys', 'new', 'operator', 'alice']);

    const ran = at.run(['doctor', '--log', 'log', '--keys', 'alice', '--json']);

    expect(ran.status).toBe(0);
    const checks = checksOf(ran);
    expect(checks.get('log tail')).toMatchObject({ status: 'ok', found: expect.stringContaining('3 events') });
    expect(checks.get('log anchor')).toMatchObject({ status: 'ok' });
    expect(checks.get('keys')).toMatchObject({ status: 'ok', found: expect.stringContaining('did:key:') });
  });

  test('warns of a log of an earlier version, which readers refuse and the next start brings up to date', async () => {
    using at = desk();
    await withLog(at, 3);
    const { origin } = JSON.parse(at.run(['log', 'stats', 'log', '--json']).stdout) as { readonly origin: Origin };
    await editTables(join(at.path, 'log/epoch-0'), ({ meta }) => {
      meta.putSync(Buffer.from('format'), formatValue(origin, 1));
    });

    const ran = at.run(['doctor', '--log', 'log', '--json']);
    expect(checksOf(ran).get('log tail')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('log.old_format'),
    });
    expect(ran.status).toBe(0);
    expectError(at.run(['log', 'show', 'log']), 2, 'log.old_format');

    expect(at.run(['log', 'append', 'log', '--reserve', '0'], { input: lines(1) }).status).toBe(0);
    expect(checksOf(at.run(['doctor', '--log', 'log', '--json'])).get('log tail')).toMatchObject({ status: 'ok' });
  });

  test.each<[string, string, string, (at: Desk) => void]>([
    ['whose anchor is gone', 'log anchor', 'missing', ({ path }) => rmSync(join(path, 'state'), { recursive: true })],
    [
      'whose anchor is no checkpoint',
      'log anchor',
      'anchor.damaged',
      ({ path }) => {
        const anchors = join(path, 'state/ringmesh/anchors');
        for (const name of readdirSync(anchors)) writeFileSync(join(anchors, name), 'not a note\n');
      },
    ],
    [
      'that is an older copy of itself',
      'log anchor',
      'log.rolled_back',
      (at) => {
        cpSync(join(at.path, 'log'), join(at.path, 'copy'), { recursive: true });
        at.run(['log', 'append', 'log', '--reserve', '0'], { input: lines(2) });
        rmSync(join(at.path, 'log'), { recursive: true });
        renameSync(join(at.path, 'copy'), join(at.path, 'log'));
      },
    ],
    ['without its key', 'log tail', 'log.key_unusable', ({ path }) => rmSync(join(path, 'log/log.vkey'))],
  ])('a log %s fails', async (_, name, word, spoil) => {
    using at = desk();
    await withLog(at, 3);
    spoil(at);

    const ran = at.run(['doctor', '--log', 'log', '--json']);

    expect(ran.status).toBe(1);
    expect(checksOf(ran).get(name)).toMatchObject({ status: 'fail', found: expect.stringContaining(word) });
    expect(JSON.parse(ran.stderr)).toMatchObject({ error: { code: 'doctor.failed', exit: 1 } });
  });

  test('every folder of a realm is looked at, the one that others can read among them', () => {
    using at = desk();
    const plan = { realm: 'shop', nodes: [{ name: 'till', agents: ['clerk'] }] };
    provisionRealm(join(at.path, 'keys'), plan, { clock: systemClock, random: systemRandom });
    const sound = at.run(['doctor', '--keys', 'keys']).stdout;
    chmodSync(join(at.path, 'keys/nodes/till/agents/clerk/agent-0.key'), 0o644);

    const ran = at.run(['doctor', '--keys', 'keys']);

    expect(sound.match(/^ok +keys /gm)?.length).toBe(3);
    expect(ran.stdout.match(/^ok +keys /gm)?.length).toBe(2);
    expect(ran.stdout).toMatch(/^fail {2}keys .*agents\/clerk\/agent-0\.key/m);
    expect(ran.stderr).toMatch(/^ringmesh: doctor\.failed: .*keys\n$/);
  });

  test('what a killed process left unfinished in a realm is no folder of keys, and no fault', () => {
    using at = desk();
    const plan = { realm: 'shop', nodes: [{ name: 'till', agents: ['clerk'] }] };
    provisionRealm(join(at.path, 'keys'), plan, { clock: systemClock, random: systemRandom });
    for (const name of ['.bar', 'till/agents/.cook']) {
      mkdirSync(join(at.path, 'keys/nodes', `${name}.0123456789abcdef.unfinished`));
    }

    const ran = at.run(['doctor', '--keys', 'keys']);

    expect(ran.stdout.match(/^ok +keys /gm)?.length).toBe(3);
    expect(ran.stdout).not.toMatch(/^fail +keys/m);
  });

  test('what a node was given is told with its end, and warned of when it is to be renewed or was changed', async () => {
    using at = desk();
    const directory = join(at.path, 'keys');
    const plan = { realm: 'shop', nodes: [{ name: 'till', agents: ['clerk'] }] };
    const ports = { clock: systemClock, random: systemRandom };
    const roster = provisionRealm(directory, plan, ports);
    const root = { command: '/tool/mail', where: [], depth: 0, ceiling: 1000, budget: {}, forMs: 86_400_000 };
    await mintRoots({ directory, roster }, new Map([['clerk', [root]]]), { nodes: ['till'], ...ports });

    const [fresh] = await lookAtRoots(directory, systemClock.now());
    const [later] = await lookAtRoots(directory, (systemClock.now() + 2 * 86_400_000) as Millis);

    expect(fresh).toMatchObject({ status: 'ok', found: expect.stringMatching(/^1 of till, the first ends at 2/) });
    expect(later).toMatchObject({ status: 'warn', found: expect.stringMatching(/^1 of 1 of till .* 1 ended/) });
    expect(at.run(['doctor', '--keys', 'keys']).stdout).toMatch(/^ok {4}delegations +1 of till/m);
    writeFileSync(join(directory, 'nodes/till/roots'), 'no token\n');
    expect(at.run(['doctor', '--keys', 'keys']).stdout).toMatch(/^fail {2}delegations .*roots: /m);
  });

  test('keys that others can read fail, and the remedy mends them', () => {
    using at = desk();
    at.run(['keys', 'new', 'operator', 'alice']);
    chmodSync(join(at.path, 'alice/operator.key'), 0o644);

    const ran = at.run(['doctor', '--keys', 'alice']);

    expect(ran.status).toBe(1);
    expect(ran.stdout).toMatch(/^fail {2}keys .*operator\.key.*\n {6}chmod 700 alice/m);
    expect(ran.stderr).toMatch(/^ringmesh: doctor\.failed: .*keys\n$/);
  });

  test.each([
    [['--log', 'nowhere'], 'log tail', 'log.not_found'],
    [['--keys', 'nowhere'], 'keys', 'key.not_found'],
    [['--cgroup', 'nowhere'], 'isolation', 'nowhere'],
  ])('%j fails and says which is not there', (args, name, word) => {
    using at = desk();

    const ran = at.run(['doctor', ...args, '--json']);

    expect(ran.status).toBe(1);
    expect(checksOf(ran).get(name)).toMatchObject({ status: 'fail', found: expect.stringContaining(word) });
  });

  test('a NATS server that runs is told with its version', async () => {
    using at = desk();
    const realm = unwrap(parseRealm('acme'), 'a realm');
    const binary = await findBroker(process.env['PATH']);
    const options = { binary, realm, users: [] };
    await using broker = await spawnBroker(options, systemClock, new AbortController().signal);

    const ran = await ended(at.start(['doctor', '--broker', broker.url, '--json']));

    expect(checksOf(ran).get('broker')).toMatchObject({ status: 'ok', found: expect.stringContaining(broker.version) });
  });

  test('an address where something else listens fails', async () => {
    using at = desk();
    await using other = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;

    const ran = await ended(at.start(['doctor', '--broker', `nats://127.0.0.1:${port}`, '--json']));

    expect(ran.status).toBe(1);
    expect(checksOf(ran).get('broker')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('expected nats-server 2.9.10 or newer'),
    });
  });

  test('an address where nobody listens fails', () => {
    using at = desk();

    const ran = at.run(['doctor', '--broker', '127.0.0.1:1', '--json']);

    expect(ran.status).toBe(1);
    expect(checksOf(ran).get('broker')).toMatchObject({ status: 'fail' });
  });

  test('no server on this machine is a warning: a swarm in one process needs none', async () => {
    expect(await lookForBroker(process.env['PATH'], 'no-such-server')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('broker.not_found'),
    });
  });

  test('an address that is none is a usage error', () => {
    using at = desk();

    expectError(at.run(['doctor', '--broker', 'https://x']), 2, 'usage.invalid');
  });
});
