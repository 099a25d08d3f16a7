/** Delegations of a swarm file: what agents may do under them, in one node and in several. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, ended } from '../command.fixture.ts';
import { AS_SOURCE, lineOf, project } from './project.fixture.ts';

const GIVEN = `delegations:
  - { to: desk, command: /tool/notes }
  - { to: clerk/*, command: /desk/open, for: 7d }
`;

function withDelegations(given = GIVEN, change = (text: string) => text): Desk {
  return project((text) => change(`${text}${given}`));
}

function up(at: Desk, ...args: readonly string[]) {
  return at.run(['up', 'swarm.yaml', ...args], AS_SOURCE);
}

function granted(at: Desk, log = '.ringmesh/office'): number {
  const { stdout } = at.run(['log', 'show', log, '--type', 'delegation.granted', '--json']);
  return stdout.split('\n').filter((line) => line !== '').length;
}

test('agents do what they were given, and a restart gives them nothing anew', () => {
  using at = withDelegations();
  const first = up(at);
  expect({ ...first, stderr: first.status === 0 ? '' : first.stderr }).toMatchObject({ status: 0, stderr: '' });
  expect(first.stdout).toContain('answer    clerk/1.visit {"type":"ok","code":"","said":"ann 30 t0ken"}\n');
  expect(first.stdout).toMatch(/^verified {2}yes: /m);
  expect(granted(at)).toBe(2);
  expect(up(at)).toMatchObject({ status: 0 });
  expect(granted(at)).toBe(2);
});

test.each([
  ['nothing is given to the caller', '  - { to: clerk/*, command: /desk/open, for: 7d }\n', '', 'delegation.none'],
  ['another message is given to the caller', '/desk/open', '/desk/wait', 'delegation.other_command'],
  ['nothing is given to the one who is asked', '  - { to: desk, command: /tool/notes }\n', '', 'delegation.none'],
  [
    'other arguments are given',
    'command: /tool/notes',
    'command: /tool/notes, where: [{ arg: text, is: eq, value: other }]',
    'delegation.args_denied',
  ],
])('where %s it is denied, and the log says why', (_what, from, to, code) => {
  using at = withDelegations(GIVEN.replace(from, to));
  const { stdout } = up(at, '--json');
  expect(JSON.parse(stdout)).toMatchObject({ actions: { refused: [{ code, count: 1 }] }, isVerified: true });
});

test('a delegation to somebody who is not in the file runs nothing', () => {
  using at = withDelegations(GIVEN.replace('to: desk', 'to: dusk'));
  const { status, stderr } = up(at);
  expect(status).toBe(2);
  expect(stderr).toMatch(/document\.unknown_name: .*"dusk"[\s\S]*did you mean desk\?/);
});

test('a delegation of what nobody could do runs nothing, with what was probably meant', () => {
  using at = withDelegations(GIVEN.replace('/tool/notes', '/tool/note'));
  const { status, stderr } = up(at);
  expect(status).toBe(2);
  expect(stderr).toMatch(
    /ringmesh: swarm\.delegation_unusable: swarm\.yaml:\d+: .*\/tool\/note; did you mean \/tool\/notes\/add\?/,
  );
});

const PROGRAM = `
import { readFileSync } from 'node:fs';
import { configure, openSwarm, Operator, parseSwarm } from 'ringmesh';
import { systemClock, systemRandom, thisProcess } from 'ringmesh/runtime';
const alive = setInterval(() => undefined, 60_000);
const file = parseSwarm(readFileSync('swarm.yaml', 'utf8'), { file: 'swarm.yaml', cwd: process.cwd() });
const configuration = configure(file.value, { anchor: 'anchors' }, { env: {}, cwd: process.cwd(), home: '/nobody' });
const ports = { clock: systemClock, random: systemRandom, identity: thisProcess(), searchPath: undefined };
const told = [];
const more = { execArgv: process.execArgv, onStep: ({ step, state, detail }) => told.push([step, state, detail]), printed: () => undefined };
const swarm = await openSwarm(file.value, configuration, { ...ports, ...more }, new AbortController().signal);
const answers = await swarm.begin(() => undefined);
const [root] = swarm.authority.delegations.to(swarm.authority.didOf('clerk/1'));
const operator = Operator.ofRealm(configuration.keys.value, ports);
const taken = root === undefined ? { ok: false } : swarm.authority.revoke(operator.revocation(root, 'no longer'));
await swarm.stop(1_000);
clearInterval(alive);
const fold = told.find(([step, state]) => step === 'fold' && state === 'started')[2];
console.log(JSON.stringify({ answer: answers[0].outcome.value, taken: taken.ok, fold, place: swarm.place }));
`;

test('a program opens the swarm by public names; what the operator takes back there, no start gives again', () => {
  using at = withDelegations();
  writeFileSync(join(at.path, 'program.mjs'), PROGRAM);
  const run = () => {
    const args = ['--conditions=source', 'program.mjs'];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: at.path, encoding: 'utf8' });
    expect(stderr).toBe('tools closed\n');
    return JSON.parse(stdout);
  };
  expect(run()).toEqual({
    answer: { type: 'ok', code: '', said: 'ann 30 t0ken' },
    taken: true,
    fold: '2 agents endorsed, 2 delegated, 2 of them now, quorum 1 of 1 operator',
    place: { log: join(at.path, '.ringmesh/office'), anchors: join(at.path, 'anchors') },
  });
  expect(run()).toMatchObject({
    answer: { type: 'denied', code: 'delegation.none' },
    taken: false,
    fold: '2 agents endorsed, 1 delegated, 1 ended, quorum 1 of 1 operator',
  });
  expect(granted(at)).toBe(2);
});

test('in several nodes each reads the roots beside its own keys, and needs no operator’s key', async () => {
  using at = withDelegations(GIVEN, (text) => text.replace('until: answered', 'until: stopped'));
  const front = at.start(['up', 'swarm.yaml', '--only', 'front', '--broker', 'spawn'], AS_SOURCE);
  const [url = ''] = (await lineOf(front, 'started  broker')).split(',');
  const back = () => at.start(['up', 'swarm.yaml', '--only', 'back', '--broker', url], AS_SOURCE);
  const first = back();
  expect(await lineOf(first, 'answer   clerk/1.visit')).toContain('"said":"ann 30 t0ken"');
  first.kill('SIGTERM');
  expect(await ended(first)).toMatchObject({ stdout: expect.stringMatching(/^verified {2}yes: /m) });
  rmSync(join(at.path, '.ringmesh/office-keys/operator'), { recursive: true });
  rmSync(join(at.path, '.ringmesh/office-keys/nodes/front'), { recursive: true });

  const second = back();
  expect(await lineOf(second, 'answer   clerk/1.visit')).toContain('"said":"ann 30 t0ken"');
  second.kill('SIGTERM');
  await ended(second);
  expect(granted(at, '.ringmesh/office-back')).toBe(1);

  rmSync(join(at.path, '.ringmesh/office-keys/nodes/back/roots'));
  expect((await ended(back())).stderr).toMatch(/realm\.root_missing: .*\/desk\/open to clerk\/1/);
  rmSync(join(at.path, '.ringmesh/office-keys/nodes/back/node.key'));
  expect((await ended(back())).stderr).toMatch(/ringmesh: key\.not_found: /);
  front.kill('SIGTERM');
  await ended(front);
});

test('the delegations that docs/cli.md shows are read and signed', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../../docs/cli.md'), 'utf8');
  const [shown = ''] = /^delegations:\n(?: .*\n)+/m.exec(page) ?? [];
  expect(shown).toContain('budget');
  using at = project((text) => `${text.replace('- name: desk', '- name: audit').replace('[desk]', '[audit]')}${shown}`);
  const { stdout } = at.run(['keys', 'realm', 'swarm.yaml', '--json'], AS_SOURCE);
  expect(JSON.parse(stdout)).toMatchObject({ signed: 2 });
});
