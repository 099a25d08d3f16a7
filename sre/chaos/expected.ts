/** What does not fit the shape of a document, told as what was expected and what was found, each at its place. */
import type { z } from 'zod';
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { Path, Source } from './source.ts';

type Issue = z.core.$ZodIssue;

/** More would not be read. */
const FAULTS_MAX = 20;

export function faultsOf<F>(issues: readonly Issue[], source: Source<F>): readonly F[] {
  return issues
    .flatMap((issue) => {
      const path = issue.path as Path;
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map((key) =>
          source.fault('document.unknown_key', `expected no key "${key}" here: it is not supported`, {
            path: [...path, key],
            key: true,
          }),
        );
      }
      const message = `expected ${expectationOf(issue)}, found ${shown(partAt(source.value, path))}`;
      return [source.fault('document.malformed', message, { path })];
    })
    .slice(0, FAULTS_MAX);
}

function expectationOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return NAMES[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.join(', ')}`;
    case 'too_small':
      return SIZED.has(issue.origin)
        ? 'at least one'
        : `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return `at most ${issue.maximum}`;
    default:
      return issue.message; // of a union: its own words
  }
}

const NAMES: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'keys and values',
  record: 'keys and values',
  string: 'text',
  tuple: 'a list of two',
};
const SIZED: ReadonlySet<string> = new Set(['array', 'string']);

function shown(value: JsonValue | undefined): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 60);
}

/** The part of a document at a path; `undefined` where it has none. */
export function partAt(value: JsonValue, path: Path): JsonValue | undefined {
  let part: JsonValue | undefined = value;
  for (const key of path) {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, key)) return undefined;
    part = (part as { readonly [key: string]: JsonValue })[key];
  }
  return part;
}
