/** Checks a part of a document against its shape and says what is wrong in the words of this house, with a place. */
import type { z } from 'zod';
import { err, ok, type Result } from '../../runtime/core/result.ts';
import { nearest } from '../expression/nearest.ts';
import type { PolicyFault } from './fault.ts';
import type { Path, Source } from './yaml-source.ts';

type Issue = z.core.$ZodIssue;

export function conform<S extends z.ZodType>(
  shape: S,
  value: unknown,
  source: Source,
  at: Path,
): Result<z.infer<S>, readonly PolicyFault[]> {
  const parsed = shape.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.flatMap((issue) => faultsOf(issue, shape, { value, source, at })).slice(0, 20));
}

type Place = { readonly value: unknown; readonly source: Source; readonly at: Path };

function faultsOf(issue: Issue, shape: z.ZodType, place: Place): readonly PolicyFault[] {
  const inner = issue.path as Path;
  const path = [...place.at, ...inner];
  const found = valueAt(place.value, inner);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = keysAt(shape, inner);
      return issue.keys.map((key) =>
        place.source.fault('document.unknown_key', `expected one of ${known.join(', ')}; found "${key}"`, {
          path: [...path, key],
          key: true,
          suggestion: nearest(key, known),
        }),
      );
    }
    case 'invalid_union': {
      const branch = likeliest(issue.errors as readonly (readonly Issue[])[]);
      return branch.flatMap((each) =>
        faultsOf({ ...each, path: [...issue.path, ...each.path] } as Issue, shape, place),
      );
    }
    case 'too_small':
      if (Array.isArray(found) && found.length === 0) {
        const message = 'expected at least one entry: an empty list could be read as everything or as nothing';
        return [place.source.fault('document.empty_list', message, { path })];
      }
      return [malformed(place, path, `at least ${issue.minimum}`)];
    case 'too_big':
      return [malformed(place, path, `at most ${issue.maximum}`)];
    case 'invalid_value': {
      const values = issue.values.map(String);
      const suggestion = typeof found === 'string' ? nearest(found, values) : undefined;
      return [malformed(place, path, values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`, suggestion)];
    }
    case 'invalid_format':
      return [malformed(place, path, `text of the form ${'pattern' in issue ? issue.pattern : issue.format}`)];
    case 'invalid_type':
      return [malformed(place, path, NAMES[issue.expected] ?? issue.expected)];
    case 'invalid_key':
      return [
        place.source.fault('document.malformed', `expected another name than "${String(path.at(-1))}"`, {
          path,
          key: true,
        }),
      ];
    default:
      return [malformed(place, path, issue.message)];
  }
}

const NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'keys and values',
  record: 'keys and values',
  array: 'a list',
};

function malformed(place: Place, path: Path, expected: string, suggestion?: string): PolicyFault {
  const { source } = place;
  const found = valueAt(place.value, path.slice(place.at.length));
  const seen = found === undefined ? 'nothing' : (JSON.stringify(found) ?? String(found)).slice(0, 60);
  return source.fault('document.malformed', `expected ${expected}, found ${seen}`, { path, suggestion });
}

/** Of several shapes that all do not fit, the one that fitted furthest. */
function likeliest(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const depth = (branch: readonly Issue[]): number =>
    Math.max(0, ...branch.map(({ path, code }) => path.length * 2 + (code === 'invalid_type' ? 0 : 1)));
  return branches.toSorted((a, b) => depth(b) - depth(a))[0] ?? [];
}

function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) return undefined;
    found = (found as { [key: string]: unknown })[part];
  }
  return found;
}

/** The keys that a shape has at a path. */
function keysAt(shape: unknown, path: Path): readonly string[] {
  const definition = (shape as { readonly def?: Record<string, unknown> } | undefined)?.def;
  switch (definition?.['type']) {
    case 'optional':
      return keysAt(definition['innerType'], path);
    case 'union':
      return (definition['options'] as readonly unknown[]).flatMap((option) => keysAt(option, path));
    case 'array':
      return path.length === 0 ? [] : keysAt(definition['element'], path.slice(1));
    case 'record':
      return path.length === 0 ? [] : keysAt(definition['valueType'], path.slice(1));
    case 'object': {
      const members = definition['shape'] as Record<string, unknown>;
      const [first, ...rest] = path;
      return first === undefined ? Object.keys(members) : keysAt(members[String(first)], rest);
    }
    default:
      return [];
  }
}
