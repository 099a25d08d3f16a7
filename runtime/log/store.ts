/**
 * Where a log keeps its bytes. The engine (`journal.ts`) decides what is written; a store makes it durable, or says that it
 * cannot tell. Two stores, one contract: `lmdb-store.ts` and `memory-store.ts`.
 *
 * - `commit` takes a batch, once and only when it can write it at once, applies it atomically, and resolves with it when it is
 *   on disk. It is called for one batch at a time, in order. A rejection means that the batch may or may not be there; the
 *   engine stops and never commits again.
 * - Reads see committed batches only. An iterator keeps to the view it began with.
 * - Keys are small and bounded; values are opaque bytes. A store interprets neither records nor tiles.
 */

import type { Origin } from '../codec/checkpoint.ts';
import type { Digest } from '../codec/digest.ts';
import type { EventId, StreamId } from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';

/** What the log knows of itself between two batches. */
export type Head = {
  readonly size: number;
  /** The hybrid clock of the last event. */
  readonly wallMs: Millis;
  readonly counter: number;
  /** The roots of the complete subtrees, largest first. */
  readonly frontier: readonly Digest[];
};

/** A run of consecutive versions of one stream, and the indexes of their events. */
export type StreamRun = { readonly stream: StreamId; readonly version: number; readonly indexes: readonly number[] };

export type StoredTile = { readonly level: number; readonly number: number; readonly bytes: Uint8Array };

/** Everything that one flush makes durable. */
export type Batch = {
  /** The index of the first record. */
  readonly first: number;
  readonly records: readonly Uint8Array[];
  /** The id of each record, in the same order. */
  readonly ids: readonly EventId[];
  readonly runs: readonly StreamRun[];
  /** Full tiles of level 0; full and partial ones of higher levels. A partial tile of level 0 is never stored. */
  readonly tiles: readonly StoredTile[];
  readonly blobs: readonly { readonly digest: Digest; readonly bytes: Uint8Array }[];
  readonly head: Head;
};

export interface LogStore extends AsyncDisposable {
  readonly origin: Origin;
  readonly isReadOnly: boolean;
  /** The head of the last committed batch; size 0 in a new log. */
  head(): Head;
  commit(take: () => Batch): Promise<Batch>;
  /** Records from `from` up to and without `to`, in order. */
  records(from: number, to: number): Iterable<Uint8Array>;
  /** The runs of a stream that hold its versions from `fromVersion` on, in order. */
  runs(stream: StreamId, fromVersion: number): Iterable<StreamRun>;
  lastRun(stream: StreamId): StreamRun | undefined;
  streams(after: string): Iterable<StreamId>;
  find(id: EventId): number | undefined;
  tile(level: number, number: number): Uint8Array | undefined;
  blob(digest: Digest): Uint8Array | undefined;
  /** Signed checkpoints by size, the newest first. */
  checkpoints(): Iterable<{ readonly size: number; readonly note: Uint8Array }>;
  /** Makes a signed checkpoint durable. */
  putCheckpoint(size: number, note: Uint8Array): Promise<void>;
  /** Snapshots are a cache: written without a flush, lost without harm. */
  putSnapshot(name: string, bytes: Uint8Array): void;
  snapshot(name: string): Uint8Array | undefined;
}
