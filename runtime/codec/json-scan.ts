/**
 * Where a JSON text is wrong. `JSON.parse` is fast but names no place that a program could use and lets duplicate keys pass;
 * this scanner is the slow path, walked only once something has been refused, to say at which byte.
 */
import { Buffer } from 'node:buffer';

/** What a scan found: where each member stands, by its path (`x.j`), and the first fault, both as byte offsets. */
export type Scan = {
  readonly members: ReadonlyMap<string, number>;
  readonly fault?: { readonly message: string; readonly offset: number };
};

/** Scans one JSON text as RFC 8259 has it, with no duplicate names; `depthMax` bounds the recursion. */
export function scanJson(text: string, depthMax: number): Scan {
  const members = new Map<string, number>();
  let at = 0;

  class Fault extends Error {}
  const byteOffset = (index: number): number => Buffer.byteLength(text.slice(0, index));
  const fail = (expected: string): never => {
    throw new Fault(`expected ${expected}, found ${at < text.length ? JSON.stringify(text[at]) : 'the end'}`);
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
  const scanValue = (path: string, depth: number): void => {
    skipSpace();
    members.set(path, byteOffset(at));
    if (depth > depthMax) fail(`at most ${depthMax} levels`);
    const next = text[at];
    if (next === '{') scanObject(path, depth);
    else if (next === '[') scanArray(path, depth);
    else if (next === '"') scanString();
    else take(LITERAL, 'a value');
  };
  const scanObject = (path: string, depth: number): void => {
    const names = new Set<string>();
    at++;
    skipSpace();
    if (text[at] === '}') return void at++;
    for (;;) {
      skipSpace();
      const start = at;
      const name = scanString();
      if (names.has(name)) {
        at = start;
        fail('each name once');
      }
      names.add(name);
      skipSpace();
      if (text[at] !== ':') fail('a colon');
      at++;
      scanValue(path === '' ? name : `${path}.${name}`, depth + 1);
      skipSpace();
      if (text[at] === '}') return void at++;
      if (text[at] !== ',') fail('a comma or a closing brace');
      at++;
    }
  };
  const scanArray = (path: string, depth: number): void => {
    at++;
    skipSpace();
    if (text[at] === ']') return void at++;
    for (let item = 0; ; item++) {
      scanValue(`${path}.${item}`, depth + 1);
      skipSpace();
      if (text[at] === ']') return void at++;
      if (text[at] !== ',') fail('a comma or a closing bracket');
      at++;
    }
  };

  try {
    scanValue('', 0);
    skipSpace();
    if (at < text.length) fail('the end');
    return { members };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { members, fault: { message: error.message, offset: byteOffset(at) } };
  }
}

const LITERAL = /null|true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 forbids exactly these inside a string.
const CHARACTERS = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
