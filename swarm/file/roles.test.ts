import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatFault } from '../../policies/document/fault.ts';
import { parseDid } from '../../runtime/codec/did.ts';
import { unwrap } from '../../runtime/core/result.ts';
import type { RealmRoster } from '../realm/realm-folder.ts';
import { configure } from './configuration.ts';
import { planOf } from './plan.ts';
import { findRole } from './roles.ts';
import { parseSwarm, type SwarmFile } from './swarm-file.ts';

function read({ count = 5, roles = '  back: { agents: [clerk/*], replicas: 2 }' } = {}) {
  const text = `apiVersion: ringmesh.swarm/v1
realm: acme
policies: [./p.yaml]
agents:
  - { name: desk, module: ./desk.ts, export: desk, contract: { module: ./contract.ts, export: Desk } }
  - { name: clerk/*, count: ${count}, module: ./clerk.ts, export: clerk, contract: { module: ./contract.ts, export: Clerk } }
roles:
  front: { agents: [desk] }
${roles}
`;
  return parseSwarm(text, { file: 'swarm.yaml', cwd: '/work' });
}

const swarm = (has: Parameters<typeof read>[0] = {}): SwarmFile => unwrap(read(has), 'a good file');

/** A realm as it was made of a plan. */
function rosterOf({ nodes }: ReturnType<typeof planOf>): RealmRoster {
  const did = unwrap(parseDid('did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'), 'a DID');
  const told = nodes.map(({ name, agents }) => ({
    name,
    did,
    login: did,
    agents: agents.map((one) => ({ name: one, did })),
  }));
  return { realm: 'acme' as RealmRoster['realm'], operator: did, nodes: told };
}

test('a role is a node; with replicas it is as many, and its agents are dealt among them', () => {
  expect(planOf(swarm())).toEqual({
    realm: 'acme',
    nodes: [
      { name: 'front', agents: ['desk'] },
      { name: 'back-1', agents: ['clerk/1', 'clerk/3', 'clerk/5'] },
      { name: 'back-2', agents: ['clerk/2', 'clerk/4'] },
    ],
  });
});

test('a file without roles is one node', () => {
  const { roles: _, ...rest } = swarm();
  expect(planOf(rest).nodes.map(({ name, agents }) => [name, agents.length])).toEqual([['node', 6]]);
});

test('P1: whoever has a place keeps it, however many come', () => {
  const before = planOf(swarm());
  const after = planOf(swarm({ count: 9, roles: '  back: { agents: [clerk/*], replicas: 3 }' }), rosterOf(before));
  expect(after.nodes).toEqual([
    { name: 'front', agents: ['desk'] },
    { name: 'back-1', agents: ['clerk/1', 'clerk/3', 'clerk/5'] },
    { name: 'back-2', agents: ['clerk/2', 'clerk/4', 'clerk/8'] },
    { name: 'back-3', agents: ['clerk/6', 'clerk/7', 'clerk/9'] },
  ]);
});

test('P1: every agent is in one place, whatever was there before, and fresh ones are dealt evenly', () => {
  const size = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 12 })).filter(([n, k]) => k <= n);
  const of = ([count, replicas]: readonly [number, number]) =>
    swarm({ count, roles: `  back: { agents: [clerk/*], replicas: ${replicas} }` });
  fc.assert(
    fc.property(size, fc.option(size), (now, before) => {
      const known = before === null ? undefined : rosterOf(planOf(of(before)));
      const { nodes } = planOf(of(now), known);
      const dealt = nodes.flatMap(({ agents }) => agents);
      expect(dealt.toSorted()).toEqual(
        ['desk', ...Array.from({ length: now[0] }, (_, n) => `clerk/${n + 1}`)].toSorted(),
      );
      const sizes = nodes.slice(1).map(({ agents }) => agents.length);
      if (known === undefined) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});

test.each([
  ['front', { role: 'front', slots: ['front'] }],
  ['back', { role: 'back', slots: ['back-1', 'back-2'] }],
  ['back-2', { role: 'back', slots: ['back-2'] }],
  ['back-3', undefined],
  ['front-1', undefined],
  ['constructor', undefined],
])('%s is run as what it is', (name, expected) => {
  expect(findRole(swarm(), name)).toEqual(expected);
});

test('a slot by name has the log of its role to put its own in', () => {
  const configured = (only: string) => configure(swarm(), { only }, { env: {}, cwd: '/here', home: '/home/ann' });
  expect(configured('back-2').log.value).toBe(configured('back').log.value);
  expect(() => configured('back-3')).toThrow(expect.objectContaining({ code: 'swarm.no_such_role' }));
});

test.each([
  ['more replicas than agents', '  back: { agents: [clerk/*], replicas: 6 }', /9:40: .*at most 5, as many as back has/],
  ['no replicas', '  back: { agents: [clerk/*], replicas: 0 }', /9:40: .*at least 1/],
  ['more than a realm has', '  back: { agents: [clerk/*], replicas: 257 }', /9:40: .*at most 256/],
  [
    'a slot that another role is called',
    '  back: { agents: [clerk/*], replicas: 2 }\n  back-1: { agents: [desk] }',
    /9:40: document\.duplicate_id: .*back-1 of back and of back-1/,
  ],
])('%s: refused where it stands', (_what, roles, expected) => {
  const found = read({ roles });
  expect(found.ok ? 'accepted' : found.error.map(formatFault).join('\n')).toMatch(expected);
});
