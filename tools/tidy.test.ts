import { describe, expect, test } from 'vitest';
import { tidy } from './tidy.ts';

const clean = new Map([
  [
    'README.md',
    '# Ringmesh\n\nSee [the errors](docs/ERRORS.md), [the docs](docs/) and [the web](https://example.org).\n',
  ],
  [
    'docs/ERRORS.md',
    '# Errors\n\n| code | meaning | what to do |\n| --- | --- | --- |\n| `log.busy` | full | wait |\n',
  ],
  ['docs/GLOSSARY.md', '# Glossary\n\n- **append**: To record an event, e.g. by the CLI.\n'],
  ['docs/adr/0001-one-package.md', '# One package\n\n```sh\n# not a title\n```\n'],
  [
    'runtime/log/log.ts',
    "// L1. Order is total.\n\n/** L1. Keeps order (L1). NOTE(adr-0001) */\nthrow new LogError('log.busy');\n",
  ],
  ['runtime/log/log-error.ts', 'export class LogError extends Error { constructor(code: string) { super(code); } }\n'],
  ['runtime/log/log.test.ts', "test('L1: order', () => {\n  expect(f(')'))\n    .toBe(1); // TODO(#7)\n});\n"],
]);

/** The path, what is written there, and what tidy says. */
const samples: readonly (readonly [string, string, string])[] = [
  ['runtime/a.test.ts', "vi.mock('./b.ts');", 'runtime/a.test.ts:1: vi.mock: write a fake of the port'],
  ['runtime/a.ts', '\nconst a = b as any;', 'runtime/a.ts:2: as any: parse, or narrow from unknown'],
  ['runtime/a.ts', 'try { b(); } catch {}', 'runtime/a.ts:1: catch without a name'],
  ['docs/a.md', '# A\n\nFIXME', 'docs/a.md:3: FIXME: mend it'],
  ['runtime/a.ts', '// TODO: later', 'runtime/a.ts:1: TODO without an issue'],
  ['runtime/a.ts', "const a = 'x' as Did;", 'runtime/a.ts:1: as Did: only did.ts mints one'],
  ['mesh/a.ts', "const a = 'm1.acme.ask';", 'mesh/a.ts:1: a subject by hand'],
  ['runtime/a.ts', 'const a = Math.random();', 'runtime/a.ts:1: Math.random: take a Random'],
  ['runtime/a.ts', 'f(AbortSignal.timeout(5));', 'runtime/a.ts:1: AbortSignal.timeout: take a Clock'],
  ['runtime/a.ts', "const a = '\u00E2\u20AC\u2122';", 'runtime/a.ts:1: mojibake'],
  ['.npmrc', 'registry = https://packages.example.org/', '.npmrc:1: the address of a package registry'],
  [
    'package-lock.json',
    '"https://example.org/a/-/a-1.0.0.tgz"',
    'package-lock.json:1: the address of a package registry',
  ],
  ['docs/a.md', '# A\nfrom https://registry.example.org/a', 'docs/a.md:2: the address of a package registry'],
  ['runtime/a.test.ts', 'expect(equal(a, ")"));', 'runtime/a.test.ts:1: a bare expect'],
  ['runtime/a.contract.ts', 'expect.soft(a);', 'runtime/a.contract.ts:1: a bare expect'],
  ['runtime/log-utils.ts', '', 'runtime/log-utils.ts: a grab-bag'],
  ['runtime/types.ts', '', 'runtime/types.ts: a grab-bag'],
  ['runtime/a.ts', 'a();\n'.repeat(401), 'runtime/a.ts: 401 lines: split it, or say why'],
  ['docs/a.md', 'No title.', 'docs/a.md: expected one # title, found 0'],
  ['docs/a.md', '# One\n\n# Two', 'docs/a.md: expected one # title, found 2'],
  ['docs/a.md', '# A\n\n[gone](adr/0009-gone.md#why)', 'docs/a.md: a dead link to docs/adr/0009-gone.md'],
  ['runtime/a.ts', "return err({ code: 'a.b' });", 'runtime/a.ts:1: a.b is not in docs/ERRORS.md'],
  ['docs/ERRORS.md', '# Errors\n| `log.busy` | |\n| `a.b` | |', 'docs/ERRORS.md: no source produces a.b'],
  ['docs/ERRORS.md', '# Errors\n| `log.busy` | |\n| `log.busy` | |', 'docs/ERRORS.md: log.busy stands twice'],
  ['runtime/codec/a.ts', 'f(); // L1: in another folder', 'runtime/codec/a.ts:1: L1 is not defined in this folder'],
  ['runtime/log/a.ts', 'sync(); // L2', 'runtime/log/a.ts:1: L2 is not defined in this folder'],
  ['runtime/log/a.ts', 'f();\n/** L2. Nothing is lost. */', 'runtime/log/a.ts:2: L2 is not defined in this folder'],
  ['runtime/log/a.ts', "assert(head > 0, 'L2: a head');", 'runtime/log/a.ts:1: L2 is not defined in this folder'],
  [
    'runtime/log/a.test.ts',
    "test('L2: nothing is lost', f);",
    'runtime/log/a.test.ts:1: L2 is not defined in this folder',
  ],
  ['runtime/log/a.ts', '/**\n * L1. Something else.\n */', 'runtime/log/a.ts:2: L1 is defined twice in this folder'],
  ['runtime/a.ts', '// NOTE(adr-0002): so', 'runtime/a.ts:1: adr-0002 does not exist'],
  [
    'docs/GLOSSARY.md',
    '# Glossary\n- **fold**: A state. From events.',
    'docs/GLOSSARY.md: expected `- **word**: one sentence.`',
  ],
];

describe('tidy', () => {
  test('a tidy tree passes', () => {
    expect(tidy(clean)).toEqual([]);
  });

  test.each(samples)('%s holding %j is untidy', (path, text, finding) => {
    expect(tidy(new Map([...clean, [path, text]]))).toEqual([expect.stringContaining(finding)]);
  });

  test('a long file with its reason stated passes', () => {
    const text = `// Long because the table is one idea.\n${'a();\n'.repeat(401)}`;

    expect(tidy(new Map([...clean, ['runtime/a.ts', text]]))).toEqual([]);
  });

  test.each([
    ["err({ code: 'a.b', message })"],
    ["class A { readonly code = 'a.b' as const; }"],
    ["const code = fits ? 'a.b' : 'log.busy';"],
    ["new LogError(fits ? 'log.busy' : 'a.b')"],
    ["class A extends LogError { constructor() { super('a.b'); } }"],
    ["refuse(5, 'a.b');\nfunction refuse(offset: number, code: string) {}"],
    ["this.#stop('a.b');\nclass A { #stop(code: string) {} }"],
    ["const refuse = (code: string) => err({ code });\nrefuse('a.b');"],
  ])('an error code is found in %j', (text) => {
    const found = tidy(new Map([...clean, ['runtime/log/a.ts', text]]));

    expect(found).toEqual([expect.stringMatching(/^runtime\/log\/a\.ts:\d+: a\.b is not in docs\/ERRORS\.md$/)]);
  });

  test.each([
    ["hasCode(thrown, 'ENOENT')"],
    ["log.info('envelope.refused', { from })"],
    ["const type = 'saga.started';"],
  ])('no error code is found in %j', (text) => {
    expect(tidy(new Map([...clean, ['runtime/log/a.ts', text]]))).toEqual([]);
  });
});
