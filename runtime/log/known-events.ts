/**
 * The events that a log has by their ids, durable or not yet: an append that was made before gets the places that it got then,
 * and an id never names two events.
 *
 * Owned by the journal, which adds what it has sequenced and drops it here once the store can answer for it.
 */
import type { Digest } from '../codec/digest.ts';
import { hashLeaf } from '../codec/merkle.ts';
import { decodeRecord, type EventId, readRecord, type StreamId } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { CodedError } from '../core/errors.ts';
import type { NewEvent, Write } from './event-log.ts';
import type { Sequenced, Sequencer } from './sequencer.ts';
import type { LogStore } from './store.ts';

export class KnownEvents {
  readonly #store: Pick<LogStore, 'find' | 'records'>;
  readonly #sequencer: Pick<Sequencer, 'isSameEvent'>;
  /** Sequenced and not yet durable. */
  readonly #pending = new Map<EventId, Sequenced>();
  readonly #leaves = new Map<number, Digest>();

  constructor(store: Pick<LogStore, 'find' | 'records'>, sequencer: Pick<Sequencer, 'isSameEvent'>) {
    this.#store = store;
    this.#sequencer = sequencer;
  }

  add(events: readonly Sequenced[]): void {
    for (const event of events) {
      this.#pending.set(event.id, event);
      this.#leaves.set(event.index, event.leaf);
    }
  }

  /** The store has them. */
  settle(ids: readonly EventId[]): void {
    for (const id of ids) {
      const event = this.#pending.get(id);
      if (event !== undefined) this.#leaves.delete(event.index);
      this.#pending.delete(id);
    }
  }

  /** Of an event that is not yet durable. */
  leafOf(index: number): Digest | undefined {
    return this.#leaves.get(index);
  }

  /** Nothing that was pending will ever be durable. */
  clear(): void {
    this.#pending.clear();
    this.#leaves.clear();
  }

  /** The events of this append, when every one of them was sequenced before with the same content; `undefined` when none was.
   *  @throws `log.id_reused` an id stands twice, or names another event, or only some were recorded before */
  sameAs(writes: readonly Write[]): readonly Sequenced[] | undefined {
    const found: Sequenced[] = [];
    const ids = new Set<EventId>();
    let count = 0;
    for (const { stream, events } of writes) {
      for (const event of events) {
        count += 1;
        const earlier = this.#pending.get(event.id) ?? this.#durable(event.id);
        if (ids.has(event.id) || (earlier !== undefined && !this.#isSame(event, stream, earlier)))
          throw idReused(event.id);
        ids.add(event.id);
        if (earlier !== undefined) found.push(earlier);
      }
    }
    if (found.length === 0) return undefined;
    if (found.length < count) throw idReused(found[0]?.id);
    return found;
  }

  #durable(id: EventId): Sequenced | undefined {
    const index = this.#store.find(id);
    if (index === undefined) return undefined;
    const [bytes] = this.#store.records(index, index + 1);
    assert(bytes !== undefined, 'an indexed id has its record');
    const { stream, version, wallMs } = readRecord(bytes);
    return { index, id, stream, version, wallMs, leaf: hashLeaf(bytes), bytes };
  }

  #isSame(event: NewEvent, stream: StreamId, earlier: Sequenced): boolean {
    const record = decodeRecord(earlier.bytes);
    return record.ok && this.#sequencer.isSameEvent(event, stream, record.value, earlier.bytes);
  }
}

function idReused(id: EventId | undefined): CodedError {
  return new CodedError('log.id_reused', `expected a new event id, found ${id}, which names another event`);
}
