/** A few named facts on stdout: one JSON object, or a line each for people. */
import { oneLine } from './report.ts';

export type Fact = string | number | boolean | null | { readonly [name: string]: Fact } | readonly Fact[];

export function formatFacts(facts: { readonly [name: string]: Fact }, isJson: boolean): string {
  if (isJson) return `${JSON.stringify(facts)}\n`;
  const rows = flatten(facts, '');
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${oneLine(value)}\n`).join('');
}

/** Nested facts under dotted names; what is absent is not shown. */
function flatten(facts: { readonly [name: string]: Fact }, prefix: string): readonly (readonly [string, string])[] {
  return Object.entries(facts).flatMap(([name, value]) => {
    if (value === null) return [];
    if (typeof value !== 'object') return [[prefix + name, String(value)] as const];
    if (isList(value)) return [[prefix + name, value.map(String).join(', ')] as const];
    return flatten(value, `${prefix}${name}.`);
  });
}

function isList(value: Fact): value is readonly Fact[] {
  return Array.isArray(value);
}
