import { describe, expect, test } from 'vitest';
import { bundle, compileBundle } from '../bundle/bundle.ts';
import { faultsOf, TOOLS, yaml } from '../policy.fixture.ts';
import { parsePolicy, parsePolicyData, policy } from './document.ts';
import { formatFault, PolicyError } from './fault.ts';
import { rateLimit, readOnly, requireApproval } from './sugar.ts';

const HEAD = 'apiVersion: ringmesh.policy/v1\nname: test\nlayer: org\n';

/** The first line of each fault: place, code, message. */
const told = (text: string) => faultsOf(text).map((fault) => fault.split('\n')[0]);

describe('a fault is told with its place, the line, a caret, and what was probably meant', () => {
  test('in a document', () => {
    expect(faultsOf(`${HEAD}rules:\n  - id: cap\n    on: { toolname: pay.send }\n    effect: dney\n`)).toEqual([
      'test.yaml:6:11: document.unknown_key: expected one of point, tool, verb, effect, reversibility, agent, tenant, team, role; found "toolname"\n 6 |     on: { toolname: pay.send }\n   |           ^^^^^^^^\n  did you mean tool?',
      'test.yaml:7:13: document.malformed: expected one of allow, escalate, deny, oblige, found "dney"\n 7 |     effect: dney\n   |             ^^^^\n  did you mean deny?',
    ]);
  });

  test.each([
    ['plain', 'when: args.a && true', 11, 18],
    ['in double quotes', 'when: "args.a && true"', 11, 19],
    ['in single quotes', "when: 'args.a && true'", 11, 19],
    ['in a block', 'when: |\n      true and\n      args.a && true', 13, 14],
    ['folded', 'when: >-\n      true and\n      args.a && true', 13, 14],
    ['folded in quotes', 'when: "true and\n      args.a && true"', 12, 14],
    ['behind an escape', 'when: "\\"x\\" == args.a && true"', 11, 28],
  ])('in a condition that is written %s', (_, when, line, column) => {
    const faults = faultsOf(`${HEAD}rules:\n\n\n\n  - id: r\n    effect: deny\n    on: any\n    ${when}\n`);

    expect(faults[0]).toMatch(new RegExp(`^test.yaml:${line}:${column}: document.bad_expression: .*"&&"`));
  });

  test('in the rule of a bundle', () => {
    const good = yaml(
      'name: test\nlayer: org\nrules:\n  - { id: r, on: { tool: pay.sned }, effect: deny }\n  - { id: s, on: { tool: [fs.read, cmr.*] }, effect: deny }\n  - { id: t, on: any, when: subject.ring > 3, effect: deny }',
    );
    const compiled = compileBundle([TOOLS, good]);

    expect(compiled.ok ? [] : compiled.error.map((fault) => formatFault(fault).replace(/\n.*\n.*/, ''))).toEqual([
      expect.stringMatching(/^test.yaml:5:26: document.unknown_name: .*"pay.sned".*\n {2}did you mean pay.send\?$/),
      expect.stringMatching(/^test.yaml:6:36: document.unknown_name: .*"cmr.\*"/),
      expect.stringMatching(/^test.yaml:7:29: document.never_matches/),
    ]);
  });
});

