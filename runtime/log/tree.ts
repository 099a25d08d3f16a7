/**
 * The tree of a growing log: its frontier, and the tiles that are not full yet. It turns leaf hashes into tiles to store and
 * answers for every node of the tree as it is.
 *
 * T1. A full tile is handed out once. A partial tile of level 1 or higher is handed out whenever it has grown. A partial
 *     tile of level 0 is never handed out: it is derived from the records, so that a small batch writes little.
 * T2. `append` is called for the next batch only once the batch before is durable.
 */

import type { Digest } from '../codec/digest.ts';
import type { Frontier } from '../codec/frontier.ts';
import { consistencyProof, EMPTY_ROOT, inclusionProof, type NodeReader, rootAt } from '../codec/merkle.ts';
import { nodeFromTiles, TILE_HEIGHT, TILE_WIDTH } from '../codec/tile.ts';
import { assert } from '../core/assert.ts';
import { concat } from '../core/bytes.ts';
import type { StoredTile } from './store.ts';

export type ReadTile = (level: number, number: number) => Uint8Array | undefined;

type OpenTile = { readonly number: number; readonly hashes: readonly Digest[] };

export class LogTree {
  readonly #frontier: Frontier;
  readonly #readTile: ReadTile;
  /** By level: the tile at the right edge, with fewer than 256 hashes. */
  readonly #open: Digest[][];
  /** T2. The full tiles of the last batch, which its store may still be writing. */
  #unsettled: readonly StoredTile[] = [];

  /** `open[level]`: the hashes of the partial tile of that level, as `recover.ts` found them. */
  constructor(frontier: Frontier, open: readonly (readonly Digest[])[], readTile: ReadTile) {
    this.#frontier = frontier;
    this.#open = open.map((hashes) => [...hashes]);
    this.#readTile = readTile;
  }

  get size(): number {
    return this.#frontier.size;
  }

  get frontier(): readonly Digest[] {
    return this.#frontier.hashes();
  }

  leaf(index: number): Digest {
    const { number, hashes } = this.#openAt(0);
    return hashes[index - number * TILE_WIDTH] ?? this.#node(0, index);
  }

  root(size = this.size): Digest {
    if (size === this.size) return this.#frontier.root();
    return size === 0 ? EMPTY_ROOT : rootAt(size, this.#node);
  }

  inclusionProof(index: number, size: number): readonly Digest[] {
    return inclusionProof(index, size, this.#node);
  }

  consistencyProof(oldSize: number, newSize: number): readonly Digest[] {
    return consistencyProof(oldSize, newSize, this.#node);
  }

  /** Appends the leaves of one batch; the tiles that the batch must store (T1). */
  append(leaves: readonly Digest[]): readonly StoredTile[] {
    const full: StoredTile[] = [];
    const grown = new Set<number>();
    const onNode = (nodeLevel: number, index: number, digest: Digest): void => {
      if (nodeLevel % TILE_HEIGHT !== 0) return;
      const level = nodeLevel / TILE_HEIGHT;
      const hashes = this.#openTile(level);
      hashes.push(digest);
      if (hashes.length < TILE_WIDTH) {
        if (level > 0) grown.add(level);
        return;
      }
      full.push({ level, number: Math.floor(index / TILE_WIDTH), bytes: concat(...hashes) });
      hashes.length = 0;
      grown.delete(level);
    };
    for (const leaf of leaves) this.#frontier.append(leaf, onNode);
    this.#unsettled = full;
    const partial = [...grown].map((level) => {
      const { number, hashes } = this.#openAt(level);
      return { level, number, bytes: concat(...hashes) };
    });
    return [...full, ...partial];
  }

  #openTile(level: number): Digest[] {
    while (this.#open.length <= level) this.#open.push([]);
    const hashes = this.#open[level];
    assert(hashes !== undefined, 'T1: an open tile per level');
    return hashes;
  }

  #openAt(level: number): OpenTile {
    const full = Math.floor(this.size / TILE_WIDTH ** (level + 1));
    return { number: full, hashes: this.#openTile(level) };
  }

  readonly #node: NodeReader = (level, index) =>
    nodeFromTiles(level, index, (tileLevel, number) => {
      const open = this.#openAt(tileLevel);
      if (open.number === number) return concat(...open.hashes);
      const unsettled = this.#unsettled.find((tile) => tile.level === tileLevel && tile.number === number);
      const stored = unsettled?.bytes ?? this.#readTile(tileLevel, number);
      assert(stored !== undefined, `T1: tile ${tileLevel}/${number} of a tree of ${this.size}`);
      return stored;
    });
}
