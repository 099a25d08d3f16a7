/**
 * JSON from strangers: exactly what two readers would read alike. No name twice in an object, no `__proto__`, no lone
 * surrogate, no number that a double cannot hold; neither deep nor of many values. Linear in the text; never throws.
 */
import { isUtf8 } from 'node:buffer';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { view } from '../../runtime/core/bytes.ts';
import { err, ok, type Result } from '../../runtime/core/result.ts';

/** As deep as arguments may be that a policy looks at, and the envelope around them. */
const DEPTH_MAX = 72;
/** The same for how many: so that no body costs more than a few thousand small ones. */
const VALUES_MAX = 25_000;

/** The value, or what was expected instead of what was found. */
export function parseStrictJson(bytes: Uint8Array): Result<JsonValue, string> {
  if (!isUtf8(bytes)) return err('expected UTF-8');
  const text = view(bytes).toString('utf8');
  const parsed = parse(text);
  if (parsed === undefined) return err('expected JSON');
  const written = measure(text);
  if (written.depth > DEPTH_MAX) return err(`expected at most ${DEPTH_MAX} levels`); // before anything recursive
  const seen = { names: 0, values: 0 };
  const fault = faultIn(parsed.value, seen);
  if (fault !== undefined) return err(fault);
  // What stands twice is written twice and parsed once.
  return seen.names === written.colons ? ok(parsed.value) : err('expected each name once in an object');
}

/** How deep a JSON text goes and how many names it writes: brackets and colons outside of strings. */
function measure(text: string): { readonly depth: number; readonly colons: number } {
  let [depth, deepest, colons, isText] = [0, 0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') isText = !isText;
    else if (isText) at += character === '\\' ? 1 : 0;
    else if (character === ':') colons++;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    else if (character === '}' || character === ']') depth--;
  }
  return { depth: deepest, colons };
}

function faultIn(value: JsonValue, seen: { names: number; values: number }): string | undefined {
  if (++seen.values > VALUES_MAX) return `expected at most ${VALUES_MAX} values`;
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'expected no lone surrogate';
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'expected numbers that a double holds';
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) {
    const names = Object.keys(value);
    seen.names += names.length;
    if (names.includes('__proto__')) return 'expected no name "__proto__"';
    if (!names.every((name) => name.isWellFormed())) return 'expected no lone surrogate';
  }
  for (const inner of Object.values(value) as readonly JsonValue[]) {
    const fault = faultIn(inner, seen);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function parse(text: string): { readonly value: JsonValue } | undefined {
  try {
    return { value: JSON.parse(text) as JsonValue };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
