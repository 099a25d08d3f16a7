/** A checked expression: every path is resolved, every function known, every part has a type. */

import type { ValueType } from './fields.ts';
import type { Builtin } from './functions.ts';
import type { Relation, Span } from './syntax.ts';

export type Term = Span & { readonly type: ValueType } & TermNode;

type TermNode =
  | { readonly node: 'literal'; readonly value: string | number | boolean | null }
  | { readonly node: 'list'; readonly items: readonly Term[] }
  | { readonly node: 'field'; readonly field: string; readonly members: readonly (string | number)[] }
  | { readonly node: 'local'; readonly slot: number; readonly members: readonly (string | number)[] }
  | { readonly node: 'has'; readonly of: Term }
  | { readonly node: 'call'; readonly name: string; readonly builtin: Builtin; readonly args: readonly Term[] }
  | {
      readonly node: 'fact';
      readonly aggregate: 'count' | 'sum';
      readonly name: string;
      readonly windowMs: number;
      readonly key: readonly Term[];
    }
  | { readonly node: 'flow'; readonly part: 'integrity' | 'labels'; readonly pointer: string }
  | { readonly node: 'and' | 'or'; readonly terms: readonly Term[] }
  | { readonly node: 'not' | 'negate'; readonly term: Term }
  | { readonly node: 'relation'; readonly relation: Relation; readonly left: Term; readonly right: Term }
  | { readonly node: 'sum'; readonly operator: '+' | '-' | '*'; readonly left: Term; readonly right: Term }
  | { readonly node: 'any' | 'all'; readonly slot: number; readonly list: Term; readonly term: Term };

/** Where two terms that read the same thing are recognised: `args.amount`, or `undefined` for what is computed. */
export function pathOf(term: Term): string | undefined {
  if (term.node !== 'field') return undefined;
  return [term.field, ...term.members.map((part) => (typeof part === 'number' ? `[${part}]` : part))].join('.');
}
