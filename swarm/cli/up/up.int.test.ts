/** Swarms from files, as processes of their own, in a project as a user has it. */

import { chmodSync, existsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, ended } from '../command.fixture.ts';
import { AS_SOURCE, lineOf, project, SWARM } from './project.fixture.ts';

type Told = {
  readonly answers: readonly { readonly outcome: { readonly value: object } }[];
  readonly log: { readonly size: number };
};

function up(at: Desk, ...args: readonly string[]) {
  return at.run(['up', 'swarm.yaml', ...args], AS_SOURCE);
}

test('a swarm runs from its file: steps on stderr, in order and back; a summary on stdout; and the log is verified', () => {
  using at = project();
  const { status, stdout, stderr } = up(at);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  const said = stderr.split('\n').map((line) => line.split(/\s+/).slice(0, 2).join(' '));
  expect(said).toEqual([
    ...['read', 'identity', 'log', 'fold', 'policy', 'broker', 'hosts', 'agents'].map((name) => `started ${name}`),
    'ready',
    'answer clerk/1.visit',
    ...['agents', 'fold', 'log'].map((name) => `stopped ${name}`),
    'tools closed',
    'stopped read',
    '',
  ]);
  expect(stdout).toContain('quorum    1 of 1 operator\n');
  expect(stdout).toContain('answer    clerk/1.visit {"type":"ok","code":"","said":"ann 30 t0ken"}\n');
  expect(stdout).toContain('actions   2 allowed, 0 denied, 0 escalated\n');
  expect(stdout).toMatch(/^verified {2}yes: /m);
});

test('it goes on in the same log, with what flags and environment say instead of the file', () => {
  using at = project();
  const first = JSON.parse(up(at, '--json').stdout) as Told;
  const env = { RINGMESH_SET_WHO: 'bob', RINGMESH_SET_DAYS: '7' };
  const again = at.run(['up', 'swarm.yaml', '--json', '--set', 'days=8'], { ...AS_SOURCE, env });
  const second = JSON.parse(again.stdout) as Told;
  expect(first).toMatchObject({ schema: 'ringmesh.up/1', quorum: '1 of 1 operator', isVerified: true });
  expect(second.answers[0]?.outcome.value).toMatchObject({ said: 'bob 8 t0ken' });
  expect(second.log.size).toBeGreaterThan(first.log.size);
});

test('it does not start on a log whose file was cut short, and says so', () => {
  using at = project();
  up(at);
  truncateSync(join(at.path, '.ringmesh/office/epoch-0/data.mdb'), 20_000);
  const { status, signal, stderr } = up(at);
  expect({ status, signal }).toEqual({ status: 5, signal: null });
  expect(stderr).toMatch(/^ringmesh: log\.damaged: data\.mdb: expected \d+ bytes, found 20000, /m);
});

test('an agent that needs more trust than a caller has is not reached by it', () => {
  using at = project((text) => text.replace('export: desk\n', 'export: desk\n    needs: { trust: 651 }\n'));
  const { stdout } = up(at, '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    answers: [{ outcome: { value: { type: 'denied', code: 'policy.denied' } } }],
    actions: { denied: 1, refused: [{ agent: 'clerk/1', code: 'policy.denied', count: 1 }] },
  });
  using enough = project((text) => text.replace('export: desk\n', 'export: desk\n    needs: { trust: 650 }\n'));
  expect(JSON.parse(up(enough, '--json').stdout)).toMatchObject({ answers: [{ outcome: { value: { type: 'ok' } } }] });
});

test('an agent that is spawned is started by its parent, and not by the swarm', () => {
  using alone = project((text) => text.replace('export: desk\n', 'export: desk\n    spawned: true\n'));
  const missed = { answers: [{ outcome: { value: { type: 'died' } } }] };
  expect(JSON.parse(up(alone, '--json').stdout)).toMatchObject(missed);
  using hired = project((text) =>
    text.replace('export: desk\n', 'export: desk\n    spawned: true\n').replace('message: visit', 'message: hire'),
  );
  expect(JSON.parse(up(hired, '--json').stdout)).toMatchObject({
    answers: [{ outcome: { value: { type: 'ok', said: 'ann 30 t0ken' } } }],
  });
});

