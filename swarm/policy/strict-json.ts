/**
 * JSON from strangers: exactly what two readers would read alike. No name twice in an object, no `__proto__`, no lone
 * surrogate, no number that a double cannot hold; neither deep nor of many values. Linear in the text; never throws.
 */
import { isUtf8 } from 'node:buffer';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { scanJson } from '../../runtime/codec/json-scan.ts';
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
  let values = 0;
  const { fault } = scanJson(text, DEPTH_MAX, () => void values++);
  if (fault !== undefined) return err(fault.expected);
  if (values > VALUES_MAX) return err(`expected at most ${VALUES_MAX} values`);
  const wrong = wrongIn(parsed.value);
  return wrong === undefined ? ok(parsed.value) : err(wrong);
}

/** What the text does not show and the value does; as deep as was scanned. */
function wrongIn(value: JsonValue): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'expected numbers that a double holds';
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, '__proto__')) return 'expected no name "__proto__"';
  for (const inner of Object.values(value) as readonly JsonValue[]) {
    const wrong = wrongIn(inner);
    if (wrong !== undefined) return wrong;
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
