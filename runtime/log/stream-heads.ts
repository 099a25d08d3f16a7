/** The last version of every stream, pending events included: what expected versions are checked against. The recently used
 *  ones are in memory, the rest in the store. */
import type { StreamId } from '../codec/record.ts';
import { STREAM_HEADS_MAX } from '../core/limits.ts';
import type { LogStore, StreamRun } from './store.ts';

export class StreamHeads {
  readonly #store: Pick<LogStore, 'lastRun' | 'runs'>;
  readonly #durableSize: () => number;
  /** The least recently appended to come first. */
  readonly #heads = new Map<StreamId, { readonly version: number; readonly index: number }>();

  constructor(store: Pick<LogStore, 'lastRun' | 'runs'>, durableSize: () => number) {
    this.#store = store;
    this.#durableSize = durableSize;
  }

  /** -1 for a stream that has no events. */
  versionOf(stream: StreamId): number {
    const known = this.#heads.get(stream);
    if (known !== undefined) return known.version;
    const { version, index } = this.#stored(stream, this.#durableSize());
    this.set(stream, version, index);
    return version;
  }

  /** Of the first `size` events, all durable: the last version of the stream, -1 for none. */
  durableBelow(size: number, stream: StreamId): number {
    return this.#stored(stream, size).version;
  }

  /** `index`: where the event of that version is. The store must answer for it by the time it is forgotten here. */
  set(stream: StreamId, version: number, index: number): void {
    this.#heads.delete(stream);
    this.#heads.set(stream, { version, index });
    if (this.#heads.size <= STREAM_HEADS_MAX) return;
    const [oldest] = this.#heads;
    if (oldest !== undefined && oldest[1].index < this.#durableSize()) this.#heads.delete(oldest[0]);
  }

  /** The store of a reader goes on growing under it: only what is in its view counts. */
  #stored(stream: StreamId, size: number): { readonly version: number; readonly index: number } {
    let run: StreamRun | undefined = this.#store.lastRun(stream);
    while (run !== undefined) {
      const last = run.indexes.findLastIndex((index) => index < size);
      if (last !== -1) return { version: run.version + last, index: run.indexes[last] ?? 0 };
      [run] = run.version === 0 ? [] : this.#store.runs(stream, run.version - 1);
    }
    return { version: -1, index: 0 };
  }
}