test('an answer that is not ok is told, after a summary of a log that is sound', () => {
  using at = project((text) =>
    text
      .replace('  - name: clerk', '  - name: desk/clerk')
      .replace('[clerk/*]', '[desk/clerk/*]')
      .replace('message: visit', 'message: hire'),
  );
  const { status, stdout, stderr } = up(at);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^refused {3}desk\/clerk\/1: policy\.outside_layer, once, event \d+$/m);
  expect(stdout).toMatch(/^why {7}ringmesh policy explain \S+ \d+$/m);
  expect(stdout).toMatch(/^verified {2}yes/m);
  expect(stderr).toMatch(/ringmesh: swarm\.unanswered: expected ok from desk\/clerk\/1\.hire, found denied\n$/);
});

test('a log that another run writes is left alone, and what had begun is stopped', async () => {
  using at = project((text) => text.replace('until: answered', 'until: stopped'));
  const first = at.start(['up', 'swarm.yaml'], AS_SOURCE);
  await lineOf(first, 'ready');
  const second = up(at);
  expect(second).toMatchObject({ status: 1, stdout: '' });
  expect(second.stderr).toMatch(/^failed {3}log\ntools closed\nstopped {2}read\nringmesh: log\.locked: /m);
  first.kill('SIGTERM');
  expect(await ended(first)).toMatchObject({ signal: 'SIGTERM', stdout: expect.stringMatching(/^verified {2}yes: /m) });
});

const waiting = (text: string): string =>
  text
    .replace('until: answered', 'until: stopped')
    .replace('export: desk\n', 'export: desk\n    start: { message: wait }\n');

test('killed in the middle of a turn, it goes on at the next start', async () => {
  using at = project(waiting);
  const child = at.start(['up', 'swarm.yaml', '--health', '0'], AS_SOURCE);
  await shows(await lineOf(child, 'health'), 'metrics', /state="running"\} 2$/m);
  child.kill('SIGKILL');
  await ended(child);
  const again = at.start(['up', 'swarm.yaml', '--health', '0', '--set', 'days=0'], AS_SOURCE);
  await shows(await lineOf(again, 'health'), 'metrics', /state="running"\} 0$/m);
  again.kill('SIGTERM');
  const { signal, stdout } = await ended(again);
  expect(signal).toBe('SIGTERM');
  expect(stdout).toMatch(/^verified {2}yes: /m);
  const turns = at.run(['log', 'show', '.ringmesh/office', '--type', 'turn.committed', '--json']).stdout;
  expect(turns.match(/agent\/desk/g)?.length).toBeGreaterThanOrEqual(2); // what was cut off, and what it held up
});

test('a second signal ends it at once', async () => {
  using at = project(waiting);
  const child = at.start(['up', 'swarm.yaml', '--drain', '1h', '--health', '0'], AS_SOURCE);
  const url = await lineOf(child, 'health');
  await shows(url, 'metrics', /state="running"\} 2$/m);
  child.kill('SIGINT');
  await shows(url, 'readyz', /^not ready$/m);
  child.kill('SIGINT');
  expect(await ended(child)).toMatchObject({ signal: 'SIGINT', stdout: '' });
});

/** Resolves when a page of it says so. */
async function shows(url: string, page: string, expected: RegExp): Promise<void> {
  const deadline = AbortSignal.timeout(60_000);
  while (!expected.test(await (await fetch(`${url}/${page}`, { signal: deadline })).text())) deadline.throwIfAborted();
}

const CLERK = SWARM.slice(
  SWARM.indexOf('    contract: { module: ./contract.ts, export: Clerk'),
  SWARM.indexOf('roles:'),
);

