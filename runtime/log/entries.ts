/**
 * The records of a log in its table `entries`, packed (lmdb-store.ts, S4): a run of records under the index of its first, and
 * a full bundle of 256 in the place of the runs that it was made of.
 */
import { decodeBundle, encodeBundle, TILE_WIDTH } from '../codec/tile.ts';
import * as layout from './layout.ts';
import type { Table } from './lmdb-tables.ts';
import { DamageError } from './recover.ts';
import type { Batch } from './store.ts';

/** The records since the last full bundle, and the indexes under which their runs stand. */
type Tail = { readonly records: readonly Uint8Array[]; readonly runs: readonly number[] };

/** What one batch does to the table. */
export type Packed = {
  readonly puts: readonly (readonly [number, Uint8Array])[];
  readonly removes: readonly number[];
  readonly tail: Tail;
};

export class Entries {
  readonly #table: Table;
  #tail: Tail;
  /** The run read last: what a record of the same bundle needs next. Runs only ever grow, so what is here stays true. */
  #lastRead: { readonly first: number; readonly records: readonly Uint8Array[] } = { first: 0, records: [] };

  constructor(table: Table, size: number) {
    this.#table = table;
    const start = size - (size % TILE_WIDTH);
    const runs = [...table.getKeys({ start: layout.u64(start) })].flatMap((key) => layout.fromU64(key) ?? []);
    this.#tail = { records: [...this.records(start, size)], runs };
  }

  /** From `from` up to and without `to`, or up to the first that is missing. */
  *records(from: number, to: number): Generator<Uint8Array> {
    for (let index = from; index < to; index++) {
      const record = this.#record(index);
      if (record === undefined) return;
      yield record;
    }
  }

  /** Runs as they come, and a full bundle in the place of its runs. Changes nothing here until `packed`. */
  pack(batch: Pick<Batch, 'first' | 'records'>): Packed {
    const puts: [number, Uint8Array][] = [];
    const removes: number[] = [];
    let [tail, first, rest] = [this.#tail, batch.first, batch.records];
    while (rest.length > 0) {
      const start = first - tail.records.length;
      const added = rest.slice(0, TILE_WIDTH - tail.records.length);
      const records = [...tail.records, ...added];
      if (records.length === TILE_WIDTH) {
        puts.push([start, encodeBundle(records)]);
        removes.push(...tail.runs.filter((run) => run !== start));
        tail = { records: [], runs: [] };
      } else {
        puts.push([first, encodeBundle(added)]);
        tail = { records, runs: [...tail.runs, first] };
      }
      first += added.length;
      rest = rest.slice(added.length);
    }
    return { puts, removes, tail };
  }

  /** The batch is on disk. */
  packed({ tail }: Packed): void {
    this.#tail = tail;
  }

  #record(index: number): Uint8Array | undefined {
    const cached = this.#lastRead.records[index - this.#lastRead.first];
    if (cached !== undefined && index >= this.#lastRead.first) return cached;
    const [run] = this.#table.getRange({ start: layout.u64(index), reverse: true, limit: 1 });
    const first = run && layout.fromU64(run.key);
    if (run === undefined || first === undefined) return undefined;
    const records = decodeBundle(run.value);
    if (!records.ok) throw new DamageError(`record ${first}`, records.error.message);
    this.#lastRead = { first, records: records.value };
    return records.value[index - first];
  }
}
