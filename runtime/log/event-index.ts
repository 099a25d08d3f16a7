/**
 * Where the events of a log are, by id and by stream.
 *
 * I1. The tables `ids` and `streams` have an entry for every record of a full bundle and for no other. They are written in the
 *     transaction that makes the bundle full: written with every batch, they were most of the pages that a batch changes.
 * I2. For the records after the last full bundle, 255 at most, the same is known from the records, in memory.
 * I3. What is read of the two without a pause is one moment of the file, so that a bundle that becomes full while an iterator
 *     waits is not missed.
 */
import { decodeRecord, type EventId, type StreamId } from '../codec/record.ts';
import { TILE_WIDTH } from '../codec/tile.ts';
import * as layout from './layout.ts';
import type { Tables } from './lmdb-tables.ts';
import { DamageError } from './recover.ts';
import type { Batch, StreamRun } from './store.ts';

/** The file as it is when asked. */
type Source = { size(): number; records(from: number, to: number): Iterable<Uint8Array> };

type Added = Pick<Batch, 'first' | 'ids' | 'runs'>;

/** What one batch does to the tables: the entries of the bundle that it makes full, if it does. */
export type Indexed = {
  readonly ids: readonly (readonly [EventId, number])[];
  readonly runs: readonly StreamRun[];
  /** To be called once the batch is on disk; nothing has changed here until then. */
  readonly settle: () => void;
};

const WINDOW = 256;

/** How many records of a log of that size have entries in the tables (I1). */
export function indexedIn(size: number): number {
  return Math.floor(size / TILE_WIDTH) * TILE_WIDTH;
}

export class EventIndex {
  readonly #tables: Pick<Tables, 'ids' | 'streams'>;
  readonly #source: Source;
  readonly #isShared: boolean;
  #rest: Rest | undefined;

  /** `isShared`: somebody else may write the file. */
  constructor(tables: Pick<Tables, 'ids' | 'streams'>, source: Source, isShared: boolean) {
    this.#tables = tables;
    this.#source = source;
    this.#isShared = isShared;
  }

  find(id: EventId): number | undefined {
    const index = this.#restNow().ids.get(id);
    if (index !== undefined) return index;
    const value = this.#tables.ids.get(layout.idKey(id));
    return value && layout.fromU64(value);
  }

  *runs(stream: StreamId, fromVersion: number): Generator<StreamRun> {
    let start = layout.runKey(stream, this.#storedAtOrBefore(stream, fromVersion)?.version ?? fromVersion);
    let newest = -1;
    for (let isLast = false; !isLast; ) {
      const rows = this.#tables.streams.getRange({ start, end: layout.afterRuns(stream), limit: WINDOW });
      const window = [...rows].map(({ key, value }) => soundRun(key, value));
      isLast = window.length < WINDOW;
      newest = window.at(-1)?.version ?? newest;
      start = layout.runKey(stream, newest + 1);
      const rest = isLast ? this.#restNow().runs.get(stream) : undefined; // I3
      if (rest !== undefined && rest.version > newest) window.push(rest);
      for (const run of window) if (run.version + run.indexes.length > fromVersion) yield run;
    }
  }

  lastRun(stream: StreamId): StreamRun | undefined {
    return this.#restNow().runs.get(stream) ?? this.#storedAtOrBefore(stream, Number.MAX_SAFE_INTEGER);
  }

  *streams(after: string): Generator<StreamId> {
    for (let next = this.#streamAfter(after); next !== undefined; next = this.#streamAfter(next)) yield next;
  }

  index(batch: Added): Indexed {
    const rest = this.#restNow();
    const size = batch.first + batch.ids.length;
    const start = indexedIn(size);
    if (start === rest.start) return { ids: [], runs: [], settle: () => rest.add(batch) };
    const all = rest.copy();
    all.add(batch);
    const after = all.cut(start);
    const settle = (): void => {
      this.#rest = after;
    };
    return { ids: [...all.ids], runs: [...all.runs.values()], settle };
  }

  /** I2. */
  #restNow(): Rest {
    if (this.#rest !== undefined && !this.#isShared) return this.#rest;
    const size = this.#source.size();
    if (this.#rest?.size === size) return this.#rest;
    const start = indexedIn(size);
    this.#rest = restOf(start, this.#source.records(start, size));
    return this.#rest;
  }

  #storedAtOrBefore(stream: StreamId, version: number): StreamRun | undefined {
    const start = layout.runKey(stream, version);
    const [found] = this.#tables.streams.getRange({ start, reverse: true, limit: 1 });
    const run = found && soundRun(found.key, found.value);
    return run?.stream === stream ? run : undefined;
  }

  #streamAfter(name: string): StreamId | undefined {
    const [row] = this.#tables.streams.getRange({ start: layout.afterRuns(name), limit: 1 });
    let next = row && soundRun(row.key, row.value).stream;
    for (const stream of this.#restNow().runs.keys())
      if (stream > name && (next === undefined || stream < next)) next = stream;
    return next;
  }
}

/** What the tables would say of the events from `start` on. */
class Rest {
  readonly start: number;
  readonly ids = new Map<EventId, number>();
  /** One run per stream, for versions are consecutive. */
  readonly runs = new Map<StreamId, StreamRun>();
  #size: number;

  constructor(start: number) {
    this.start = start;
    this.#size = start;
  }

  get size(): number {
    return this.#size;
  }

  add({ first, ids, runs }: Added): void {
    for (const [n, id] of ids.entries()) this.ids.set(id, first + n);
    for (const run of runs) {
      const before = this.runs.get(run.stream);
      this.runs.set(run.stream, before ? { ...before, indexes: [...before.indexes, ...run.indexes] } : run);
    }
    this.#size = first + ids.length;
  }

  copy(): Rest {
    const copy = new Rest(this.start);
    copy.#take(this.ids, this.runs.values(), this.#size);
    return copy;
  }

  /** Cuts off what is from `start` on. */
  cut(start: number): Rest {
    const ids = [...this.ids].filter(([, index]) => index >= start);
    const runs: StreamRun[] = [];
    for (const { stream, version, indexes } of this.runs.values()) {
      const kept = indexes.filter((index) => index < start);
      if (kept.length < indexes.length)
        runs.push({ stream, version: version + kept.length, indexes: indexes.slice(kept.length) });
      if (kept.length > 0) this.runs.set(stream, { stream, version, indexes: kept });
      else this.runs.delete(stream);
    }
    for (const [id] of ids) this.ids.delete(id);
    const after = new Rest(start);
    after.#take(ids, runs, this.#size);
    this.#size = start;
    return after;
  }

  #take(ids: Iterable<readonly [EventId, number]>, runs: Iterable<StreamRun>, size: number): void {
    for (const [id, index] of ids) this.ids.set(id, index);
    for (const run of runs) this.runs.set(run.stream, run);
    this.#size = size;
  }
}

function restOf(start: number, records: Iterable<Uint8Array>): Rest {
  const rest = new Rest(start);
  for (const bytes of records) {
    const first = rest.size;
    const record = decodeRecord(bytes);
    if (!record.ok) throw new DamageError(`record ${first}`, record.error.message);
    const { id, stream, version } = record.value;
    rest.add({ first, ids: [id], runs: [{ stream, version, indexes: [first] }] });
  }
  return rest;
}

function soundRun(key: Uint8Array, value: Uint8Array): StreamRun {
  const run = layout.parseRun(key, value);
  if (run === undefined) throw new DamageError('streams', 'expected a run of a stream');
  return run;
}
