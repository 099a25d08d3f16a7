import {
  chmodSync,
  existsSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createKeyFolder, readKeyFolder } from '../../mesh/key-folder.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { ownWithoutPrivileges, withoutPrivileges } from '../../runtime/core/users.fixture.ts';
import {
  openRealmNode,
  provisionRealm,
  type RealmPlan,
  type RealmRoster,
  readRoster,
  wireName,
} from './realm-folder.ts';

const PLAN: RealmPlan = {
  realm: 'audit',
  nodes: [
    { name: 'one', agents: ['audit', 'audit/reporter'] },
    { name: 'two', agents: ['audit/researcher/1'] },
  ],
};
const ports = { clock: systemClock, random: systemRandom };
const folder = () => mkdtempDisposableSync(join(tmpdir(), 'ringmesh-realm-'));

/** Every file below, with its content. */
function filesIn(path: string): Readonly<Record<string, string>> {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(path, name)).isFile()).sort();
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(path, name), 'base64')]));
}

describe('provisionRealm', () => {
  test('makes keys for every node and agent, and a roster that holds no secret', () => {
    using at = folder();

    const roster = provisionRealm(at.path, PLAN, ports);

    expect(readRoster(at.path)).toEqual(roster);
    expect(roster.nodes.map(({ name, agents }) => [name, agents.map((agent) => agent.name)])).toEqual([
      ['one', ['audit', 'audit/reporter']],
      ['two', ['audit/researcher/1']],
    ]);
    const dids = roster.nodes.flatMap(({ did, login, agents }) => [did, login, ...agents.map((agent) => agent.did)]);
    expect(new Set(dids).size).toBe(7);
    for (const name of Object.keys(filesIn(at.path)).filter((file) => file.endsWith('.key'))) {
      expect(statSync(join(at.path, name)).mode & 0o077).toBe(0);
    }
    expect(readFileSync(join(at.path, 'realm.json'), 'utf8')).not.toMatch(/secret|private/i);
  });

  test('R2: again it changes nothing', () => {
    using at = folder();
    const roster = provisionRealm(at.path, PLAN, ports);
    const before = filesIn(at.path);

    expect(provisionRealm(at.path, PLAN, ports)).toEqual(roster);
    expect(filesIn(at.path)).toEqual(before);
  });

  test('R2: adds what a later plan names, and keeps what it no longer does', () => {
    using at = folder();
    const before = provisionRealm(at.path, PLAN, ports);

    const after = provisionRealm(
      at.path,
      {
        realm: 'audit',
        nodes: [
          { name: 'two', agents: ['clerk'] },
          { name: 'three', agents: [] },
        ],
      },
      ports,
    );

    const [one, two] = before.nodes;
    expect(after.nodes.find(({ name }) => name === 'one')).toEqual(one);
    const agents = after.nodes.find(({ name }) => name === 'two')?.agents ?? [];
    expect(agents.slice(0, 1)).toEqual(two?.agents);
    expect(agents.map(({ name }) => name)).toEqual(['audit/researcher/1', 'clerk']);
    expect(after.nodes.map(({ name }) => name).toSorted()).toEqual(['one', 'three', 'two']);
  });

  test.each([0, 1])('R2: planned alone, the node with index %i stays where it was among the others', (n) => {
    using at = folder();
    const roster = provisionRealm(at.path, PLAN, ports);

    expect(provisionRealm(at.path, { realm: 'audit', nodes: PLAN.nodes.slice(n, n + 1) }, ports)).toEqual(roster);
  });

  test('R3: who plans by what is there plans again, if others make something before it is its turn', () => {
    using at = folder();
    let isFirst = true;
    const plan = (known?: RealmRoster): RealmPlan => {
      if (isFirst) {
        isFirst = false;
        provisionRealm(at.path, { realm: 'audit', nodes: [{ name: 'one', agents: ['audit'] }] }, ports); // by another process
      }
      const home = known?.nodes.find(({ agents }) => agents.some(({ name }) => name === 'audit'))?.name ?? 'two';
      return { realm: 'audit', nodes: [{ name: home, agents: ['audit', 'clerk'] }] };
    };

    const { nodes } = provisionRealm(at.path, plan, ports);

    expect(nodes.map(({ name, agents }) => [name, agents.map((agent) => agent.name)])).toEqual([
      ['one', ['audit', 'clerk']],
    ]);
  });

  test('R1: completes a folder that was left half made, with the keys that are there', () => {
    using at = folder();
    const roster = provisionRealm(at.path, PLAN, ports);
    rmSync(join(at.path, 'realm.json'));
    rmSync(join(at.path, 'nodes/two'), { recursive: true });

    const again = provisionRealm(at.path, PLAN, ports);

    expect(again.operator).toBe(roster.operator);
    expect(again.nodes[0]).toEqual(roster.nodes[0]);
    expect(again.nodes[1]?.did).not.toBe(roster.nodes[1]?.did);
    expect(openRealmNode(at.path, 'two').did).toBe(again.nodes[1]?.did);
  });

  test.each([
    ['twice the same', ['audit', 'audit']],
    ['one on the wire', ['audit/reporter', 'audit-reporter']],
  ])('R0: refuses names that are %s, and makes nothing', (_, names) => {
    using at = folder();
    const nodes = names.map((agent, n) => ({ name: `node-${n}`, agents: [agent] }));

    expect(() => provisionRealm(at.path, { realm: 'audit', nodes }, ports)).toThrow(
      expect.objectContaining({ code: 'realm.name_taken' }),
    );
    expect(readdirSync(at.path)).toEqual([]);
  });

  test.each([
    ['has on the wire', 'audit-reporter'],
    ['has at another node', 'audit/researcher/1'],
  ])('R0: refuses a name that an agent of an earlier plan %s', (_, agent) => {
    using at = folder();
    provisionRealm(at.path, PLAN, ports);
    const nodes = [{ name: 'three', agents: [agent] }];

    expect(() => provisionRealm(at.path, { realm: 'audit', nodes }, ports)).toThrow(
      expect.objectContaining({ code: 'realm.name_taken' }),
    );
    expect(existsSync(join(at.path, 'nodes/three'))).toBe(false);
  });

  test('who counts the nodes otherwise than before is told where the agents are, and what to do', () => {
    using at = folder();
    const agents = ['a', 'b', 'c'];
    const one = agents.map((agent) => ({ name: `node-${agent}`, agents: [agent] }));
    provisionRealm(at.path, { realm: 'audit', nodes: one }, ports);
    const two = [{ name: 'node-a', agents: ['a', 'b', 'c'] }];
    expect(() => provisionRealm(at.path, { realm: 'audit', nodes: two }, ports)).toThrow(
      /expected b at node-b, .* for node-a \(and 1 more agents\): .*same nodes as before \(3: node-a, node-b, node-c\)/,
    );
  });

  test('refuses a folder that is another realm’s', () => {
    using at = folder();
    provisionRealm(at.path, PLAN, ports);

    expect(() => provisionRealm(at.path, { ...PLAN, realm: 'other' }, ports)).toThrow(
      expect.objectContaining({ code: 'realm.other_realm' }),
    );
  });

  test.each(['../escape', 'A', '', 'a/b', '.'])('refuses %j as a node’s name', (name) => {
    using at = folder();

    expect(() => provisionRealm(at.path, { realm: 'audit', nodes: [{ name, agents: [] }] }, ports)).toThrow(
      expect.objectContaining({ code: 'realm.malformed' }),
    );
  });
});

