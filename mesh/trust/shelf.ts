/** A map that is replaced, not edited, at the price of one small part: for folds whose state is large and whose steps are many.
 *  Texts are spread over 256 maps by FNV-1a; a change copies one of them and the list of all. */

export type Shelf<V> = readonly (ReadonlyMap<string, V> | undefined)[];

export const EMPTY_SHELF: Shelf<never> = Array.from({ length: 256 }, () => undefined);

export function take<V>(shelf: Shelf<V>, key: string): V | undefined {
  return shelf[placeOf(key)]?.get(key);
}

export function put<V>(shelf: Shelf<V>, key: string, value: V): Shelf<V> {
  const place = placeOf(key);
  return shelf.with(place, new Map(shelf[place]).set(key, value));
}

/** In the order of their keys, however they came. */
export function entriesOf<V>(shelf: Shelf<V>): readonly (readonly [string, V])[] {
  return shelf.flatMap((part) => (part === undefined ? [] : [...part])).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function shelfOf<V>(entries: readonly (readonly [string, V])[]): Shelf<V> {
  const parts: (Map<string, V> | undefined)[] = EMPTY_SHELF.map(() => undefined);
  for (const [key, value] of entries) {
    const place = placeOf(key);
    parts[place] = (parts[place] ?? new Map<string, V>()).set(key, value);
  }
  return parts;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

function placeOf(key: string): number {
  let hash = FNV_OFFSET;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), FNV_PRIME);
  return (hash ^ (hash >>> 16)) & 0xff;
}
