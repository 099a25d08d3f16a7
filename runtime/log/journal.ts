/**
 * The one implementation of `EventLog`, over any `LogStore`: sequencing, group commit, reading, proofs, checkpoints.
 *
 * J1. A flush starts at the end of the turn when none is running, and takes what has been appended by the time its store can
 *     write; what comes later becomes the next batch. No timer is on the path.
 * J2. Callers hear of their events after the flush, in the order of their appends.
 * J3. After any failed or overdue commit the journal stops for good: the fate of that batch is unknown until the next open.
 * J4. Only what is durable is read, proved or signed. The anchor has a checkpoint before anyone else (anchor.ts, A1).
 *
 * It owns the store and closes it. It does not interpret payloads, and runs nothing in answer to an event.
 */

import { type Checkpoint, type Origin, openCheckpoint, signCheckpoint } from '../codec/checkpoint.ts';
import type { Did } from '../codec/did.ts';
import { type Digest, parseDigestText, sha256 } from '../codec/digest.ts';
import { Frontier } from '../codec/frontier.ts';
import type { Signer } from '../codec/note.ts';
import {
  type DigestText,
  digestText,
  type EventId,
  type LogRecord,
  readRecord,
  type StreamId,
} from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { equalBytes, utf8 } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import { withDeadline } from '../core/deadline.ts';
import { CodedError } from '../core/errors.ts';
import { APPEND_QUEUE_EVENTS_MAX, BATCH_EVENTS_MAX, FLUSH_MS_MAX } from '../core/limits.ts';
import { unwrap } from '../core/result.ts';
import type { Anchor } from './anchor.ts';
import { batchOf, nextCount, type Timed } from './batching.ts';
import type { Enqueued, EventLog, Recorded, Snapshot, Write } from './event-log.ts';
import { Growth } from './growth.ts';
import { KnownEvents } from './known-events.ts';
import { Recent } from './recent.ts';
import { DamageError } from './recover.ts';
import { placeOf, Sequencer } from './sequencer.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';
import { stopError } from './stop-error.ts';
import type { Batch, LogStore } from './store.ts';
import { StreamHeads } from './stream-heads.ts';
import type { LogTree } from './tree.ts';

export type JournalParts = {
  readonly store: LogStore;
  readonly tree: LogTree;
  readonly clock: Clock;
  /** The log key, and the DID that it is. Absent in a reader. */
  readonly signer?: Signer;
  readonly did: Did;
  readonly anchor?: Anchor;
  readonly flushMsMax?: number;
};

/** Who waits until the log is `size` long on disk. */
type Waiting = { readonly size: number; readonly resolve: () => void; readonly reject: (error: Error) => void };

export class Journal implements EventLog {
  readonly #parts: JournalParts;
  readonly #store: LogStore;
  readonly #tree: LogTree;
  readonly #sequencer: Sequencer;
  readonly #queue: Timed[] = [];
  /** By size (J2). */
  readonly #waiting: Waiting[] = [];
  #queued = 0;
  readonly #known: KnownEvents;
  readonly #heads: StreamHeads;
  readonly #recent = new Recent();
  #durable: number;
  /** Of what is durable: while a batch is being written, the tree is ahead of it. Its root is asked for less often than it changes. */
  #frontier: readonly Digest[];
  #flushing: Promise<void> | undefined;
  #stopped: Error | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #signing: Promise<unknown> = Promise.resolve();
  readonly #growth = new Growth();

