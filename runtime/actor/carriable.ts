/**
 * What one message of a host may be: data that can be recorded as it is, in one append. Measured at both ends: a turn that
 * says more fails by a code of its own; a host that does is no host.
 */
import { Buffer } from 'node:buffer';
import { PAYLOAD_DEPTH_MAX } from '../core/limits.ts';

/** Half of what one blob may have: a record holds more than what was said. Larger things are blobs that messages name. */
export const SAID_BYTES_MAX = 8 * 1024 * 1024;

/** A control character becomes six: `\u0000`. */
const ESCAPED_MAX = 6;

/** Well-formed texts, finite numbers, at most `PAYLOAD_DEPTH_MAX` levels and `SAID_BYTES_MAX` bytes of JSON. */
export function isCarriable(message: unknown): boolean {
  const size = sizeOf(message, 0);
  if (size * ESCAPED_MAX <= SAID_BYTES_MAX) return true;
  return Number.isFinite(size) && Buffer.byteLength(JSON.stringify(message)) <= SAID_BYTES_MAX;
}

/** About how many characters it is as JSON, escapes apart; infinite for what is no data, or nested too deeply. */
function sizeOf(value: unknown, depth: number): number {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value.length + 3 : Number.POSITIVE_INFINITY;
    case 'number':
      return Number.isFinite(value) ? 24 : Number.POSITIVE_INFINITY;
    case 'boolean':
      return 6;
    case 'undefined':
      return 0; // is left out; where it must not be, its schema says so
    case 'object': {
      if (value === null) return 5;
      if (depth >= PAYLOAD_DEPTH_MAX) return Number.POSITIVE_INFINITY;
      let size = 2;
      if (Array.isArray(value)) for (const item of value) size += sizeOf(item, depth + 1);
      else
        for (const name of Object.keys(value))
          size += sizeOf(name, 0) + 1 + sizeOf((value as { readonly [name: string]: unknown })[name], depth + 1);
      return size;
    }
    default:
      return Number.POSITIVE_INFINITY;
  }
}
