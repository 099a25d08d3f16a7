/**
 * Maps that are replaced, not edited, at little cost, for folds whose state is large and whose steps are many: a few entries as
 * a list; many as a shelf, 64 boards of 64 such lists, over which keys are spread by FNV-1a. A change copies one path of it.
 */

export type Entries<V> = readonly (readonly [string, V])[];

type Board<V> = readonly (Entries<V> | undefined)[];
export type Shelf<V> = readonly (Board<V> | undefined)[];

export const EMPTY_SHELF: Shelf<never> = Array.from({ length: 64 }, () => undefined);
const EMPTY_BOARD: Board<never> = Array.from({ length: 64 }, () => undefined);

export function take<V>(shelf: Shelf<V>, key: string): V | undefined {
  const place = placeOf(key);
  const list = shelf[place >>> 6]?.[place & 63];
  return list === undefined ? undefined : find(list, key);
}

export function put<V>(shelf: Shelf<V>, key: string, value: V): Shelf<V> {
  const place = placeOf(key);
  const board: Board<V> = shelf[place >>> 6] ?? EMPTY_BOARD;
  return shelf.with(place >>> 6, board.with(place & 63, withEntry(board[place & 63] ?? [], key, value)));
}

/** In the order of their keys, however they came. */
export function entriesOf<V>(shelf: Shelf<V>): Entries<V> {
  const all = shelf.flatMap((board) => (board ?? []).flatMap((list) => list ?? []));
  return all.sort(([a], [b]) => (a < b ? -1 : 1));
}

export function shelfOf<V>(entries: Entries<V>): Shelf<V> {
  return entries.reduce<Shelf<V>>((shelf, [key, value]) => put(shelf, key, value), EMPTY_SHELF);
}

export function find<V>(list: Entries<V>, key: string): V | undefined {
  for (let at = 0; at < list.length; at++) {
    const entry = list[at];
    if (entry?.[0] === key) return entry[1];
  }
  return undefined;
}

/** The list with this entry, in its place if the key was there, else at the end. */
export function withEntry<V>(list: Entries<V>, key: string, value: V): Entries<V> {
  for (let at = 0; at < list.length; at++) if (list[at]?.[0] === key) return list.with(at, [key, value]);
  return [...list, [key, value]];
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The ends of keys differ: they are names, or random. */
const HASHED_MAX = 24;

/** 12 bits. */
function placeOf(key: string): number {
  let hash = FNV_OFFSET;
  for (let at = Math.max(0, key.length - HASHED_MAX); at < key.length; at++)
    hash = Math.imul(hash ^ key.charCodeAt(at), FNV_PRIME);
  return (hash ^ (hash >>> 15)) & 0xfff;
}
