import { expect, test } from 'vitest';
import { formatFault } from '../../policies/document/fault.ts';
import { namesOf } from './agent-names.ts';
import { isLoopback, parseSwarm } from './swarm-file.ts';

const GOOD = `apiVersion: ringmesh.swarm/v1
realm: acme
operators:
  quorum: 2
  members:
    - { name: ann, did: did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK }
    - { name: bob, did: did:key:z6MkvQ9fh87RiwBHmDMDdFgws7CSyQVo1WxeaCZs6nQf9fZo }
settings:
  db: { path: ./records.sqlite }
  days: 30
  token: { secret: /run/secrets/token }
agents:
  - name: desk
    module: ./desk.ts
    export: desk
    contract: { module: ./contract.ts, export: Desk }
    sponsor: bob
    needs: { trust: 300 }
    endorsement: { ring: 2, trust: 650, for: 1h }
    restart: transient
    supervise: { strategy: rest_for_one, restarts: 3 in 1m }
    start: { message: begin, with: { n: 1 } }
  - name: desk/clerk/*
    count: 3
    module: ./clerk.ts
    export: clerk
    contract: { module: ./contract.ts, export: Clerk }
tools:
  records: { module: ./tools.ts, export: records, with: [db, days] }
policies: [./policy.yaml]
roles:
  front: { agents: [desk], tools: [records] }
  back: { agents: [desk/clerk/*] }
broker: nats.example.com:4222
until: answered
drain: 20s
`;

const at = { file: 'acme/swarm.yaml', cwd: '/work' };

test('a swarm file is read whole, with the folder that its paths start from', () => {
  const read = parseSwarm(GOOD, at);
  expect(read).toMatchObject({
    ok: true,
    value: { realm: 'acme', folder: '/work/acme', quorum: { quorum: 2, members: ['ann', 'bob'] }, drain: '20s' },
  });
});

test('an entry with a count stands for as many agents', () => {
  expect(namesOf({ name: 'desk/clerk/*', count: 3 })).toEqual(['desk/clerk/1', 'desk/clerk/2', 'desk/clerk/3']);
  expect(namesOf({ name: 'desk' })).toEqual(['desk']);
});

test('where nobody is named, one operator decides', () => {
  const text = GOOD.replace(/operators:[\s\S]*?(?=settings)/, '')
    .replace('    sponsor: bob\n', '')
    .replace(/broker.*\n/, '');
  expect(parseSwarm(text, at)).toMatchObject({ ok: true, value: { quorum: { quorum: 1, members: ['operator'] } } });
});