  constructor(parts: JournalParts) {
    this.#parts = parts;
    this.#store = parts.store;
    this.#tree = parts.tree;
    const head = parts.store.head();
    assert(head.size === parts.tree.size, 'J4: a tree of the records that are there');
    this.#durable = head.size;
    this.#frontier = parts.tree.frontier;
    this.#heads = new StreamHeads(parts.store, () => this.#durable);
    this.#sequencer = new Sequencer(digestText(sha256(utf8(parts.store.origin))), head, (stream) =>
      this.versionOf(stream),
    );
    this.#known = new KnownEvents(parts.store, this.#sequencer);
    if (parts.store.isReadOnly) this.#stopped = new CodedError('log.read_only', 'expected a log open for writing');
  }

  get origin(): Origin {
    return this.#store.origin;
  }

  get did(): Did {
    return this.#parts.did;
  }

  get size(): number {
    return this.#durable;
  }

  get stopped(): Error | undefined {
    return this.#stopped ?? (this.#closing && closedError());
  }

  async append(writes: readonly Write[]): Promise<readonly Recorded[]> {
    const enqueued = this.enqueue(writes);
    await this.#flushedTo(Math.max(...enqueued.map((event) => event.index)) + 1);
    return enqueued.map(placeOf);
  }

  enqueue(writes: readonly Write[]): readonly Enqueued[] {
    if (this.stopped !== undefined) throw this.stopped;
    const before = this.#known.sameAs(writes);
    if (before !== undefined) return before;
    const count = writes.reduce((sum, write) => sum + write.events.length, 0);
    if (this.#queued + count > APPEND_QUEUE_EVENTS_MAX) {
      const message = `expected at most ${APPEND_QUEUE_EVENTS_MAX} events waiting for the disk`;
      throw new CodedError('log.busy', message, { retryable: true });
    }
    const sequence = this.#sequencer.sequence(writes, this.#parts.clock.now());
    this.#known.add(sequence.events);
    for (const { stream, version, index } of sequence.events) this.#heads.set(stream, version, index);
    this.#queue.push({ ...sequence, time: this.#sequencer.time });
    this.#queued += count;
    this.#flushing ??= this.#flush();
    return sequence.events;
  }

  flushed(): Promise<void> {
    return this.#flushedTo(this.#sequencer.next);
  }

  *read(from = 0, to = this.#durable): Generator<LogRecord> {
    for (const bytes of this.readBytes(from, to)) yield readRecord(bytes);
  }

  *readBytes(from = 0, to = this.#durable): Generator<Uint8Array> {
    this.#mustBeOpen();
    for (const bytes of this.#store.records(Math.max(0, from), Math.min(to, this.#durable))) {
      yield bytes;
      this.#mustBeOpen();
    }
  }

  readStream(stream: StreamId, fromVersion = 0): Iterable<LogRecord> {
    return this.#readStream(stream, fromVersion, this.#durable);
  }

  versionOf(stream: StreamId): number {
    this.#mustBeOpen();
    return this.#heads.versionOf(stream);
  }

  streams(after = ''): Iterable<StreamId> {
    return this.#streams(after, this.#durable);
  }

  find(id: EventId): number | undefined {
    this.#mustBeOpen();
    const index = this.#store.find(id);
    return index !== undefined && index < this.#durable ? index : undefined;
  }

  blob(text: DigestText): Uint8Array | undefined {
    this.#mustBeOpen();
    const digest = unwrap(parseDigestText(text), 'a digest from a record');
    const bytes = this.#store.blob(digest);
    if (bytes === undefined || equalBytes(sha256(bytes), digest)) return bytes;
    throw new CodedError('log.damaged', `blob ${text}: expected bytes of that digest, found others`);
  }

  async *subscribe(from: number, signal: AbortSignal): AsyncGenerator<LogRecord> {
    let next = from;
    while (!signal.aborted) {
      if (next >= this.#durable) {
        if (this.#stopped !== undefined || this.#isClosed) return;
        await this.#growth.wait(signal);
        continue;
      }
      for (const event of this.read(next, Math.min(this.#durable, next + BATCH_EVENTS_MAX))) {
        if (signal.aborted) return;
        next = event.index + 1;
        yield event;
      }
    }
  }

  leaf(index: number): Digest {
    const pending = this.#known.leafOf(index);
    if (pending !== undefined) return pending;
    this.#mustCover(this.#durable, index);
    return this.#tree.leaf(index);
  }

  root(size = this.#durable): Digest {
    this.#mustCover(size);
    if (size < this.#durable) return this.#tree.root(size);
    return unwrap(Frontier.from(size, this.#frontier), 'J4: the frontier of what is durable').root();
  }

  inclusionProof(index: number, size = this.#durable): readonly Digest[] {
    this.#mustCover(size, index);
    return this.#tree.inclusionProof(index, size);
  }

  consistencyProof(oldSize: number, newSize = this.#durable): readonly Digest[] {
    this.#mustCover(newSize, oldSize - 1);
    return this.#tree.consistencyProof(oldSize, newSize);
  }

  /** One at a time: two signers racing could offer the anchor the larger size first and then be refused the smaller. */
  async checkpoint(): Promise<{ readonly note: Uint8Array; readonly checkpoint: Checkpoint }> {
    if (this.stopped !== undefined) throw this.stopped;
    const signed = this.#signing.then(() => this.#sign());
    this.#signing = signed.catch(() => undefined);
    return signed;
  }

  saveSnapshot(snapshot: Snapshot): void {
    this.#mustBeOpen();
    this.#store.putSnapshot(snapshot.name, encodeSnapshot(snapshot));
  }

  loadSnapshot(name: string, reducer: Digest): Snapshot | undefined {
    this.#mustBeOpen();
    const bytes = this.#store.snapshot(name);
    const snapshot = bytes && decodeSnapshot(bytes);
    if (snapshot === undefined || snapshot.name !== name || !equalBytes(snapshot.reducer, reducer)) return undefined;
    if (snapshot.size > this.#durable || !equalBytes(this.root(snapshot.size), snapshot.root)) return undefined;
    return snapshot;
  }

  /** Refuses appends from now on, with `reason`. What is under way is not disturbed. */
  stop(reason: CodedError): void {
    this.#stopped ??= reason;
  }

  /** Takes nothing more, waits for what was appended and signed before, then closes. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#flushing;
    await this.#signing;
    this.#isClosed = true;
    this.#growth.announce();
    await this.#store[Symbol.asyncDispose]();
  }

  // --- reading -------------------------------------------------------------------------------------------------------

  /** Up to the size that the log had when this was asked for: the store may know of more. */
  *#readStream(stream: StreamId, fromVersion: number, size: number): Generator<LogRecord> {
    this.#mustBeOpen();
    const recent = this.#recent.since(stream, fromVersion);
    if (recent !== undefined) {
      for (const { index, bytes } of recent) {
        if (index >= size) return;
        this.#mustBeOpen();
        yield readRecord(bytes);
      }
      return;
    }
    const last = this.#heads.durableBelow(size, stream);
    let next = Math.max(0, fromVersion);
    for (const run of this.#store.runs(stream, fromVersion)) {
      for (const index of run.indexes.slice(Math.max(0, next - run.version))) {
        if (next > last) return;
        const [record] = this.read(index, index + 1);
        if (record?.stream !== stream || record.version !== next) throw notInStream(stream, next);
        yield record;
        next += 1;
      }
    }
    if (next <= last) throw notInStream(stream, next); // fail closed: half a stream is another history
  }

  *#streams(after: string, size: number): Generator<StreamId> {
    this.#mustBeOpen();
    for (const stream of this.#store.streams(after)) {
      const [first] = this.#store.runs(stream, 0);
      if ((first?.indexes[0] ?? size) < size) yield stream;
      this.#mustBeOpen();
    }
  }

  // --- appending -----------------------------------------------------------------------------------------------------

  async #flush(): Promise<void> {
    await undefined; // what is appended in the same turn goes along
    while (this.#queue.length > 0) {
      let appends: readonly Timed[] = [];
      const take = (): Batch => {
        appends = this.#queue.splice(0, nextCount(this.#queue, this.#durable));
        return batchOf(appends, this.#tree);
      };
      try {
        const { head, ids } = await this.#inTime(this.#store.commit(take), 'a flush');
        this.#durable = head.size;
        this.#frontier = head.frontier;
        for (const append of appends) this.#recent.add(append.events);
        this.#known.settle(ids);
        this.#queued -= ids.length;
      } catch (error) {
        this.#fail(error);
        break;
      }
      this.#growth.announce();
      const later = this.#waiting.findIndex(({ size }) => size > this.#durable);
      for (const { resolve } of this.#waiting.splice(0, later === -1 ? this.#waiting.length : later)) resolve();
    }
    this.#flushing = undefined;
  }

  /** J3. Everyone who waits is told, and nobody else may begin. */
  #fail(cause: unknown): void {
    const reason = stopError(cause);
    this.#stopped ??= reason;
    this.#queue.length = 0;
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
    this.#known.clear();
    this.#queued = 0;
    this.#growth.announce();
  }

  #flushedTo(size: number): Promise<void> {
    if (size <= this.#durable) return Promise.resolve();
    if (this.#flushing === undefined) return Promise.reject(this.stopped ?? closedError());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const before = this.#waiting.findLastIndex((waiting) => waiting.size <= size);
    this.#waiting.splice(before + 1, 0, { size, resolve, reject });
    return promise;
  }

  async #inTime<T>(write: Promise<T>, what: string): Promise<T> {
    const limitMs = this.#parts.flushMsMax ?? FLUSH_MS_MAX;
    return withDeadline(write, { clock: this.#parts.clock, limitMs, what });
  }

  // --- signing -------------------------------------------------------------------------------------------------------

  async #sign(): Promise<{ readonly note: Uint8Array; readonly checkpoint: Checkpoint }> {
    const { signer, anchor } = this.#parts;
    if (this.#stopped !== undefined) throw this.#stopped;
    assert(signer !== undefined && anchor !== undefined, 'J4: a log open for writing has its key and its anchor');
    const head = { origin: this.origin, size: this.#durable, root: this.root() };
    const [newest] = this.#store.checkpoints();
    const known = newest?.size === head.size ? openCheckpoint(newest.note, signer) : undefined;
    const isKnown = newest !== undefined && known?.ok === true && equalBytes(known.value.root, head.root);
    if (isKnown) return { note: newest.note, checkpoint: known.value };
    const note = signCheckpoint(head, signer);
    const checkpoint = unwrap(openCheckpoint(note, signer), 'our own checkpoint, checked against a faulty signature');
    await anchor.advance(note);
    try {
      await this.#inTime(this.#store.putCheckpoint(head.size, note), 'a checkpoint');
    } catch (error) {
      this.#fail(error);
      throw this.#stopped;
    }
    return { note, checkpoint };
  }

  /** A size of the log, and an index below it. */
  #mustCover(size: number, index = size - 1): void {
    this.#mustBeOpen();
    if (!Number.isSafeInteger(size) || size < 0 || size > this.#durable) {
      throw new CodedError('log.out_of_range', `expected a size in 0..${this.#durable}, found ${size}`);
    }
    if (size === 0 && index === -1) return;
    if (Number.isSafeInteger(index) && index >= 0 && index < size) return;
    throw new CodedError('log.out_of_range', `expected one of ${size} events, found number ${index}`);
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw closedError();
  }
}

function notInStream(stream: StreamId, version: number): DamageError {
  return new DamageError(`stream ${stream}`, `expected the event of version ${version}, found another or none`);
}

function closedError(): CodedError {
  return new CodedError('log.closed', 'expected an open log');
}
