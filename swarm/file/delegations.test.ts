import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatFault } from '../../policies/document/fault.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { keyOfTerms, rootsOf } from './delegations.ts';
import { parseSwarm } from './swarm-file.ts';

const HEAD = `apiVersion: ringmesh.swarm/v1
realm: acme
policies: [./p.yaml]
agents:
  - { name: desk, module: ./desk.ts, export: desk, contract: { module: ./contract.ts, export: Desk } }
  - { name: desk/clerk/*, count: 3, module: ./clerk.ts, export: clerk, contract: { module: ./contract.ts, export: Clerk } }
delegations:
`;

function read(entries: string) {
  return parseSwarm(HEAD + entries, { file: 'swarm.yaml', cwd: '/work' });
}

test('an agent by name gets one root, and all below a name one each', () => {
  const swarm = unwrap(
    read(`  - to: desk
    command: /
    depth: 1
  - to: desk/clerk/*
    command: /tool/mail/send
    where: [{ arg: to, is: in, value: [ann, bob] }]
    for: 1h
    budget: { calls: 3 }
  - { to: desk/clerk/2, command: /tool/mail, ceiling: 500 }
`),
    'a good file',
  );
  const plain = { where: [], depth: 0, ceiling: 1000, budget: {}, forMs: 30 * 86_400_000 };
  const mail = {
    ...{ ...plain, command: '/tool/mail/send', budget: { calls: 3 }, forMs: 3_600_000 },
    where: [{ arg: 'to', is: 'in', value: ['ann', 'bob'] }],
  };
  expect([...rootsOf(swarm)]).toEqual([
    ['desk', [{ ...plain, command: '/', depth: 1 }]],
    ['desk/clerk/1', [mail]],
    ['desk/clerk/2', [mail, { ...plain, command: '/tool/mail', ceiling: 500 }]],
    ['desk/clerk/3', [mail]],
  ]);
});

test('what is given tells roots apart; how long does not, nor the order of members', () => {
  const terms = { command: '/a', where: [], depth: 0, ceiling: 1000, budget: { calls: 1, ms: 2 } };
  expect(keyOfTerms({ budget: { ms: 2, calls: 1 }, ceiling: 1000, depth: 0, where: [], command: '/a' })).toBe(
    keyOfTerms(terms),
  );
  for (const other of [{ command: '/b' }, { depth: 1 }, { ceiling: 999 }, { budget: {} }]) {
    expect(keyOfTerms({ ...terms, ...other })).not.toBe(keyOfTerms(terms));
  }
});

const BAD: readonly [string, string, RegExp][] = [
  [
    'an agent who is not in the file',
    '  - { to: dsek, command: / }',
    /8:11: document\.unknown_name: [\s\S]*did you mean desk\?/,
  ],
  [
    'one more clerk than there are',
    '  - { to: desk/clerk/4, command: / }',
    /8:11: document\.unknown_name: [\s\S]*mean/,
  ],
  ['a pattern below which nobody is', '  - { to: dusk/*, command: / }', /8:11: document\.unknown_name/],
  ['nobody', '  - { command: / }', /expected delegations\[0\]\.to, found nothing/],
  ['a command that is none', '  - { to: desk, command: mail.send }', /8:26: document\.malformed/],
  ['a command with a star', '  - { to: desk, command: /tool/* }', /8:26: document\.malformed/],
  ['more links than a chain may have', '  - { to: desk, command: /, depth: 8 }', /8:36: .*at most 7/],
  ['longer than a year', '  - { to: desk, command: /, for: 367d }', /8:34: .*1s to 366d/],
  ['shorter than a second', '  - { to: desk, command: /, for: 500ms }', /8:34: .*1s to 366d/],
  ['for ever', '  - { to: desk, command: /, for: ever }', /8:34: document\.malformed/],
  ['more trust than there is', '  - { to: desk, command: /, ceiling: 1001 }', /8:38: .*at most 1000/],
  ['less than nothing', '  - { to: desk, command: /, budget: { calls: -1 } }', /8:46: .*at least 0/],
  [
    'a unit that nobody counts',
    '  - { to: desk, command: /, budget: { cals: 1 } }',
    /document\.unknown_key: [\s\S]*mean calls\?/,
  ],
  ['a parent', '  - { to: desk, command: /, parent: ann }', /document\.unknown_key/],
  [
    'a predicate that negates',
    '  - { to: desk, command: /, where: [{ arg: a, is: not, value: 1 }] }',
    /8:51: .*one of eq/,
  ],
  [
    'a predicate of another type',
    '  - { to: desk, command: /, where: [{ arg: a, is: max, value: x }] }',
    /8:37: .*its type/,
  ],
  [
    'a predicate of no argument',
    '  - { to: desk, command: /, where: [{ arg: a b, is: eq, value: x }] }',
    /8:37: .*an arg/,
  ],
  ['no predicate at all', '  - { to: desk, command: /, where: [] }', /document\.empty_list/],
  ['no delegation at all', '  []', /document\.empty_list/],
  [
    'the same twice, under two names',
    '  - { to: desk/clerk/*, command: /a/b, for: 1h }\n  - { to: desk/clerk/2, command: /a/b }',
    /9:11: document\.duplicate_id: .*desk\/clerk\/2 here and at line 8/,
  ],
  [
    'more than fits into a token',
    `  - { to: desk, command: /, where: [{ arg: a, is: in, value: [${Array.from({ length: 60 }, () => 'x'.repeat(99)).join()}] }] }`,
    /8:\d+: .*at most \d+ bytes of arguments/,
  ],
];

test.each(BAD)('%s is refused where it stands', (_what, entries, expected) => {
  const found = read(entries);
  const told = found.ok ? 'accepted' : found.error.map(formatFault).join('\n');
  expect(told).toMatch(expected);
});

test('more roots than nodes keep are refused', () => {
  const many = HEAD.replace('count: 3', 'count: 3000');
  const found = parseSwarm(`${many}  - { to: desk/clerk/*, command: / }\n`, { file: 's', cwd: '/' });
  expect(found.ok ? 'accepted' : found.error.map(formatFault).join()).toMatch(
    /at most 2048 delegations in all, found 3000/,
  );
});

test('whatever stands under delegations is read or refused, and every root is of an agent of the file', () => {
  const part = fc.constantFrom(
    'desk',
    'desk/*',
    'desk/clerk/*',
    'desk/clerk/1',
    'd',
    '/',
    '/a',
    '/a/b',
    '1h',
    '0d',
    '9',
    '{}',
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(part, part, part), { minLength: 1, maxLength: 4 }), (entries) => {
      const found = read(
        entries.map(([to, command, span]) => `  - { to: ${to}, command: ${command}, for: ${span} }`).join('\n'),
      );
      if (!found.ok) {
        expect(found.error).not.toEqual([]);
        return;
      }
      const names = ['desk', 'desk/clerk/1', 'desk/clerk/2', 'desk/clerk/3'];
      expect(names).toEqual(expect.arrayContaining([...rootsOf(found.value).keys()]));
    }),
  );
});
