/**
 * Finds conditions that can never hold: `args.amount > 100 and args.amount < 50`, `subject.ring == 7`, two different words
 * for one field. A rule like that is a slip of the pen which nobody would notice until the day it was needed.
 *
 * Sound, not complete: what is called impossible is, but not everything impossible is found. Terms over more than one
 * path, and patterns, are taken to be possible.
 */
import { FIELDS, type Value, type ValueType } from './fields.ts';
import { pathOf, type Term } from './term.ts';

/** Alternatives that are looked at; with more, the condition is taken to be possible. */
const ALTERNATIVES_MAX = 64;

/** What one path may be, within one alternative. */
type Range = { readonly min: number; readonly max: number };
type Atom =
  | { readonly type: 'never' }
  | { readonly type: 'range'; readonly path: string; readonly range: Range }
  | { readonly type: 'one' | 'none'; readonly path: string; readonly values: readonly Value[] };
type Alternative = readonly Atom[];

/** Whether no request can make the condition true. */
export function isImpossible(condition: Term): boolean {
  const alternatives = alternativesOf(condition, true);
  return alternatives?.every((alternative) => isContradictory([...alternative, ...domains(condition)])) ?? false;
}

/** The condition as a list of alternatives, each a list of what must hold together; negated where `wanted` is false. */
function alternativesOf(term: Term, wanted: boolean): readonly Alternative[] | undefined {
  switch (term.node) {
    case 'literal':
      return term.value === wanted ? [[]] : [[{ type: 'never' }]];
    case 'not':
      return alternativesOf(term.term, !wanted);
    case 'and':
    case 'or':
      return (term.node === 'or') === wanted ? either(term.terms, wanted) : both(term.terms, wanted);
    case 'relation':
      return [atomsOf(term, wanted)];
    case 'field':
      return [[{ type: 'one', path: pathOf(term) ?? '', values: [wanted] }]];
    default:
      return [[]];
  }
}

function either(terms: readonly Term[], wanted: boolean): readonly Alternative[] | undefined {
  const all: Alternative[] = [];
  for (const term of terms) {
    const found = alternativesOf(term, wanted);
    if (found === undefined || all.length + found.length > ALTERNATIVES_MAX) return undefined;
    all.push(...found);
  }
  return all;
}

function both(terms: readonly Term[], wanted: boolean): readonly Alternative[] | undefined {
  let all: readonly Alternative[] = [[]];
  for (const term of terms) {
    const found = alternativesOf(term, wanted);
    if (found === undefined || all.length * found.length > ALTERNATIVES_MAX) return undefined;
    all = all.flatMap((left) => found.map((right) => [...left, ...right]));
  }
  return all;
}

function atomsOf({ relation, left, right }: Term & { readonly node: 'relation' }, wanted: boolean): readonly Atom[] {
  const flipped = left.node === 'literal' ? FLIPPED[relation] : undefined;
  if (flipped !== undefined && right.node !== 'literal') {
    return atomOf(right, wanted ? flipped : NEGATED[flipped], left);
  }
  const meant = wanted ? relation : NEGATED[relation];
  if (left.node === 'literal' && right.node === 'literal') {
    return isTrueOf(left.value, meant, right.value) === false ? [{ type: 'never' }] : [];
  }
  return atomOf(left, meant, right);
}

type Meant = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in' | 'like' | 'not like';
const NEGATED = {
  '==': '!=',
  '!=': '==',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
  in: 'not in',
  'not in': 'in',
  like: 'not like',
  'not like': 'like',
} as const satisfies Record<Meant, Meant>;
const FLIPPED: Partial<Record<Meant, Meant>> = { '==': '==', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

function atomOf(subject: Term, meant: Meant, object: Term): readonly Atom[] {
  const path = pathOf(subject);
  if (path === undefined) return [];
  if (meant === 'in' || meant === 'not in') {
    const values =
      object.node === 'list' ? object.items.map((item) => (item.node === 'literal' ? item : undefined)) : [];
    if (values.length === 0 || values.includes(undefined)) return [];
    return [{ type: meant === 'in' ? 'one' : 'none', path, values: values.map((item) => item?.value) }];
  }
  if (object.node !== 'literal') return [];
  const { value } = object;
  if (meant === '==' || meant === '!=') return [{ type: meant === '==' ? 'one' : 'none', path, values: [value] }];
  if (typeof value !== 'number') return [];
  switch (meant) {
    case '<':
      return [{ type: 'range', path, range: { min: -Infinity, max: value - 1 } }];
    case '<=':
      return [{ type: 'range', path, range: { min: -Infinity, max: value } }];
    case '>':
      return [{ type: 'range', path, range: { min: value + 1, max: Infinity } }];
    case '>=':
      return [{ type: 'range', path, range: { min: value, max: Infinity } }];
    default:
      return [];
  }
}

function isTrueOf(a: Value, meant: Meant, b: Value): boolean | undefined {
  if (meant === '==') return a === b;
  if (meant === '!=') return a !== b;
  if (typeof a !== 'number' || typeof b !== 'number') return undefined;
  if (meant === '<') return a < b;
  if (meant === '<=') return a <= b;
  if (meant === '>') return a > b;
  return meant === '>=' ? a >= b : undefined;
}

/** What the fields of the condition can be at all. */
function domains(term: Term): readonly Atom[] {
  switch (term.node) {
    case 'field':
      return domainOf(pathOf(term) ?? '', term.members.length === 0 ? FIELDS.get(term.field)?.type : undefined);
    case 'relation':
      return [...domains(term.left), ...domains(term.right)];
    case 'and':
    case 'or':
      return term.terms.flatMap(domains);
    case 'not':
      return domains(term.term);
    default:
      return [];
  }
}

function domainOf(path: string, type: ValueType | undefined): readonly Atom[] {
  if (type?.kind === 'integer') {
    return [{ type: 'range', path, range: { min: type.min ?? -Infinity, max: type.max ?? Infinity } }];
  }
  if (type?.kind === 'string' && type.values !== undefined) return [{ type: 'one', path, values: type.values }];
  return [];
}

function isContradictory(atoms: Alternative): boolean {
  const paths = new Set(atoms.flatMap((atom) => ('path' in atom ? [atom.path] : [])));
  return atoms.some(({ type }) => type === 'never') || [...paths].some((path) => isEmpty(atoms, path));
}

function isEmpty(atoms: Alternative, path: string): boolean {
  let range: Range = { min: -Infinity, max: Infinity };
  let values: readonly Value[] | undefined;
  const excluded: Value[] = [];
  for (const atom of atoms) {
    if (atom.type === 'never' || atom.path !== path) continue;
    if (atom.type === 'range') {
      range = { min: Math.max(range.min, atom.range.min), max: Math.min(range.max, atom.range.max) };
    } else if (atom.type === 'none') {
      excluded.push(...atom.values);
    } else {
      const { values: allowed } = atom;
      values = values === undefined ? allowed : values.filter((value) => allowed.includes(value));
    }
  }
  if (range.min > range.max) return true;
  if (excluded.length > 0 && range.max - range.min < excluded.length) {
    const count = range.max - range.min + 1;
    const inside = new Set(excluded.filter((v) => typeof v === 'number' && v >= range.min && v <= range.max));
    if (inside.size === count) return true;
  }
  const isNumeric = range.min > -Infinity || range.max < Infinity;
  const left = values?.filter(
    (value) =>
      !excluded.includes(value) &&
      (!isNumeric || (typeof value === 'number' && value >= range.min && value <= range.max)),
  );
  return left?.length === 0;
}
