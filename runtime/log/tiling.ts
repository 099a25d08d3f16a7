/** The tree of a log from its leaf hashes alone: each full tile as it becomes full, and what is left over at the end. */
import type { Digest } from '../codec/digest.ts';
import { Frontier } from '../codec/frontier.ts';
import { TILE_HEIGHT, TILE_WIDTH } from '../codec/tile.ts';
import { concat } from '../core/bytes.ts';
import type { StoredTile } from './store.ts';

export class Tiling {
  readonly #frontier = new Frontier();
  readonly #onTile: (tile: StoredTile) => void;
  /** By level: the hashes of the tile at the right edge, fewer than 256. */
  readonly #open: Digest[][] = [];

  /** `onTile` gets every full tile, lower levels first. */
  constructor(onTile: (tile: StoredTile) => void) {
    this.#onTile = onTile;
  }

  get size(): number {
    return this.#frontier.size;
  }

  get frontier(): readonly Digest[] {
    return this.#frontier.hashes();
  }

  root(): Digest {
    return this.#frontier.root();
  }

  append(leaf: Digest): void {
    this.#frontier.append(leaf, this.#onNode);
  }

  /** The tiles at the right edge that are not full, one per level at most. */
  partial(): readonly StoredTile[] {
    return this.#open.flatMap((hashes, level) => {
      const number = Math.floor(this.size / TILE_WIDTH ** (level + 1));
      return hashes.length === 0 ? [] : [{ level, number, bytes: concat(...hashes) }];
    });
  }

  readonly #onNode = (nodeLevel: number, index: number, digest: Digest): void => {
    if (nodeLevel % TILE_HEIGHT !== 0) return;
    const level = nodeLevel / TILE_HEIGHT;
    const hashes = this.#open[level] ?? [];
    this.#open[level] = hashes;
    hashes.push(digest);
    if (hashes.length < TILE_WIDTH) return;
    this.#onTile({ level, number: Math.floor(index / TILE_WIDTH), bytes: concat(...hashes) });
    hashes.length = 0;
  };
}