const FAULTS: readonly [string, readonly [string, string], RegExp][] = [
  [
    'a misspelt key',
    ['realm:', 'relam:'],
    /swarm\.yaml:2:1: document\.unknown_key: [\s\S]*did you mean realm\?\n\nringmesh: input\.malformed/,
  ],
  [
    'a module that is not there',
    ['./agents.ts\n    export: desk', './nobody.ts\n    export: desk'],
    /swarm\.module_unusable: swarm\.yaml:10: expected a module .*nobody\.ts/,
  ],
  [
    'an export that is not there',
    ['export: Desk', 'export: Dsek'],
    /swarm\.module_unusable: swarm\.yaml:9: .*did you mean Desk\?/,
  ],
  ['a contract that is none', ['export: Desk', 'export: note'], /swarm\.module_unusable: .*contract\(…\)/],
  [
    'a tool that is none',
    ['./tools.ts, export: notes', './contract.ts, export: Desk'],
    /swarm\.module_unusable: .*provide\(…\)/,
  ],
  [
    'two codes for one contract',
    [CLERK, CLERK.replace('Clerk', 'Desk').replace('visit', 'open')],
    /swarm\.module_unusable: .*one implementation of the contract desk/,
  ],
  ['a message that is none', ['message: visit', 'message: vsit'], /swarm\.module_unusable: .*did you mean visit\?/],
  ['a policy that is not there', ['./policy.yaml', './polity.yaml'], /swarm\.policy_unusable: swarm\.yaml:3/],
];

test.each(FAULTS)('%s is told before anything is made', (_what, [from, to], expected) => {
  expect(SWARM).toContain(from);
  using at = project((text) => text.replace(from, to));
  const { status, stdout, stderr } = up(at);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(expected);
  expect(existsSync(join(at.path, '.ringmesh'))).toBe(false);
});

test('a policy with a slip of the pen runs nothing, and a secret that others can read neither', () => {
  using at = project();
  chmodSync(join(at.path, 'token'), 0o644);
  expect(up(at).stderr).toMatch(/ringmesh: config\.secret_exposed: .*0600/);
  expect(at.run(['up', 'swarm.yaml', '--set', 'token=hunter2'], AS_SOURCE).stderr).toMatch(
    /^ringmesh: config\.secret_inline: /,
  );
  writeFileSync(join(at.path, 'policy.yaml'), 'apiVersion: ringmesh.policy/v1\nnmae: x\n');
  expect(up(at).stderr).toMatch(/swarm\.policy_unusable: [\s\S]*did you mean name\?/);
  expect(existsSync(join(at.path, '.ringmesh'))).toBe(false);
});

test('a swarm that waits for a fact ends once it is on record in this run, or can no longer be', () => {
  using at = project((text) => text.replace('until: answered', 'until: { agent: desk, records: Opened }'));
  for (const _ of [1, 2]) {
    const { status, stdout, stderr } = up(at, '--json');
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ fact: { agent: 'desk', records: 'Opened', data: { for: 'clerk/1' } } });
  }
  expect(up(at).stdout).toMatch(/^recorded {2}desk\.Opened \{"for":"clerk\/1"\}$/m);
  writeFileSync(join(at.path, 'swarm.yaml'), SWARM.replace('answered', '{ agent: desk, records: Opend }'));
  expect(up(at)).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(
      /swarm\.yaml:\d+: expected one of the events Opened of desk, .*did you mean Opened\?/,
    ),
  });
});

test('SIGTERM ends it in order, within the time to drain, though a turn is under way', async () => {
  using at = project((text) =>
    text.replace('export: desk\n', 'export: desk\n    start: { message: wait }\n').replace('until: answered\n', ''),
  );
  const child = at.start(['up', 'swarm.yaml', '--drain', '200ms'], AS_SOURCE);
  await lineOf(child, 'ready');
  child.kill('SIGTERM');
  expect(await ended(child)).toMatchObject({ signal: 'SIGTERM', stdout: expect.stringMatching(/^verified {2}yes: /m) });
});

