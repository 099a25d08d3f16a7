/**
 * YAML 1.2 as data, with the place of everything in it. Of YAML only what JSON has: no tags, anchors, aliases or merge keys,
 * no duplicate keys, no number that is not finite. So the data says what the text shows.
 */
import { isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments } from 'yaml';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { messageOf } from '../../runtime/core/errors.ts';
import { err, ok, type Result } from '../../runtime/core/result.ts';
import { type FaultCode, formatPath, type PolicyFault } from './fault.ts';

export type Path = readonly (string | number)[];
type Span = { readonly start: number; readonly end: number };

/** A text that was read, and where its parts are. */
export type Source = {
  readonly file: string;
  readonly value: JsonValue;
  /** A fault at a value or, with `key`, at the key of it; `inner` counts within the text of a scalar. */
  readonly fault: (code: FaultCode, message: string, at: FaultPlace) => PolicyFault;
  /** The line of a value, from 1. */
  readonly lineOf: (path: Path) => number | undefined;
};

export type FaultPlace = {
  readonly path: Path;
  readonly key?: boolean;
  readonly inner?: Span;
  readonly suggestion?: string | undefined;
};

/** A document of ten thousand rules fits; what is larger is not written by people. */
const DOCUMENT_CHARACTERS_MAX = 8 * 1024 * 1024;
const DEPTH_MAX = 32;

/** Data that was made in code: there is no text to point into. */
export function dataSource(file: string, value: JsonValue): Source {
  return {
    file,
    value,
    lineOf: () => undefined,
    fault: (code, message, { path, suggestion }) => ({
      code,
      message,
      file,
      path: formatPath(path),
      ...(suggestion === undefined ? {} : { suggestion }),
    }),
  };
}

export function parseYaml(text: string, file: string): Result<Source, readonly PolicyFault[]> {
  if (text.length > DOCUMENT_CHARACTERS_MAX) {
    const message = `expected at most ${DOCUMENT_CHARACTERS_MAX} characters, found ${text.length}`;
    return err([dataSource(file, null).fault('document.too_large', message, { path: [] })]);
  }
  const lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const places = new Map<string, Span>();
  const positionOf = ({ start, end }: Span) => {
    const line = lastAtOrBefore(lineStarts, start);
    const begin = lineStarts[line] ?? 0;
    const shown = text.slice(begin, (lineStarts[line + 1] ?? text.length + 1) - 1).replace(/\r$/, '');
    return { line: line + 1, column: start - begin + 1, width: Math.max(end - start, 1), text: shown };
  };
  const faultAt = (
    code: FaultCode,
    message: string,
    span: Span,
    { path = [], suggestion }: { path?: Path; suggestion?: string | undefined } = {},
  ): PolicyFault => ({
    code,
    message,
    file,
    path: formatPath(path),
    position: positionOf(span),
    ...(suggestion === undefined ? {} : { suggestion }),
  });

  const parsed = readYaml(text);
  if (!parsed.ok) return err([faultAt('document.malformed', parsed.error, { start: 0, end: 1 })]);
  const [document, ...more] = parsed.value;
  const wrong = [...(document?.errors ?? []), ...(document?.warnings ?? [])];
  if (wrong.length > 0) {
    return err(
      wrong.slice(0, FAULTS_MAX).map(({ message, pos: [start, end] }) => {
        const [line = ''] = message.split('\n');
        const first = line.includes('call stack') ? 'expected less nesting' : line;
        return faultAt('document.malformed', first.replace(/ at line \d+, column \d+:?$/, ''), { start, end });
      }),
    );
  }
  if (more.length > 0) {
    return err([
      faultAt('document.malformed', 'expected one document in a file, found several', spanOf(more[0]?.contents, 0)),
    ]);
  }

  const faults: PolicyFault[] = [];
  const read = (node: unknown, path: Path): JsonValue => {
    const span = spanOf(node, 0);
    places.set(`v${JSON.stringify(path)}`, span);
    const refuse = (message: string): null => {
      faults.push(faultAt('document.malformed', message, span, { path }));
      return null;
    };
    if (path.length > DEPTH_MAX) return refuse(`expected at most ${DEPTH_MAX} levels`);
    if (node === null || node === undefined) return null;
    if (isAlias(node) || (node as Node & { anchor?: string }).anchor !== undefined) {
      return refuse('expected plain data, found an anchor or an alias');
    }
    if (isScalar(node)) {
      const { value } = node;
      if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      return refuse('expected text, a finite number, true, false or null');
    }
    if (isSeq(node)) return node.items.map((item, n) => read(item, [...path, n]));
    if (!isMap(node)) return refuse('expected data');
    const members: [string, JsonValue][] = [];
    for (const { key, value } of node.items) {
      if (!isScalar(key) || typeof key.value !== 'string') return refuse('expected keys that are words');
      const inner = [...path, key.value];
      places.set(`k${JSON.stringify(inner)}`, spanOf(key, 0));
      members.push([key.value, read(value, inner)]);
    }
    return Object.fromEntries(members); // own members, whatever they are called
  };
  const value = read(document?.contents, []);
  if (faults.length > 0) return err(faults.slice(0, FAULTS_MAX));

  const place = (path: Path, key: boolean): Span => {
    for (let length = path.length; length >= 0; length--) {
      const text = JSON.stringify(path.slice(0, length));
      const span = (key ? places.get(`k${text}`) : undefined) ?? places.get(`v${text}`) ?? places.get(`k${text}`);
      if (span !== undefined) return span;
    }
    return { start: 0, end: 1 };
  };
  return ok({
    file,
    value,
    lineOf: (path) => positionOf(place(path, true)).line,
    fault: (code, message, { path, key = false, inner, suggestion }) => {
      const outer = place(path, key);
      const span = inner === undefined ? outer : within(text, outer, valueAt(value, path), inner);
      return faultAt(code, message, span, { path, suggestion });
    },
  });
}

