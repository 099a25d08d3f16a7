/**
 * The indexes of a log against its records, both ways: every record of a full bundle has its entry, and there is no other
 * entry (event-index.ts, I1). Records are gathered a window at a time, then each table is walked once in its own order, so no
 * lookup is made per event.
 */
import { Buffer } from 'node:buffer';
import type { LogRecord, StreamId } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import type { Findings } from './findings.ts';
import * as layout from './layout.ts';
import type { RawTables } from './raw-tables.ts';
import type { StreamEnd } from './record-order.ts';

/** Events compared per walk of the index tables: 29 bytes each, so 116 MiB at most; longer logs take several walks. */
export const WINDOW_EVENTS = 4 * 1024 * 1024;

const IS_RECORD = 1;
const HAS_ID = 2;
const HAS_RUN = 4;

export type Surroundings = {
  readonly tables: RawTables;
  readonly findings: Findings;
  readonly streams: ReadonlyMap<StreamId, StreamEnd>;
  /** How many events have entries, as far as one can tell from the records read so far; the others may. */
  readonly indexed: number;
  /** An entry for an event from here on is wrong. */
  readonly end: number;
};

/** What the records from `start` on say that the indexes must say of them. */
export class IndexWindow {
  readonly start: number;
  #length = 0;
  #ids = Buffer.alloc(0);
  #streams = new Uint32Array(0);
  #versions = new Float64Array(0);
  #marks = new Uint8Array(0);

  constructor(start: number) {
    this.start = start;
  }

  get length(): number {
    return this.#length;
  }

  /** The next record; `undefined` for one that could not be read, of which no entry can be expected. */
  add(record: LogRecord | undefined, stream: number): void {
    if (this.#length === this.#marks.length) this.#grow();
    const at = this.#length++;
    if (record === undefined) return;
    layout.writeId(record.id, this.#ids, at * layout.ID_BYTES);
    this.#streams[at] = stream;
    this.#versions[at] = record.version;
    this.#marks[at] = IS_RECORD;
  }

  /** Compares the indexes with the records of this window. */
  compare(around: Surroundings): void {
    const { findings } = around;
    if (findings.guard('ids', () => this.#compareIds(around)) !== undefined) {
      this.#reportUnmarked(HAS_ID, 'ids', around);
    }
    if (findings.guard('streams', () => this.#compareRuns(around)) !== undefined) {
      this.#reportUnmarked(HAS_RUN, 'streams', around);
    }
  }

  #compareIds({ tables, findings, end }: Surroundings): true {
    const fail = (key: Buffer, message: string, at = {}): void =>
      findings.add('log.bad_index', `ids ${layout.parseIdKey(key)}`, message, at);
    for (const { key, value } of tables.rows('ids')) {
      const index = value.length === 8 && key.length === layout.ID_BYTES ? layout.fromU64(value) : undefined;
      if (index === undefined || index >= end) {
        if (this.start === 0) fail(key, 'expected an event of a full bundle');
        continue;
      }
      const at = this.#positionOf(index);
      if (at === undefined) continue;
      if (this.#hasId(at, key)) this.#mark(at, HAS_ID);
      else fail(key, `expected the id of record ${index}`, { index });
    }
    return true;
  }

  #compareRuns({ tables, findings, streams, end }: Surroundings): true {
    const fail = (place: string, message: string, at = {}): void =>
      findings.add('log.bad_index', `streams ${place}`, message, at);
    for (const { key, value } of tables.rows('streams')) {
      const run = layout.parseRun(key, value);
      if (run === undefined) {
        if (this.start === 0) fail(key.toString('hex', 0, 40), 'expected a run of a stream');
        continue;
      }
      const number = streams.get(run.stream)?.number;
      let version = run.version;
      for (const index of run.indexes) {
        const at = index < end ? this.#positionOf(index) : undefined;
        if (at !== undefined) {
          const isSame = this.#streams[at] === number && this.#versions[at] === version;
          if (isSame && !this.#isMarked(at, HAS_RUN)) this.#mark(at, HAS_RUN);
          else fail(`${run.stream}@${version}`, `expected the stream and version of record ${index}`, { index });
        } else if (index >= end && this.start === 0) {
          fail(`${run.stream}@${version}`, `expected an index below ${end}, found ${index}`);
        }
        version += 1;
      }
    }
    return true;
  }

  #reportUnmarked(mark: number, table: string, { findings, indexed }: Surroundings): void {
    for (let at = 0; at < this.#length && this.start + at < indexed; at++) {
      const index = this.start + at;
      if (!this.#isMarked(at, IS_RECORD) || this.#isMarked(at, mark) || findings.isBad(index)) continue;
      findings.add('log.bad_index', table, `expected an entry for record ${index}, found none`, { index });
    }
  }

  /** Where in the window the record at `index` is, if it is here and could be read. */
  #positionOf(index: number): number | undefined {
    const at = index - this.start;
    return at >= 0 && at < this.#length && this.#isMarked(at, IS_RECORD) ? at : undefined;
  }

  #hasId(at: number, key: Buffer): boolean {
    const start = at * layout.ID_BYTES;
    for (let n = 0; n < layout.ID_BYTES; n++) if (this.#ids[start + n] !== key[n]) return false;
    return true;
  }

  #isMarked(at: number, mark: number): boolean {
    return ((this.#marks[at] ?? 0) & mark) !== 0;
  }

  #mark(at: number, mark: number): void {
    this.#marks[at] = (this.#marks[at] ?? 0) | mark;
  }

  #grow(): void {
    const room = Math.min(WINDOW_EVENTS, Math.max(1024, this.#marks.length * 2));
    assert(this.#length < room, 'a window of at most WINDOW_EVENTS');
    const [ids, streams, versions, marks] = [this.#ids, this.#streams, this.#versions, this.#marks];
    this.#ids = Buffer.alloc(room * layout.ID_BYTES);
    this.#streams = new Uint32Array(room);
    this.#versions = new Float64Array(room);
    this.#marks = new Uint8Array(room);
    this.#ids.set(ids);
    this.#streams.set(streams);
    this.#versions.set(versions);
    this.#marks.set(marks);
  }
}