/** What is changed in the good file, and how the first fault reads. */
const BAD: readonly [string, string | RegExp, string, RegExp][] = [
  [
    'a misspelt key',
    'realm: acme',
    'relam: acme',
    /2:1: document\.unknown_key: .*\n 2 \| relam: acme\n {3}\| \^\^\^\^\^\n {2}did you mean realm\?/,
  ],
  [
    'a misspelt key of an agent',
    'export: desk',
    'exprot: desk',
    /15:5: document\.unknown_key: [\s\S]*did you mean export\?/,
  ],
  ['no policy', 'policies: [./policy.yaml]\n', '', /document\.malformed: expected policies, found nothing/],
  ['another version', 'swarm/v1', 'swarm/v2', /1:13: document\.malformed: expected ringmesh\.swarm\/v1/],
  ['a version of policies', 'ringmesh.swarm', 'ringmesh.policy', /1:13: document\.malformed/],
  ['no agents', /agents:\n {2}- name: desk[\s\S]*(?=^tools:)/m, 'agents: []\n', /document\.empty_list/],
  ['a pattern without a count', '    count: 3\n', '', /23:11: document\.malformed: expected a count/],
  [
    'a count without a pattern',
    'desk/clerk/*\n    count',
    'clerk\n    count',
    /23:11: [\s\S]*did you mean clerk\/\*\?/,
  ],
  [
    'an agent that takes the operator’s name',
    'desk/clerk/*\n    count: 3',
    'guest/operator',
    /23:11: document\.malformed: expected no name below guest\//,
  ],
  ['a count of nobody', 'count: 3', 'count: 0', /24:12: document\.malformed: expected at least 1/],
  [
    'an agent named twice',
    'name: desk/clerk/*\n    count: 3',
    'name: desk',
    /23:11: document\.duplicate_id: .*desk here and at line 13/,
  ],
  ['a name that is none', 'name: desk\n', 'name: Desk\n', /13:11: document\.malformed/],
  [
    'a contract among the agent’s code',
    './contract.ts, export: Desk',
    './desk.ts, export: Desk',
    /16:25: .*without the agent’s code/,
  ],
  ['an endorsement that opens nothing', 'trust: 650', 'trust: 599', /19:36: .*at least 600, which opens ring 2/],
  ['an endorsement for ring 0', 'ring: 2', 'ring: 0', /19:26: .*at least 1/],
  ['an endorsement for ever', ', for: 1h', '', /document\.malformed/],
  [
    'a start message for a child of others',
    'needs: { trust: 300 }',
    'spawned: true',
    /expected start to be its parent’s to say/,
  ],
  [
    'a sponsor whom nobody knows',
    'sponsor: bob',
    'sponsor: bop',
    /17:14: document\.unknown_name: [\s\S]*did you mean bob\?/,
  ],
  [
    'a setting that is none',
    'with: [db, days]',
    'with: [db, day]',
    /29:62: document\.unknown_name: [\s\S]*did you mean days\?/,
  ],
  ['a secret in the file', '{ secret: /run/secrets/token }', '{ secert: hunter2 }', /document\./],
  ['more quorum than operators', 'quorum: 2', 'quorum: 3', /4:11: .*at most 2/],
  ['one operator beyond this machine', 'quorum: 2', 'quorum: 1', /4:11: .*nats\.example\.com:4222 is not on loopback/],
  [
    'one operator with two names',
    /did:key:z6Mkv\w+/,
    'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
    /document\.duplicate_id/,
  ],
  [
    'a role of unknown agents',
    'agents: [desk/clerk/*]',
    'agents: [desk/clark/*]',
    /33:20: document\.unknown_name: .*desk\/clark/,
  ],
  [
    'an agent in two roles',
    'agents: [desk/clerk/*]',
    'agents: [desk/clerk/*, desk]',
    /33:34: document\.duplicate_id: .*desk in front, too/,
  ],
  ['an agent in no role', '  back: { agents: [desk/clerk/*] }\n', '', /23:11: .*in none/],
  [
    'a tool that no agent could reach',
    'tools: [records]',
    'tools: [record]',
    /32:36: document\.unknown_name: [\s\S]*did you mean records\?/,
  ],
  ['a broker with a password', 'nats.example.com:4222', 'nats://ann:pw@example.com:4222', /document\.malformed/],
  [
    'an end that waits for nobody',
    'until: answered',
    'until: { agent: dask, records: Opened }',
    /35:17: document\.unknown_name: [\s\S]*did you mean desk\?/,
  ],
  ['an end that nobody can see', /\n {4}start.*/, '', /34:8: .*start message/],
  ['a drain without a unit', 'drain: 20s', 'drain: 20', /document\.malformed: expected text/],
  ['a key that JavaScript has', 'until:', '__proto__: {}\nuntil:', /document\./],
  ['an anchor of YAML', 'realm: acme', 'realm: &a acme', /document\.malformed: expected plain data/],
  ['no YAML', 'realm: acme', 'realm: [acme', /document\.malformed/],
];

test('a misspelt key is told once', () => {
  const read = parseSwarm(GOOD.replace('export: desk', 'exprot: desk'), at);
  expect(read).toMatchObject({ ok: false, error: [{ code: 'document.unknown_key', path: 'agents[0].exprot' }] });
  expect(read.ok ? 0 : read.error.length).toBe(1);
});

test.each(BAD)('%s is refused where it stands', (_what, from, to, expected) => {
  const text = GOOD.replace(from, to);
  expect(text).not.toBe(GOOD);
  const read = parseSwarm(text, at);
  const told = read.ok ? 'accepted' : read.error.map(formatFault).join('\n');
  expect(told).toMatch(expected);
  expect(told).toMatch(/^acme\/swarm\.yaml:/);
});

test.each([
  ['none', true],
  ['spawn', true],
  ['127.0.0.1:4222', true],
  ['[::1]:4222', true],
  ['localhost:4222', true],
  ['localhost.example.com:4222', false],
  ['127.0.0.1.example.com:4222', false],
  ['10.0.0.1:4222', false],
])('%s is on loopback: %s', (broker, expected) => {
  expect(isLoopback(broker)).toBe(expected);
});
