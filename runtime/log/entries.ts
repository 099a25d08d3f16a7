/**
 * The records of a log in its table `entries`, packed (lmdb-store.ts, S4): a run of records under the index of its first, and
 * a full bundle of 256 in the place of the runs that it was made of.
 */
import { Buffer } from 'node:buffer';
import { encodeBundle, TILE_WIDTH } from '../codec/tile.ts';
import { view } from '../core/bytes.ts';
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
  #lastRead = { first: 0, run: new Run(new Uint8Array(0)) };

  constructor(table: Table, size: number) {
    this.#table = table;
    const start = size - (size % TILE_WIDTH);
    const runs = [...table.getKeys({ start: layout.u64(start) })].flatMap((key) => layout.fromU64(key) ?? []);
    this.#tail = { records: [...this.records(start, size)], runs };
  }

  /** From `from` up to and without `to`, or up to the first that is missing. */
  *records(from: number, to: number): Generator<Uint8Array> {
    if (to - from === 1) {
      const record = this.#alone(from);
      if (record !== undefined) yield record;
      return;
    }
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
    const { first, run } = this.#lastRead;
    return (index >= first ? run.record(index - first) : undefined) ?? this.#lookUp(index);
  }

  /** One record and none of its neighbours, as a sparse stream wants it: LMDB lends the run, and only the record is copied. */
  #alone(index: number): Uint8Array | undefined {
    const [key] = this.#table.getKeys({ start: layout.u64(index), reverse: true, limit: 1 });
    const first = key && layout.fromU64(key);
    const lent = key && this.#table.getBinaryFast(key);
    if (first === undefined || lent === undefined) return undefined;
    const record = new Run(lent).record(index - first);
    return record && Buffer.from(record);
  }

  #lookUp(index: number): Uint8Array | undefined {
    const [entry] = this.#table.getRange({ start: layout.u64(index), reverse: true, limit: 1 });
    const first = entry && layout.fromU64(entry.key);
    if (entry === undefined || first === undefined) return undefined;
    this.#lastRead = { first, run: new Run(entry.value) };
    return this.#lastRead.run.record(index - first);
  }
}

/** A run of records as it is stored, taken apart only as far as somebody reads. */
class Run {
  readonly #bytes: Buffer;
  /** Where each record known so far begins, after its length, and one further on where the next one would. */
  readonly #starts = [LENGTH_BYTES];

  constructor(bytes: Uint8Array) {
    this.#bytes = view(bytes);
  }

  /** The record at that place of the run; `undefined` past its last one. */
  record(place: number): Uint8Array | undefined {
    while (this.#starts.length <= place + 1) {
      const start = this.#starts.at(-1) ?? 0;
      if (start > this.#bytes.length) return undefined;
      const end = start + this.#bytes.readUInt16BE(start - LENGTH_BYTES);
      if (end > this.#bytes.length) throw new DamageError('entries', `expected ${end} bytes of a run, found fewer`);
      this.#starts.push(end + LENGTH_BYTES);
    }
    return this.#bytes.subarray(this.#starts[place], (this.#starts[place + 1] ?? 0) - LENGTH_BYTES);
  }
}

/** As in an entry bundle: tile.ts. */
const LENGTH_BYTES = 2;
