/**
 * The log of one node: what happened, in one total order, durable before anyone hears of it, provable to anyone.
 *
 * What every `EventLog` promises (`event-log.contract.ts` holds each implementation to it):
 *
 * - **Durability.** `append` resolves when its events are on disk, never earlier. What it reported survives any crash.
 * - **Atomicity.** The writes of one `append` are recorded all together or not at all.
 * - **Order.** Events get consecutive indexes in the order of the `append` calls. A stream's events get consecutive
 *   versions. The hybrid clock (wall, counter) strictly increases with the index.
 * - **Expected versions** are checked against everything appended before, durable or not. A conflict refuses one call and
 *   disturbs no other.
 * - **Idempotency.** An append whose every event id is in the log already, with the same content, reports where those
 *   events are, and records nothing; ids with other content are refused. For the whole life of the log.
 * - **Reads** show durable events only. A range read is one moment's view; a subscription goes on.
 * - **Fail-stop.** Once a write's fate is unknown, every pending and later append is rejected; open the log again to learn
 *   what was written. Nothing is retried blindly.
 */

import type { Checkpoint, Origin } from '../codec/checkpoint.ts';
import type { Did } from '../codec/did.ts';
import type { Digest } from '../codec/digest.ts';
import type { JsonValue } from '../codec/json.ts';
import type {
  Cause,
  DigestText,
  Erasure,
  EventId,
  EventType,
  LogRecord,
  RecordedDecision,
  ReplayClass,
  StreamId,
} from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';

/** What the author of an event hands over: JSON data, or bytes with a media type. Long ones become blobs by themselves. */
export type NewPayload =
  | { readonly type: 'json'; readonly value: JsonValue }
  | { readonly type: 'bytes'; readonly media: string; readonly bytes: Uint8Array };

/** An event on its way in. The log adds index, version, time and origin. */
export type NewEvent = {
  readonly id: EventId;
  readonly type: EventType;
  /** Default 1. */
  readonly typeVersion?: number;
  readonly actor: Did;
  readonly principal?: Did;
  readonly correlation?: EventId;
  readonly cause?: Cause;
  readonly envelope?: DigestText;
  readonly decision?: RecordedDecision;
  readonly payload: NewPayload;
  readonly erasure?: Erasure;
  /** Default `state`. */
  readonly replay?: ReplayClass;
};

/** The version of a stream's last event; `none` for a stream that must not exist yet; `any` for who does not mind. */
export type ExpectedVersion = number | 'none' | 'any';

/** The events of one stream within an append. */
export type Write = {
  readonly stream: StreamId;
  readonly expected: ExpectedVersion;
  readonly events: readonly NewEvent[];
};

/** Where an event was recorded. */
export type Recorded = {
  readonly index: number;
  readonly id: EventId;
  readonly stream: StreamId;
  readonly version: number;
  readonly wallMs: Millis;
  readonly leaf: Digest;
};

/** An event that has its place, and may be on its way to the disk still. */
export type Enqueued = Recorded & {
  /** The record. */
  readonly bytes: Uint8Array;
};

/** A fold's state at a size of the log, kept to save the next fold the way. A cache: valid only if everything matches. */
export type Snapshot = {
  /** Which fold, and of what: `agents/quote`. 1 to 200 characters as in a stream id. */
  readonly name: string;
  /** Digest of the reducer's code: another reducer's state is no use. */
  readonly reducer: Digest;
  /** The state after the first `size` events, and the root of the tree there. */
  readonly size: number;
  readonly root: Digest;
  readonly state: Uint8Array;
};

export interface EventLog extends AsyncDisposable {
  readonly origin: Origin;
  /** The DID of the log itself: what it signs checkpoints with, as a did:key. The actor of its own records. */
  readonly did: Did;
  /** The number of durable events. */
  readonly size: number;
  /** When the log last lost the ability to append, the coded reason; appends are rejected with it. */
  readonly stopped: Error | undefined;

  /**
   * Records the writes, all or none; resolves once they are on disk.
   * @throws `log.conflict` an expected version was not met · `log.id_reused` an id is taken by another event ·
   *   `log.too_large` more than 256 events or 32 MiB, or one record or blob over its limit · `log.busy` (retryable) too much
   *   is waiting · `log.full` no room but the reserve · `log.stopped` see Fail-stop · `log.read_only` · `log.closed`
   */
  append(writes: readonly Write[]): Promise<readonly Recorded[]>;

  /**
   * The same, without waiting for the disk: the writes have their places when it returns, and are on disk before anything that
   * is appended later. Whoever lets something leave this process because of them awaits `flushed`, or an `append`, first.
   * @throws as `append`
   */
  enqueue(writes: readonly Write[]): readonly Enqueued[];

  /** Resolves once all that was appended or enqueued before is on disk. @throws `log.full` · `log.stopped` it may never be */
  flushed(): Promise<void>;

  /** Durable events from `from` up to and without `to` (default: all), in order. Reads lazily, in one view. */
  read(from?: number, to?: number): Iterable<LogRecord>;

  /** The bytes of durable records, as `read`: what a verifier hashes. */
  readBytes(from?: number, to?: number): Iterable<Uint8Array>;

  /** One stream's durable events from a version on. Touches nothing but that stream. */
  readStream(stream: StreamId, fromVersion?: number): Iterable<LogRecord>;

  /** The version of the stream's last event, durable or pending; -1 for a stream that has none. */
  versionOf(stream: StreamId): number;

  /** Every stream that has durable events, in the order of their names, from `after` on. */
  streams(after?: string): Iterable<StreamId>;

  /** Where the event with this id is, if it is durable. */
  find(id: EventId): number | undefined;

  /** A blob's bytes, checked against their digest. `undefined` when it was pruned or never stored. */
  blob(digest: DigestText): Uint8Array | undefined;

  /** All durable events from `from` on and then each new one as it becomes durable, until the signal aborts. */
  subscribe(from: number, signal: AbortSignal): AsyncIterable<LogRecord>;

  /** The leaf hash of an event that is durable or enqueued, from the tree: no record is read for it. */
  leaf(index: number): Digest;

  /** The root of the first `size` durable events (default: all). */
  root(size?: number): Digest;

  /** RFC 6962 audit path of an event in the tree of `size` (default: all durable events). */
  inclusionProof(index: number, size?: number): readonly Digest[];

  /** RFC 6962 consistency proof between two sizes, 1 ≤ oldSize ≤ newSize ≤ size. */
  consistencyProof(oldSize: number, newSize?: number): readonly Digest[];

  /**
   * Signs a checkpoint over everything durable, after the anchor outside the log's directory holds it; the same bytes again
   * when nothing is new.
   * @throws `log.read_only` · `log.stopped` · `anchor.*` when the anchor cannot be written
   */
  checkpoint(): Promise<{ readonly note: Uint8Array; readonly checkpoint: Checkpoint }>;

  /** Keeps a snapshot, replacing one of the same name. Not durable by promise: it may be lost at any time. */
  saveSnapshot(snapshot: Snapshot): void;

  /** The snapshot of that name, if it was made by this reducer from this very tree; anything else is `undefined`. */
  loadSnapshot(name: string, reducer: Digest): Snapshot | undefined;
}
