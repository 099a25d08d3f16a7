/** Moments as registries write them, and back. No clock is read here: text in, a number out. */
import type { Millis } from 'ringmesh/runtime';

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/** ISO 8601 with a time and a zone, from 0000 to 9999; anything else is `undefined`. */
export function parseInstant(text: unknown): Millis | undefined {
  if (typeof text !== 'string' || !ISO.test(text)) return undefined;
  // biome-ignore lint/style/noRestrictedGlobals: it parses what it is given and reads no clock.
  const millis = Date.parse(text);
  return Number.isNaN(millis) ? undefined : (millis as Millis);
}

/** `2026-01-31T08:00:00Z`, to the second. */
export function formatInstant(at: number): string {
  // biome-ignore lint/style/noRestrictedGlobals: it writes what it is given and reads no clock.
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
