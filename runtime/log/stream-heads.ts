/** The last version of every stream, pending events included: what expected versions are checked against. The recently used
 *  ones are in memory, the rest in the store. */
import type { StreamId } from '../codec/record.ts';
import { STREAM_HEADS_MAX } from '../core/limits.ts';
import type { LogStore } from './store.ts';

export class StreamHeads {
  readonly #store: Pick<LogStore, 'lastRun'>;
  readonly #durableSize: () => number;
  /** The least recently used come first. */
  readonly #heads = new Map<StreamId, { readonly version: number; readonly index: number }>();

  constructor(store: Pick<LogStore, 'lastRun'>, durableSize: () => number) {
    this.#store = store;
    this.#durableSize = durableSize;
  }

  /** -1 for a stream that has no events. */
  versionOf(stream: StreamId): number {
    const known = this.#heads.get(stream);
    if (known !== undefined) return known.version;
    const run = this.#store.lastRun(stream);
    const version = run === undefined ? -1 : run.version + run.indexes.length - 1;
    this.set(stream, version, run?.indexes.at(-1) ?? 0);
    return version;
  }

  /** `index`: where the event of that version is. The store must answer for it by the time it is forgotten here. */
  set(stream: StreamId, version: number, index: number): void {
    this.#heads.delete(stream);
    this.#heads.set(stream, { version, index });
    if (this.#heads.size <= STREAM_HEADS_MAX) return;
    const [oldest] = this.#heads;
    if (oldest !== undefined && oldest[1].index < this.#durableSize()) this.#heads.delete(oldest[0]);
  }
}