/** A folder of somebody without privileges, with a realm, in which nothing can be made until the end. */
function withReadOnlyRealm(run: (path: string, roster: RealmRoster) => void): void {
  using at = folder();
  ownWithoutPrivileges(at.path);
  const roster = withoutPrivileges(() => provisionRealm(at.path, PLAN, ports));
  rmSync(join(at.path, 'realm.lock'), { force: true });
  const names = readdirSync(at.path, { recursive: true, encoding: 'utf8' });
  const folders = [at.path, ...names.map((name) => join(at.path, name)).filter((path) => statSync(path).isDirectory())];
  for (const path of folders) chmodSync(path, 0o555);
  try {
    withoutPrivileges(() => run(at.path, roster));
  } finally {
    for (const path of folders) chmodSync(path, 0o755);
  }
}

describe('R2: keys that are elsewhere', () => {
  const bigger = (name: string, agent: string): RealmPlan => ({ realm: 'audit', nodes: [{ name, agents: [agent] }] });

  test.each([
    ['the operator’s', 'operator'],
    ['a node’s', 'nodes/two'],
  ])('%s are not made again, and the realm is what it was', (_, gone) => {
    using at = folder();
    const roster = provisionRealm(at.path, PLAN, ports);
    rmSync(join(at.path, gone), { recursive: true });
    const before = filesIn(at.path);

    expect(provisionRealm(at.path, PLAN, ports)).toEqual(roster);
    expect(filesIn(at.path)).toEqual(before);
  });

  test('are not needed for nodes and agents that are new elsewhere', () => {
    using at = folder();
    const roster = provisionRealm(at.path, PLAN, ports);
    rmSync(join(at.path, 'nodes/two'), { recursive: true });

    const { operator, nodes } = provisionRealm(at.path, bigger('one', 'clerk'), ports);

    expect(operator).toBe(roster.operator);
    expect(nodes[1]).toEqual(roster.nodes[1]);
    expect(nodes[0]?.agents.map(({ name }) => name)).toEqual(['audit', 'audit/reporter', 'clerk']);
  });

  test.each([
    ['an agent, without its sponsor', 'operator', bigger('one', 'clerk'), /operator.*keys for clerk can be made/],
    ['an agent at a node that is away', 'nodes/two', bigger('two', 'clerk'), /nodes.two.*keys for clerk can be made/],
    ['an agent again that is lost', 'nodes/one/agents/audit', PLAN, /agents.audit.*audit can act/],
  ])('make nobody: %s', (_, gone, plan, message) => {
    using at = folder();
    provisionRealm(at.path, PLAN, ports);
    rmSync(join(at.path, gone), { recursive: true });
    const before = readFileSync(join(at.path, 'realm.json'), 'utf8');

    expect(() => provisionRealm(at.path, plan, ports)).toThrow(
      expect.objectContaining({ code: 'realm.keys_elsewhere', message: expect.stringMatching(message) }),
    );
    expect(readFileSync(join(at.path, 'realm.json'), 'utf8')).toBe(before);
    expect(existsSync(join(at.path, gone))).toBe(false);
  });
});

