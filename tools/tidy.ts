/**
 * `node tools/tidy.ts`: the rules of the house that neither the compiler nor the linter knows. Every rule is a pure
 * function over the tree, as paths and texts, and has a failing sample in `tidy.test.ts`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { codesIn } from './error-codes.ts';

/** Every text file that git tracks or would track, by its path. */
export type Tree = ReadonlyMap<string, string>;

const LINES_MAX = 400;
const SOURCE = /\.(ts|mjs)$/;
const TEST = /\.(test|contract|fixture)\.ts$/;
const DOCUMENT = /\.md$/;
/** Where the clock, chance and the environment may be read without a port. */
const AMBIENT = /^(runtime\/core\/system\.ts|swarm\/cli\/|bench\/|tools\/)|\.(int|e2e)\.test\.ts$/;

type Ban = { readonly pattern: RegExp; readonly instead: string; readonly where: RegExp; readonly except?: RegExp };

/** What may not stand in a text, and what to write instead. The samples of these rules would break them. */
const bans: readonly Ban[] = [
  { where: SOURCE, pattern: /\bvi\.mock\(/g, instead: 'vi.mock: write a fake of the port' },
  { where: SOURCE, pattern: /\bas any\b/g, instead: 'as any: parse, or narrow from unknown' },
  {
    where: SOURCE,
    pattern: /\bcatch \{/g,
    instead: 'catch without a name: catch the narrowest thing, rethrow the rest',
  },
  { where: /./, pattern: /\bFIXME\b/g, instead: 'FIXME: mend it, or file an issue and write TODO(#N)' },
  { where: SOURCE, pattern: /\bTODO\b(?!\(#\d+\))/g, instead: 'TODO without an issue: write TODO(#N)' },
  {
    where: SOURCE,
    pattern: /\bas Did\b/g,
    except: /(^|\/)did\.ts$/,
    instead: 'as Did: only did.ts mints one, parse it',
  },
  {
    where: SOURCE,
    pattern: /['"`]m1\./g,
    except: /^mesh\/subject(\.test)?\.ts$/,
    instead: 'a subject by hand: use a builder of mesh/subject.ts',
  },
  { where: SOURCE, pattern: /\bMath\.random\b/g, except: AMBIENT, instead: 'Math.random: take a Random' },
  {
    where: SOURCE,
    pattern: /\bAbortSignal\.timeout\b/g,
    except: AMBIENT,
    instead: 'AbortSignal.timeout: take a Clock',
  },
  {
    where: /./,
    pattern: /\uFFFD|\u00C3[\u0080-\u00BF]|\u00E2\u20AC|\u0393\u00E5/g,
    instead: 'mojibake: save the file as UTF-8',
  },
  {
    where: /./,
    pattern: /https?:\/\/[^\s"'`)]*(\bregistry\b|\bnpmjs\b|\/-\/[^\s"'`)]*\.tgz)|^\s*(@[\w-]+:)?registry\s*=/gm,
    instead: 'the address of a package registry: whoever installs has their own',
  },
];

const rules: readonly ((tree: Tree) => readonly string[])[] = [
  banned,
  bareExpects,
  grabBags,
  longFiles,
  titles,
  deadLinks,
  errorCodes,
  invariants,
  decisions,
  glossary,
];

/** What is untidy in `tree`: `path:line: what, and what to do`. */
export function tidy(tree: Tree): readonly string[] {
  return rules.flatMap((rule) => rule(tree));
}

function banned(tree: Tree): readonly string[] {
  return bans.flatMap(({ where, except, pattern, instead }) =>
    select(tree, where)
      .filter(([path]) => except?.test(path) !== true)
      .flatMap(([path, text]) =>
        [...text.matchAll(pattern)].map((match) => `${at(path, text, match.index)}: ${instead}`),
      ),
  );
}

/** `expect(x)` without a matcher checks nothing and passes. */
function bareExpects(tree: Tree): readonly string[] {
  return select(tree, TEST).flatMap(([path, text]) =>
    [...text.matchAll(/\bexpect(\.soft)?\(/g)]
      .filter((match) => !/^\s*\./.test(text.slice(closing(text, match.index + match[0].length))))
      .map((match) => `${at(path, text, match.index)}: a bare expect: end it in a matcher`),
  );
}

/** The index after the parenthesis that closes the one before `start`; strings are skipped whole. */
function closing(text: string, start: number): number {
  let depth = 1;
  const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|[()]/g;
  token.lastIndex = start;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (match[0] === '(') depth++;
    if (match[0] === ')' && --depth === 0) return token.lastIndex;
  }
  return text.length;
}

function grabBags(tree: Tree): readonly string[] {
  const bag = /(^|\/|-)(utils?|helpers?|types|common|misc|managers?)\.[^/]*$/;
  return select(tree, SOURCE)
    .filter(([path]) => bag.test(path))
    .map(([path]) => `${path}: a grab-bag: name the file after the one idea in it`);
}

function longFiles(tree: Tree): readonly string[] {
  return select(tree, SOURCE)
    .filter(([, text]) => lines(text).length > LINES_MAX && !/(\/\/|\*) Long because /.test(text))
    .map(([path, text]) => `${path}: ${lines(text).length} lines: split it, or say why in a comment "Long because …"`);
}

function titles(tree: Tree): readonly string[] {
  return select(tree, DOCUMENT)
    .map(([path, text]) => ({ path, count: lines(prose(text)).filter((line) => line.startsWith('# ')).length }))
    .filter(({ count }) => count !== 1)
    .map(({ path, count }) => `${path}: expected one # title, found ${count}`);
}

function deadLinks(tree: Tree): readonly string[] {
  const folders = new Set([...tree.keys()].map((path) => dirname(path)));
  return select(tree, DOCUMENT).flatMap(([path, text]) =>
    [...prose(text).matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)]
      .map(([, target = '']) => normalize(join(dirname(path), target)).replace(/\/$/, ''))
      .filter((target) => !tree.has(target) && !folders.has(target))
      .map((target) => `${path}: a dead link to ${target}`),
  );
}

/** The codes of the source are those of docs/ERRORS.md, each documented once. */
function errorCodes(tree: Tree): readonly string[] {
  const document = 'docs/ERRORS.md';
  const sources = select(tree, /^(?!tools\/|bench\/).*\.ts$/).filter(([path]) => !TEST.test(path));
  const produced = codesIn(new Map(sources));
  const rows = [...(tree.get(document) ?? '').matchAll(/^\| `([^`]+)`/gm)].map(([, code = '']) => code);
  return [
    ...[...produced]
      .filter(([code]) => !rows.includes(code))
      .map(([code, place]) => `${place}: ${code} is not in ${document}`),
    ...rows.filter((code) => !produced.has(code)).map((code) => `${document}: no source produces ${code}`),
    ...rows.filter((code, n) => rows.indexOf(code) !== n).map((code) => `${document}: ${code} stands twice`),
  ];
}

/** An invariant is defined by a line `L1. …` of the comment that opens a file, once in its folder. Comments below cite it
 *  as `(L1)`, `L1. …`, `L1: …` or by `L1` alone; tests and assertions by a text that starts `L1: `. */
function invariants(tree: Tree): readonly string[] {
  const sources = select(tree, SOURCE).map(([path, text]) => ({ path, text }));
  const defined = new Set<string>();
  const found: string[] = [];
  for (const { path, text } of sources) {
    for (const { id, index } of definitions(text)) {
      const key = `${dirname(path)} ${id}`;
      if (defined.has(key)) found.push(`${at(path, text, index)}: ${id} is defined twice in this folder`);
      defined.add(key);
    }
  }
  for (const { path, text } of sources) {
    for (const { id, index } of citations(text)) {
      if (!defined.has(`${dirname(path)} ${id}`))
        found.push(`${at(path, text, index)}: ${id} is not defined in this folder`);
    }
  }
  return found;
}

type Mention = { readonly id: string; readonly index: number };

function definitions(text: string): readonly Mention[] {
  return [...opening(text).matchAll(/^(?:\/\/|\/?\*+| \*) +([A-Z]\d{1,2})\. /gm)].map(({ 1: id = '', index }) => ({
    id,
    index,
  }));
}

function citations(text: string): readonly Mention[] {
  const start = opening(text).length;
  const cited = [
    /(?:\/\/|\/?\*+) ([A-Z]\d{1,2})(?=: |\. |\.?$)/gm,
    /(?:\/\/|\*) .*\(([A-Z]\d{1,2})\)/g,
    /\b(?:test\(|assert\(.*, )['"`]([A-Z]\d{1,2}): /g,
  ];
  return cited
    .flatMap((pattern) => [...text.slice(start).matchAll(pattern)])
    .map(({ 1: id = '', index }) => ({ id, index: start + index }));
}

/** The comment that a file opens with. */
function opening(text: string): string {
  return /^(?:\/\*[\s\S]*?\*\/|(?:\/\/.*\n)+)/.exec(text)?.[0] ?? '';
}

function decisions(tree: Tree): readonly string[] {
  const known = new Set([...tree.keys()].map((path) => /^docs\/adr\/(\d{4})-/.exec(path)?.[1]));
  return [...tree].flatMap(([path, text]) =>
    [...text.matchAll(/\badr-(\d{4})\b/g)]
      .filter(([, number]) => !known.has(number))
      .map((match) => `${at(path, text, match.index)}: ${match[0]} does not exist`),
  );
}

/** A word of the glossary is one line, `- **word**: one sentence.` */
function glossary(tree: Tree): readonly string[] {
  const path = 'docs/GLOSSARY.md';
  return lines(tree.get(path) ?? '')
    .filter((line) => line.startsWith('- ') && !/^- \*\*[^*]+\*\*: (?:(?!\. [A-Z]).)+\.$/.test(line))
    .map((line) => `${path}: expected \`- **word**: one sentence.\`, found "${line}"`);
}

function select(tree: Tree, paths: RegExp): readonly (readonly [string, string])[] {
  return [...tree].filter(([path]) => paths.test(path));
}

/** A document without its code blocks and code spans. */
function prose(text: string): string {
  return text.replace(/^```.*?^```/gms, '').replace(/`[^`\n]*`/g, '');
}

function lines(text: string): readonly string[] {
  return text.replace(/\n$/, '').split('\n');
}

function at(path: string, text: string, index: number): string {
  return `${path}:${text.slice(0, index).split('\n').length}`;
}

/** Paths of the files that git tracks, or would track, in `directory`, as git writes them. */
export function filesOf(directory: string): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: directory,
    encoding: 'utf8',
  });
  return listed.split('\0').filter((name) => name !== '' && existsSync(join(directory, name)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const unread = /^tools\/tidy\.(test\.)?ts$|\.(bin|mdb|png|tgz)$/; // these two name what is banned
  const paths = filesOf('.').filter((path) => !unread.test(path));
  const found = tidy(new Map(paths.map((path) => [path, readFileSync(path, 'utf8')])));
  for (const finding of found) console.error(finding);
  console.log(`tidy: ${paths.length} files read, ${found.length} findings`);
  process.exitCode = found.length > 0 || paths.length === 0 ? 1 : 0;
}
