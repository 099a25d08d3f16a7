/** A store in memory, for tests and the simulator: the same contract as on disk, and faults on request. */
import type { Origin } from '../codec/checkpoint.ts';
import { type Digest, formatDigest } from '../codec/digest.ts';
import type { EventId, StreamId } from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';
import { CodedError } from '../core/errors.ts';
import type { Batch, Head, LogStore, StreamRun } from './store.ts';

/** How a commit ends: `lost` before anything was written, `reply_lost` after everything was, `hang` never. */
export type CommitFault = 'lost' | 'reply_lost' | 'hang';

/** What survives a crash: hand it to another `MemoryStore` to open the same log again. */
export class MemoryDisk {
  head: Head = { size: 0, wallMs: 0 as Millis, counter: 0, frontier: [] };
  readonly records: Uint8Array[] = [];
  readonly ids = new Map<EventId, number>();
  readonly runs = new Map<StreamId, StreamRun[]>();
  readonly tiles = new Map<string, Uint8Array>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly checkpoints: { readonly size: number; readonly note: Uint8Array }[] = [];
  readonly snapshots = new Map<string, Uint8Array>();
}

export class MemoryStore implements LogStore {
  readonly origin: Origin;
  readonly isReadOnly = false;
  /** Set to be asked before each commit what is to go wrong with it. */
  faultOf: (batch: Batch) => CommitFault | undefined = () => undefined;
  readonly #disk: MemoryDisk;

  constructor(origin: Origin, disk: MemoryDisk = new MemoryDisk()) {
    this.origin = origin;
    this.#disk = disk;
  }

  head(): Head {
    return this.#disk.head;
  }

  async commit(take: () => Batch): Promise<Batch> {
    const batch = take();
    const fault = this.faultOf(batch);
    if (fault === 'hang') return new Promise(() => undefined);
    if (fault !== 'lost') this.#write(batch);
    if (fault !== undefined) throw new CodedError('disk.fault', `expected a sound disk, found the fault ${fault}`);
    return batch;
  }

  *records(from: number, to: number): Generator<Uint8Array> {
    const end = Math.min(to, this.#disk.head.size);
    for (let index = from; index < end; index++) {
      const bytes = this.#disk.records[index];
      if (bytes !== undefined) yield bytes;
    }
  }

  *runs(stream: StreamId, fromVersion: number): Generator<StreamRun> {
    for (const run of this.#disk.runs.get(stream) ?? []) {
      if (run.version + run.indexes.length > fromVersion) yield run;
    }
  }

  lastRun(stream: StreamId): StreamRun | undefined {
    return this.#disk.runs.get(stream)?.at(-1);
  }

  *streams(after: string): Generator<StreamId> {
    for (const stream of [...this.#disk.runs.keys()].sort()) if (stream > after) yield stream;
  }

  find(id: EventId): number | undefined {
    return this.#disk.ids.get(id);
  }

  tile(level: number, number: number): Uint8Array | undefined {
    return this.#disk.tiles.get(`${level}/${number}`);
  }

  blob(digest: Digest): Uint8Array | undefined {
    return this.#disk.blobs.get(formatDigest(digest));
  }

  *checkpoints(): Generator<{ readonly size: number; readonly note: Uint8Array }> {
    yield* this.#disk.checkpoints.toReversed();
  }

  async putCheckpoint(size: number, note: Uint8Array): Promise<void> {
    this.#disk.checkpoints.push({ size, note });
  }

  putSnapshot(name: string, bytes: Uint8Array): void {
    this.#disk.snapshots.set(name, bytes);
  }

  snapshot(name: string): Uint8Array | undefined {
    return this.#disk.snapshots.get(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #write(batch: Batch): void {
    const disk = this.#disk;
    disk.records.push(...batch.records);
    for (const [n, id] of batch.ids.entries()) disk.ids.set(id, batch.first + n);
    for (const run of batch.runs) {
      const runs = disk.runs.get(run.stream);
      if (runs === undefined) disk.runs.set(run.stream, [run]);
      else runs.push(run);
    }
    for (const tile of batch.tiles) disk.tiles.set(`${tile.level}/${tile.number}`, tile.bytes);
    for (const { digest, bytes } of batch.blobs) disk.blobs.set(formatDigest(digest), bytes);
    disk.head = batch.head;
  }
}