describe('whose keys are lost', () => {
  test('is made anew once realm.json names him no longer, and nobody else is', () => {
    using at = folder();
    const { nodes, ...roster } = provisionRealm(at.path, PLAN, ports);
    rmSync(join(at.path, 'nodes/two'), { recursive: true });
    const left = { schema: 'ringmesh.realm/1', ...roster, nodes: nodes.slice(0, 1) };
    writeFileSync(join(at.path, 'realm.json'), JSON.stringify(left));

    const after = provisionRealm(at.path, PLAN, ports);

    expect({ ...after, nodes: after.nodes.slice(0, 1) }).toEqual({ ...roster, nodes: nodes.slice(0, 1) });
    expect(after.nodes[1]).toMatchObject({ name: 'two', agents: [{ name: 'audit/researcher/1' }] });
    expect(after.nodes[1]?.did).not.toBe(nodes[1]?.did);
  });

  test('is whoever has another folder of keys in that place, which the roster then says', () => {
    using at = folder();
    const before = provisionRealm(at.path, PLAN, ports);
    const place = join(at.path, 'nodes/two');
    createKeyFolder(`${place}.new`, { kind: 'node' }, systemRandom);
    renameSync(join(place, 'agents'), `${place}.new/agents`);
    rmSync(place, { recursive: true });
    renameSync(`${place}.new`, place);

    const { nodes, ...roster } = provisionRealm(at.path, PLAN, ports);

    expect({ ...roster, nodes: nodes.slice(0, 1) }).toEqual({ ...before, nodes: before.nodes.slice(0, 1) });
    expect(nodes[1]).toMatchObject({ name: 'two', did: readKeyFolder(place).did, agents: before.nodes[1]?.agents });
    expect(nodes[1]?.did).not.toBe(before.nodes[1]?.did);
    expect(readRoster(at.path).nodes).toEqual(nodes);
  });
});

describe('provisionRealm, where nothing can be written', () => {
  test('R3: has the realm that is complete, by its plan or a smaller one', () => {
    withReadOnlyRealm((path, roster) => {
      expect(provisionRealm(path, PLAN, ports)).toEqual(roster);
      expect(provisionRealm(path, { realm: 'audit', nodes: PLAN.nodes.slice(0, 1) }, ports)).toEqual(roster);
      expect(existsSync(join(path, 'realm.lock'))).toBe(false);
    });
  });

  test('says of a realm that lacks somebody that it cannot make anything', () => {
    withReadOnlyRealm((path) => {
      const nodes = [{ name: 'one', agents: ['clerk'] }];
      expect(() => provisionRealm(path, { realm: 'audit', nodes }, ports)).toThrow(
        expect.objectContaining({ code: 'realm.lock_unusable', message: expect.stringContaining('realm.lock') }),
      );
    });
  });
});

describe('openRealmNode', () => {
  test('needs its own folder and the roster, and nobody else’s', () => {
    using at = folder();
    const roster = provisionRealm(at.path, PLAN, ports);
    rmSync(join(at.path, 'operator'), { recursive: true });
    rmSync(join(at.path, 'nodes/one'), { recursive: true });

    const two = openRealmNode(at.path, 'two');

    expect(two).toMatchObject({ name: 'two', did: roster.nodes[1]?.did, roster });
    expect([...two.agents.keys()]).toEqual(['audit/researcher/1']);
  });

  test.each([
    ['no roster', 'realm.not_found', (path: string) => rmSync(join(path, 'realm.json'))],
    ['a roster of another shape', 'realm.malformed', (path: string) => writeFileSync(join(path, 'realm.json'), '{}')],
    ['no JSON', 'realm.malformed', (path: string) => writeFileSync(join(path, 'realm.json'), 'realm')],
  ])('refuses %s with %s', (_, code, spoil) => {
    using at = folder();
    provisionRealm(at.path, PLAN, ports);
    spoil(at.path);

    expect(() => openRealmNode(at.path, 'one')).toThrow(expect.objectContaining({ code }));
  });

  test('refuses a node that the roster does not name', () => {
    using at = folder();
    provisionRealm(at.path, PLAN, ports);

    expect(() => openRealmNode(at.path, 'three')).toThrow(expect.objectContaining({ code: 'realm.no_such_node' }));
  });
});

test('a name on the wire has no slash', () => {
  expect(wireName('audit/researcher/1')).toBe('audit-researcher-1');
});