describe('what is doubtful is refused', () => {
  test.each([
    ['', 'test.yaml:1:1: document.malformed: expected keys and values, found null'],
    ['- a', 'test.yaml:1:1: document.malformed: expected keys and values, found ["a"]'],
    ['a: [', /document.malformed: Flow sequence/],
    ['a: 1\na: 2', /^test.yaml:2:1: document.malformed: Map keys must be unique/],
    ['a: &x 1\nb: *x', /^test.yaml:1:7: document.malformed: expected plain data, found an anchor or an alias/],
    ['a: !!js/function x', /^test.yaml:1:4: document.malformed: Unresolved tag/],
    ['a: .inf', /document.malformed: expected text, a finite number/],
    ['a: 1\n---\nb: 2', /document.malformed: expected one document in a file, found several/],
    ['? [a]\n: 1', /document.malformed: expected keys that are words/],
    [`a: ${'['.repeat(60)}${']'.repeat(60)}`, /document.malformed: expected at most 32 levels/],
    [`${'- '.repeat(20_000)}x`, /document.malformed: expected (less nesting|at most 32 levels)/],
    ['a: "\\ud800"', /document.malformed: expected JSON data at \$.a/],
    ['__proto__: { x: 1 }', /document.unknown_key: expected no key named "__proto__"/],
  ])('%#', (text, expected) => {
    const [first] = told(text);

    if (typeof expected === 'string') expect(first).toBe(expected);
    else expect(first).toMatch(expected);
  });

  test.each([
    ['rules: []', /^test.yaml:4:8: document.empty_list/],
    ['rules: [{ id: r, on: {}, effect: deny }]', /^test.yaml:4:22: document.empty_list/],
    ['rules: [{ id: r, on: { tool: [] }, effect: deny }]', /^test.yaml:4:30: document.empty_list/],
    ['rules: [{ id: r, effect: deny }]', /^test.yaml:4:9: document.malformed: expected .*found nothing/],
    ['rules: [{ id: r, on: any }]', /document.malformed: expected one of allow, escalate, deny, oblige, found nothing/],
    ['rules: [{ id: R 1, on: any, effect: deny }]', /^test.yaml:4:15: document.malformed: expected text of the form/],
    [
      'rules: [{ id: r, on: any, effect: warn }]',
      /document.malformed: expected one of allow, escalate, deny, oblige, found "warn"/,
    ],
    ['rules: [{ id: r, on: any, effect: deny, action: allow }]', /document.unknown_key: .*found "action"/],
    ['rules: [{ id: r, on: any, effect: deny, priority: 5 }]', /document.unknown_key: .*found "priority"/],
    ['rules: [{ id: r, on: any, effect: oblige }]', /document.malformed: expected obligations in a rule that obliges/],
    [
      'rules: [{ id: r, on: any, effect: deny, obligations: [{ notify: x }] }]',
      /document.malformed: expected no obligations of a rule that denies/,
    ],
    [
      'rules: [{ id: r, on: any, effect: allow, obligations: [{ notify: x, sandbox: 1 }] }]',
      /document.malformed: expected one obligation in each entry/,
    ],
    [
      'rules: [{ id: r, on: any, effect: escalate, obligations: [{ approve: { of: x, onTimeout: allow } }] }]',
      /document.malformed: expected one of deny, suspend, found "allow"/,
    ],
    [
      'rules: [{ id: r, on: any, effect: escalate, obligations: [{ approve: { of: x, expires: 8d } }] }]',
      /expire within 7d/,
    ],
    ['rules: [{ id: r, on: { tool: "*" }, effect: deny }]', /document.malformed: expected text of the form/],
    ['rules: [{ id: r, on: { tool: "f*s" }, effect: deny }]', /document.malformed: expected text of the form/],
    ['rules: [{ rateLimit: { limit: abc, per: 1m } }]', /document.malformed: expected .*number, found "abc"/],
    ['rules: [{ rateLimit: { limit: 2, per: min } }]', /document.malformed: expected text of the form/],
    ['rules: [{ rateLimit: { limit: 0, per: 1m } }]', /document.malformed: expected at least 1, found 0/],
    [
      'rules: [{ id: r, on: any, effect: deny }, { id: r, on: any, effect: allow }]',
      /^test.yaml:4:49: document.duplicate_id: .*line 4/,
    ],
    ['tools: { x: { effects: [] } }', /document.empty_list/],
    ['tools: { x: { effects: [raed] } }', /found "raed"/],
    ['tools: { x: { parameters: { a: { type: integer, minimum: 3 } } } }', /document.unknown_key: .*found "minimum"/],
    ['description: nothing else', /document.malformed: expected rules, tools or an agent, found none/],
    ['facts: { f: { of: x, by: [], within: 1h } }\nrules: [{ readOnly: {} }]', /document.empty_list/],
    ['for: { tenant: [] }\nrules: [{ readOnly: {} }]', /document.empty_list/],
    [
      'agent: { id: ada, manifest: { tools: [{ name: x }] } }',
      /expected a document that describes an agent to be in the layer "agent"/,
    ],
  ])('%s', (text, expected) => {
    expect(told(HEAD + text)[0]).toMatch(expected);
  });

  test('a document of a kind that is not known, or in no layer', () => {
    expect(told('apiVersion: other/v1\nname: x\nrules: [{ readOnly: {} }]')).toEqual([
      'test.yaml:1:13: document.malformed: expected ringmesh.policy/v1, found "other/v1"',
    ]);
    expect(told('apiVersion: ringmesh.policy/v1\nname: x\nrules: [{ readOnly: {} }]')).toEqual([
      'test.yaml:1:1: document.malformed: expected a layer, found none',
    ]);
  });
});

describe('YAML and TypeScript say the same', () => {
  const written = yaml(`
name: words
layer: org
rules:
  - rateLimit: { limit: 100, per: 1m }
  - requireApproval: { actions: [pay.send], of: role:finance, quorum: 2, expires: 30m }
  - readOnly: {}
`);
  const coded = policy({
    name: 'words',
    layer: 'org',
    rules: [
      readOnly(),
      rateLimit(100, '1m'),
      requireApproval({ actions: ['pay.send'], of: 'role:finance', quorum: 2, expires: '30m' }),
    ],
  });

  test('down to the digest', () => {
    expect(bundle([TOOLS, written]).digest).toBe(bundle([coded, TOOLS]).digest);
  });

  test('and a fault in code is thrown at its author', () => {
    const twice = () => policy({ name: 'twice', layer: 'org', rules: [readOnly(), readOnly()] });

    expect(twice).toThrow(PolicyError);
    expect(twice).toThrow(/policy twice: rules\[1\]: document.duplicate_id/);
  });
});

test('a fact has one meaning in a bundle', () => {
  const counts = (name: string, window: string) =>
    yaml(
      `name: ${name}\nlayer: org\nfacts: { refunds: { of: pay.send, by: [subject.id], within: ${window} } }\nrules: [{ readOnly: {} }]`,
    );

  expect(compileBundle([TOOLS, counts('a', '1h'), counts('b', '1h')]).ok).toBe(true);
  expect(compileBundle([TOOLS, counts('a', '1h'), counts('b', '2h')])).toMatchObject({
    error: [{ code: 'document.duplicate_id' }],
  });
});

test('a text of eight million characters is read, a longer one is not', () => {
  expect(parsePolicy('x'.repeat(8 * 1024 * 1024 + 1), 'big.yaml')).toMatchObject({
    error: [{ code: 'document.too_large' }],
  });
});

test('data that no text can hold is refused, not thrown at', () => {
  for (const value of [null, 7, 'x', [], { a: { b: 1 } }]) expect(parsePolicyData(value, 'data').ok).toBe(false);
});