const FAULTS_MAX = 20;

/** The index of the last of sorted numbers that is not above the limit; the first is 0. */
function lastAtOrBefore(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((sorted[middle] ?? 0) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The parser recurses into nested brackets: a text made to exhaust the stack ends here, as a refusal. */
function readYaml(text: string) {
  try {
    const documents = parseAllDocuments(text, {
      prettyErrors: false,
      strict: true,
      uniqueKeys: true,
      version: '1.2',
      schema: 'core',
      merge: false,
    });
    return ok('empty' in documents ? [] : documents);
  } catch (error) {
    return err(`expected YAML, found what cannot be read: ${messageOf(error)}`);
  }
}

function spanOf(node: unknown, fallback: number): Span {
  const range = (node as { range?: readonly [number, number, number] } | null | undefined)?.range;
  return range ? { start: range[0], end: range[1] } : { start: fallback, end: fallback + 1 };
}

function valueAt(value: JsonValue, path: Path): unknown {
  let found: unknown = value;
  for (const part of path) found = (found as { [key: string]: unknown } | undefined)?.[part];
  return found;
}

/** Where characters of a scalar's value stand in the text, whatever its style: value and source run side by side, and
 *  what only the source has (quotes, indentation, line breaks that were folded, escapes) is stepped over. */
function within(text: string, outer: Span, value: unknown, { start, end }: Span): Span {
  if (typeof value !== 'string') return outer;
  const places: number[] = [];
  let at = outer.start;
  const header = /^[|>][^\n]*\n/.exec(text.slice(at, outer.end))?.[0];
  if (header !== undefined) at += header.length;
  else if (text[at] === '"' || text[at] === "'") at++;
  for (const unit of value) {
    const isSpace = /\s/.test(unit);
    while (at < outer.end && text[at] !== unit && !(isSpace && /\s/.test(text[at] ?? ''))) at++;
    places.push(...Array.from(unit, () => at));
    at = isSpace ? at + 1 : at + unit.length;
  }
  const from = places[start] ?? (places.at(-1) ?? outer.start) + 1;
  const to = (places[Math.max(start, end - 1)] ?? from) + 1;
  return { start: from, end: Math.max(from + 1, to) };
}