test('while it runs, it says how it is on loopback, as Prometheus reads it', async () => {
  using at = project((text) => text.replace('until: answered', 'until: stopped'));
  const child = at.start(['up', 'swarm.yaml', '--health', '0'], AS_SOURCE);
  const url = await lineOf(child, 'health');
  await lineOf(child, 'answer');
  const asked = ['healthz', 'readyz', 'metrics'].map((path) => fetch(`${url}/${path}`));
  const [health, ready, metrics = ''] = await Promise.all(asked.map(async (one) => (await one).text()));
  expect({ health, ready }).toEqual({ health: 'ok\n', ready: 'ready\n' });
  expect(metrics).toMatch(/^ringmesh_ready 1$/m);
  expect(metrics).toMatch(/^ringmesh_actions_total\{verdict="allow"\} 2$/m);
  expect(metrics).toMatch(/^ringmesh_attempts_total\{status="ok"\} 2$/m);
  expect(metrics).toMatch(/^ringmesh_agents_in_ring\{ring="2"\} 2$/m);
  expect(metrics).toMatch(/^ringmesh_log_unread_events 0$/m);
  const families = metrics.split('\n').filter((line) => line !== '' && !line.startsWith('# '));
  for (const line of families) expect(line).toMatch(/^ringmesh_[a-z_]+(\{[a-z]+="[^"]*"\})? \d+(\.\d+)?$/);
  child.kill('SIGTERM');
  expect(await ended(child)).toMatchObject({ signal: 'SIGTERM' });
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});

test('two roles of one file talk over a broker, each with a log of its own', async () => {
  using at = project((text) => text.replace('until: answered', 'until: stopped'));
  const front = at.start(['up', 'swarm.yaml', '--only', 'front', '--broker', 'spawn'], AS_SOURCE);
  const [url = ''] = (await lineOf(front, 'started  broker')).split(',');
  const args = ['up', 'swarm.yaml', '--only', 'back', '--broker', url];
  const back = at.start(args, AS_SOURCE);
  expect(await lineOf(back, 'answer   clerk/1.visit')).toContain('"said":"ann 30 t0ken"');
  for (const child of [back, front]) {
    child.kill('SIGTERM');
    expect(await ended(child)).toMatchObject({
      signal: 'SIGTERM',
      stdout: expect.stringMatching(/^verified {2}yes: /m),
    });
  }
  for (const role of ['front', 'back']) expect(existsSync(join(at.path, `.ringmesh/office-${role}`))).toBe(true);
});

test('a role cannot run without a broker, or with keys that nobody made', () => {
  using at = project();
  expect(up(at, '--only', 'frnt').stderr).toMatch(/swarm\.no_such_role: .*did you mean front\?/);
  expect(up(at, '--only', 'front', '--broker', '127.0.0.1:1').stderr).toMatch(/ringmesh: realm\.not_found: /);
  expect(up(at, '--only', 'front', '--broker', 'nats.example.com:4222').stderr).toMatch(/swarm\.quorum_too_small/);
});

test('config show tells whose word each value is, and of a secret only where it is', () => {
  using at = project();
  const env = { RINGMESH_LOG: 'elsewhere' };
  const args = ['config', 'show', 'swarm.yaml', '--set', 'who=bob'];
  const { stdout } = at.run([...args, '--origin'], { ...AS_SOURCE, env });
  expect(stdout).toMatch(/^log +\S*\/elsewhere +environment RINGMESH_LOG$/m);
  expect(stdout).toMatch(/^settings\.who +bob +flag --set who$/m);
  expect(stdout).toMatch(/^settings\.days +30 +file swarm\.yaml:4$/m);
  expect(stdout).toMatch(/^settings\.token +\(a secret, in \S*\/token\) +file swarm\.yaml:4$/m);
  expect(stdout).toMatch(/^broker +none +default$/m);
  expect(JSON.parse(at.run([...args, '--json'], AS_SOURCE).stdout)).toMatchObject({
    schema: 'ringmesh.config/1',
    'settings.who': 'bob',
    broker: 'none',
  });
});
