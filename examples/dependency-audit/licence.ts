/** Licences as package documents write them, and whether a list allows them. */
import { asMembers, type Members, member, oneLine, textOf } from './json-data.ts';

const LICENCE_LENGTH_MAX = 120;
const EXPRESSION_TOKENS_MAX = 64;

/** The licence of a document or a lock entry as text, whichever of the four shapes that were once in use it has:
 *  `"MIT"`, `{ type: "MIT" }`, `licenses: [...]`. `undefined` where none is named. */
export function licenceOf(document: Members | undefined): string | undefined {
  const found = [member(document, 'license'), member(document, 'licenses')].flatMap(listed).filter(isText);
  if (found.length === 0) return undefined;
  return oneLine(found.length === 1 ? (found[0] ?? '') : `(${found.join(' OR ')})`, LICENCE_LENGTH_MAX);
}

function listed(value: unknown): readonly (string | undefined)[] {
  if (typeof value === 'string') return [oneLine(value, LICENCE_LENGTH_MAX)];
  if (Array.isArray(value)) return value.slice(0, 8).flatMap(listed);
  return [textOf(asMembers(value), 'type', LICENCE_LENGTH_MAX)];
}

function isText(value: string | undefined): value is string {
  return value !== undefined;
}

/**
 * Whether an SPDX expression (spdx.github.io, annex "license expressions") can be met with licences of the list: one side of
 * an OR is enough, an AND needs both. `undefined` for what is no expression, such as `SEE LICENSE IN FILE`.
 */
export function isAllowed(expression: string, list: ReadonlySet<string>): boolean | undefined {
  const tokens = expression.match(/\(|\)|[A-Za-z0-9.+:-]+/g) ?? [];
  if (tokens.length === 0 || tokens.length > EXPRESSION_TOKENS_MAX) return undefined;
  if (tokens.join('') !== expression.replaceAll(/\s+/g, '')) return undefined;
  let next = 0;
  const either = (): boolean | undefined => join('OR', both, (left, right) => left || right);
  const both = (): boolean | undefined => join('AND', one, (left, right) => left && right);

  function join(
    word: string,
    side: () => boolean | undefined,
    combine: (left: boolean, right: boolean) => boolean,
  ): boolean | undefined {
    let left = side();
    while (left !== undefined && tokens[next]?.toUpperCase() === word) {
      next += 1;
      const right = side();
      left = right === undefined ? undefined : combine(left, right);
    }
    return left;
  }

  function one(): boolean | undefined {
    const token = tokens[next];
    next += 1;
    if (token === undefined || token === ')' || /^(AND|OR|WITH)$/i.test(token)) return undefined;
    if (token === '(') {
      const inner = either();
      if (tokens[next] !== ')') return undefined;
      next += 1;
      return inner;
    }
    if (tokens[next]?.toUpperCase() === 'WITH') next += 2; // an exception only ever grants more
    return list.has(token.replace(/\+$/, '')) || list.has(token);
  }

  const allowed = either();
  return next === tokens.length ? allowed : undefined;
}

/** Licences that ask for no more than to be named. Other lists are an operator's choice. */
export const PERMISSIVE: readonly string[] = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BSL-1.0',
  'CC-BY-3.0',
  'CC-BY-4.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
  'Unicode-3.0',
  'Unicode-DFS-2016',
  'Unlicense',
  'WTFPL',
  'Zlib',
];
