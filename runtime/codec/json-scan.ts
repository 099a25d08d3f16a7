/**
 * Where a JSON text is wrong. `JSON.parse` is fast but names no place that a program could use and lets duplicate keys pass;
 * this scanner is several times slower, and for where that matters: for what strangers say, and to tell at which byte it is
 * wrong.
 */
import { Buffer } from 'node:buffer';

/** The first fault of a text, at its byte offset. `message` is `expected`, and what was found. */
export type Scan = {
  readonly fault?: { readonly expected: string; readonly message: string; readonly offset: number };
};

/** Told of each value as it begins: the names that lead to it, which change with the next one, and its first character. */
type Visit = (names: readonly string[], index: number) => void;

/** Scans one JSON text as RFC 8259 has it, with no duplicate names; `depthMax` bounds the recursion. Linear in the text. */
export function scanJson(text: string, depthMax: number, visit: Visit = () => undefined): Scan {
  const names: string[] = [];
  let at = 0;

  class Fault extends Error {}
  const fail = (expected: string): never => {
    throw new Fault(expected);
  };
  const skipSpace = (): void => {
    while (/[ \t\n\r]/.test(text[at] ?? '')) at++;
  };
  const take = (pattern: RegExp, expected: string): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? fail(expected);
    at += found.length;
    return found;
  };
  const scanString = (): string => {
    const start = at;
    if (text[at] !== '"') fail('a string');
    at++;
    take(CHARACTERS, 'a string');
    if (text[at] !== '"') fail('a closing quote or a well-formed character');
    at++;
    const value: string = JSON.parse(text.slice(start, at));
    if (!value.isWellFormed()) {
      at = start;
      fail('no lone surrogate');
    }
    return value;
  };
  const scanValue = (): void => {
    skipSpace();
    visit(names, at);
    if (names.length > depthMax) fail(`at most ${depthMax} levels`);
    const next = text[at];
    if (next === '{') scanObject();
    else if (next === '[') scanArray();
    else if (next === '"') scanString();
    else take(LITERAL, 'a value');
  };
  const scanMember = (name: string): void => {
    names.push(name);
    scanValue();
    names.pop();
  };
  const scanObject = (): void => {
    const known = new Set<string>();
    at++;
    skipSpace();
    if (text[at] === '}') return void at++;
    for (;;) {
      skipSpace();
      const start = at;
      const name = scanString();
      if (known.has(name)) {
        at = start;
        fail('each name once in an object');
      }
      known.add(name);
      skipSpace();
      if (text[at] !== ':') fail('a colon');
      at++;
      scanMember(name);
      skipSpace();
      if (text[at] === '}') return void at++;
      if (text[at] !== ',') fail('a comma or a closing brace');
      at++;
    }
  };
  const scanArray = (): void => {
    at++;
    skipSpace();
    if (text[at] === ']') return void at++;
    for (let item = 0; ; item++) {
      scanMember(String(item));
      skipSpace();
      if (text[at] === ']') return void at++;
      if (text[at] !== ',') fail('a comma or a closing bracket');
      at++;
    }
  };

  try {
    scanValue();
    skipSpace();
    if (at < text.length) fail('the end');
    return {};
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const expected = `expected ${error.message}`;
    const found = at < text.length ? JSON.stringify(text[at]) : 'the end';
    return { fault: { expected, message: `${expected}, found ${found}`, offset: byteOffset(text, at) } };
  }
}

/** The byte at which the value at a path (`x.j`) begins, or the innermost value around it that is there. */
export function placeOf(text: string, path: string, depthMax: number): number {
  /** By depth: what is left of the path below the value that was last begun there, if it is on the way. */
  const rests: (string | undefined)[] = [path];
  let [place, depth] = [0, 0];
  scanJson(text, depthMax, (names, index) => {
    const { length } = names;
    if (length > 0) rests[length] = restBelow(rests[length - 1], names[length - 1] ?? '');
    if (rests[length] === undefined || length < depth) return;
    [place, depth] = [index, length];
  });
  return byteOffset(text, place);
}

/** What is left of a path below `name`; `undefined` where it does not lead there. */
function restBelow(path: string | undefined, name: string): string | undefined {
  if (path === undefined || path === '' || !path.startsWith(name)) return undefined;
  if (path.length === name.length) return '';
  return path[name.length] === '.' ? path.slice(name.length + 1) : undefined;
}

export function byteOffset(text: string, index: number): number {
  return Buffer.byteLength(text.slice(0, index));
}

const LITERAL = /null|true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 forbids exactly these inside a string.
const CHARACTERS = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
