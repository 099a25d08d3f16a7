import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, expectError } from '../command.fixture.ts';
import { AS_SOURCE, project } from '../up/project.fixture.ts';

const SERVER = 'nats-server';

const GIVEN = `delegations:
  - { to: desk, command: /tool/notes }
  - { to: clerk/*, command: /desk/open }
`;

const withReplicas = (text: string): string =>
  `${text.replace('count: 1', 'count: 3').replace('tools: [notes] }', 'tools: [notes], replicas: 2 }')}${GIVEN}`;

function realm(at: Desk, ...args: readonly string[]) {
  return at.run(['keys', 'realm', 'swarm.yaml', '--keys', 'keys', ...args], AS_SOURCE);
}

/** Every file below, with its content. */
function filesIn(path: string): Readonly<Record<string, string>> {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(path, name)).isFile()).sort();
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(path, name), 'base64')]));
}

test('all that the nodes of a swarm file need is made, and again it changes nothing', () => {
  using at = project(withReplicas);
  const made = realm(at, '--broker-config', 'nats.conf', '--json');
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(made.stdout)).toMatchObject({
    ...{ schema: 'ringmesh.keys-realm/1', realm: 'office', nodes: ['front', 'back-1', 'back-2'], agents: 4, signed: 4 },
    brokerConfig: join(at.path, 'nats.conf'),
  });
  for (const node of ['front', 'back-1', 'back-2']) {
    const folder = join(at.path, 'keys/nodes', node);
    expect(readdirSync(folder).toSorted()).toEqual(['agents', 'login.key', 'node.key', 'roots', 'witness.key']);
    expect(statSync(folder).mode & 0o077).toBe(0);
  }
  const before = { ...filesIn(join(at.path, 'keys')), conf: readFileSync(join(at.path, 'nats.conf'), 'utf8') };
  const wroteAt = statSync(join(at.path, 'nats.conf')).mtimeMs;

  const again = realm(at, '--broker-config', 'nats.conf');
  expect(again.stdout).toMatch(/^signed +0$/m);
  expect({ ...filesIn(join(at.path, 'keys')), conf: readFileSync(join(at.path, 'nats.conf'), 'utf8') }).toEqual(before);
  expect(statSync(join(at.path, 'nats.conf')).mtimeMs).toBe(wroteAt);
});

test('a server takes the broker’s configuration, which has a user for each node and holds no secret', () => {
  using at = project(withReplicas);
  const open = realm(at, '--broker-config', 'nats.conf', '--listen', '0.0.0.0:4222');
  expect(open.stderr).toMatch(/^ringmesh: warning: without --tls-cert/);
  const text = readFileSync(join(at.path, 'nats.conf'), 'utf8');
  expect(text).toContain('listen: "0.0.0.0:4222"');
  const roster = JSON.parse(readFileSync(join(at.path, 'keys/realm.json'), 'utf8'));
  for (const { did } of roster.nodes) expect(text).toContain(`# ${did}\n`);
  expect(text).not.toMatch(/\bS[A-Z2-7]{57}\b/); // an nkey's seed
  const { status, stderr } = spawnSync(SERVER, ['-t', '-c', 'nats.conf'], { cwd: at.path, encoding: 'utf8' });
  expect({ status, stderr }).toMatchObject({ status: 0 });
});

test('a swarm runs with what was made ahead: nothing is signed at its start', () => {
  using at = project((text) => `${text}${GIVEN}`);
  realm(at);
  rmSync(join(at.path, 'keys/operator'), { recursive: true });
  const roster = readFileSync(join(at.path, 'keys/realm.json'), 'utf8');
  const front = at.run(['up', 'swarm.yaml', '--keys', 'keys', '--only', 'front', '--broker', '127.0.0.1:1'], AS_SOURCE);
  expect(front.stderr).toMatch(/^started {2}fold {6}.*, 1 delegated, quorum/m);
  expect(readFileSync(join(at.path, 'keys/realm.json'), 'utf8')).toBe(roster);
});

test('who gives the role more agents and replicas, finds them added; who is there stays', () => {
  using at = project(withReplicas);
  realm(at);
  const before = JSON.parse(readFileSync(join(at.path, 'keys/realm.json'), 'utf8'));
  const file = join(at.path, 'swarm.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('count: 3', 'count: 4').replace('replicas: 2', 'replicas: 3'));

  expect(JSON.parse(realm(at, '--json').stdout)).toMatchObject({ agents: 5, signed: 1 });
  const after = JSON.parse(readFileSync(join(at.path, 'keys/realm.json'), 'utf8'));
  expect(after.nodes.slice(0, 3)).toEqual(before.nodes);
  expect(after.nodes[3]).toMatchObject({ name: 'back-3', agents: [{ name: 'clerk/4' }] });
});

test.each([
  ['another realm’s', ['realm: office', 'realm: shop'], 'realm.other_realm'],
  ['of agents that were elsewhere', ['replicas: 2', 'replicas: 1'], 'realm.name_taken'],
] as const)('a folder %s is refused, and left as it was', (_what, [from, to], code) => {
  using at = project(withReplicas);
  realm(at);
  const before = filesIn(join(at.path, 'keys'));
  const file = join(at.path, 'swarm.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));

  expectError(realm(at), 2, code);
  expect(filesIn(join(at.path, 'keys'))).toEqual(before);
});

test('where something is wrong with what is asked, nothing is made', () => {
  using at = project((text) => withReplicas(text).replace('to: desk', 'to: dusk'));
  expect(realm(at).stderr).toMatch(/did you mean desk\?[\s\S]*input\.malformed/);
  using good = project(withReplicas);
  expectError(realm(good, '--broker-config', 'nats.conf', '--listen', ':4222'), 2, 'usage.invalid');
  for (const one of [at, good]) expect(existsSync(join(one.path, 'keys'))).toBe(false);
});
