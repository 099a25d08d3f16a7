/**
 * The floors gate: who may import whom, and which outside packages. `FLOORS` and `PACKAGES` are the only place where that
 * is written down; the rules are made from them.
 *
 * F1. What is not listed is refused: a folder that is no room, a package without a row, a file no rule could place.
 * F2. Types count. `import type` is a dependency like any other.
 * F3. The gate proves that it looked: it fails when it read fewer modules than there are files. (dependency-cruiser reads
 *     none, and reports success, under a TypeScript that it does not know: adr-0005.)
 */
import { globSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import {
  cruise,
  type ICruiseResult,
  type IFlattenedRuleSet,
  type IRegularForbiddenRuleType as Rule,
} from 'dependency-cruiser';

/** Bottom first. A file imports its own room and the floors below; rooms of one floor do not meet. `runtime` stands for
 *  the files directly in it: the faces that outsiders import. */
const FLOORS: readonly (readonly string[])[] = [
  ['runtime/core'],
  ['runtime/codec'],
  ['runtime/log'],
  ['runtime/kernel'],
  ['runtime/actor'],
  ['runtime'],
  ['policies', 'mesh', 'sagas', 'sre'],
  ['swarm'],
  ['examples', 'compose'],
];

/** Tests, the suites that ports must pass, and what only these use. */
const TESTS = ['*.test.ts', '*.contract.ts', '*.fixture.ts'];

/** A package (a scope ends in `/`), or a Node module that is not free for all, and where it may be imported: rooms, single
 *  files, or every file with an ending (`*`). */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@nats-io/': ['mesh'],
  '@noble/': ['runtime/codec', 'mesh'],
  '@standard-schema/spec': ['runtime/actor'],
  commander: ['swarm'],
  'did-jwt': ['mesh'],
  'fast-check': TESTS,
  lmdb: ['runtime/log'],
  multiformats: ['runtime/codec', 'mesh'],
  nats: ['mesh'],
  'node:crypto': ['runtime/core', 'runtime/codec', 'mesh', ...TESTS],
  picocolors: ['swarm'],
  testcontainers: TESTS,
  vitest: TESTS,
  xstate: ['runtime/core/machine.ts', 'runtime/core/machine.test.ts', '*.machine.ts'],
  yaml: ['policies', 'sagas', 'sre', 'swarm'],
  zod: ['runtime/log', 'runtime/actor', 'policies', 'swarm', 'sre', 'examples'],
};

const rooms = FLOORS.flat();
/** Who may import everything: nothing imports them. */
const WORKSHOPS = ['bench', 'tools'];
const FACE = '(^|/)index\\.ts$|^runtime/[^/]+\\.ts$';

type Verdict = { readonly modules: number; readonly violations: readonly string[] };

/** What the floors say about the tree at `root`. `reader` is a parameter so that a test can be blind (F3). */
export async function checkFloors(root: string, reader: typeof read = read): Promise<Verdict> {
  const files = globSync('**/*.ts', { cwd: root, exclude: ['**/node_modules', 'dist', 'coverage', '.*'] });
  const placed = files.filter((file) => matches(file, [...rooms, ...WORKSHOPS]));
  const homeless = files.filter((file) => file.includes('/') && !placed.includes(file));
  const { modules, summary } = await reader(root, placed);
  const own = modules.filter((module) => placed.includes(module.source));
  const violations = [
    ...homeless.map((file) => `no-such-room: ${file}`),
    ...summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to.replace(/^.*node_modules\//, '')}`),
  ];
  if (own.length < placed.length) violations.push(`unread: ${placed.length} files, ${own.length} modules read`);
  return { modules: own.length, violations };
}

async function read(root: string, files: readonly string[]): Promise<Pick<ICruiseResult, 'modules' | 'summary'>> {
  const { output } = await cruise(
    [...files],
    {
      baseDir: root,
      validate: true,
      ruleSet: rules(),
      doNotFollow: { path: 'node_modules' },
      tsPreCompilationDeps: true, // F2
      detectProcessBuiltinModuleCalls: true,
    },
    { conditionNames: ['source', 'types', 'import', 'node', 'default'], exportsFields: ['exports'] },
  );
  if (typeof output === 'string') throw new Error(`expected a cruise result, found ${output}`);
  return output;
}

function rules(): IFlattenedRuleSet {
  return { forbidden: [...upwards(), ...packages(), ...habits()] };
}

/** Per room, one rule: the rooms above and beside it are out of reach. */
function upwards(): Rule[] {
  return FLOORS.flatMap((floor, height) =>
    floor.map((room) => {
      const level = FLOORS.slice(height).flat();
      const closed = [...level.filter((other) => other !== room), ...WORKSHOPS];
      return forbid(`${room}-is-low`, { path: inside([room]) }, { path: inside(closed) });
    }),
  );
}

function packages(): Rule[] {
  const rows = Object.entries(PACKAGES).map(([name, homes]) =>
    forbid(`${name}-at-home`, { path: inside(rooms), pathNot: inside(homes) }, { path: outside(name) }),
  );
  // F1: neither a file of the house, nor Node's, nor in the table. A name that does not resolve is caught too.
  const known = [inside([...rooms, ...WORKSHOPS]), ...Object.keys(PACKAGES).map(outside)];
  return [...rows, forbid('unlisted', { path: inside(rooms) }, { pathNot: known, dependencyTypesNot: ['core'] })];
}

function habits(): Rule[] {
  const guests = inside(['examples', 'compose']);
  const tests = inside(TESTS);
  return [
    forbid('no-cycle', {}, { circular: true }),
    forbid('import-the-file', { path: inside(rooms), pathNot: [guests, tests] }, { path: FACE }),
    forbid('faces-only', { path: guests }, { path: inside(rooms), pathNot: [FACE, guests] }),
    forbid('tests-are-leaves', { path: inside(rooms), pathNot: tests }, { path: tests }),
  ];
}

function forbid(name: string, from: Rule['from'], to: Rule['to']): Rule {
  return { name, severity: 'error', from, to };
}

/** A regular expression for the files of these places. */
function inside(places: readonly string[]): string {
  return places.map(insideOne).join('|');
}

function insideOne(place: string): string {
  if (place === 'runtime') return '^runtime/[^/]+$';
  const literal = RegExp.escape(place.replace(/^\*/, ''));
  if (place.startsWith('*')) return `${literal}$`;
  return place.endsWith('.ts') ? `^${literal}$` : `^${literal}/`;
}

/** A package by its place on disk, or by its bare name where it is not installed; a Node module by its name. */
function outside(name: string): string {
  if (name.startsWith('node:')) return `^(node:)?${name.slice('node:'.length)}$`;
  return `(^|node_modules/)${name}${name.endsWith('/') ? '' : '(/|$)'}`;
}

function matches(file: string, places: readonly string[]): boolean {
  return new RegExp(inside(places)).test(file);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { modules, violations } = await checkFloors(process.cwd());
  for (const violation of violations) console.error(violation);
  console.log(`floors: ${modules} modules read, ${violations.length} violations`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
