/**
 * The newest durable events, as they were written: whoever follows a stream reads what was just recorded from here, and not
 * from the disk again. A cache: it answers for a stream only if it has everything that was asked for.
 *
 * Owned by the journal, which adds each batch once it is durable, in the order of the log.
 */
import type { StreamId } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { RECENT_BYTES_MAX } from '../core/limits.ts';
import type { Sequenced } from './sequencer.ts';

export class Recent {
  /** In the order of the log; those before `#first` are forgotten. */
  #events: Sequenced[] = [];
  #first = 0;
  #byteLength = 0;
  /** By stream: consecutive versions up to its newest durable one. */
  readonly #byStream = new Map<StreamId, Sequenced[]>();

  add(events: readonly Sequenced[]): void {
    for (const event of events) {
      const known = this.#byStream.get(event.stream);
      if (known === undefined) this.#byStream.set(event.stream, [event]);
      else known.push(event);
      this.#events.push(event);
      this.#byteLength += event.bytes.length;
    }
    while (this.#byteLength > RECENT_BYTES_MAX) this.#forget();
  }

  /** The events of a stream from a version on, up to the newest durable one; `undefined` if some of them are not here. */
  since(stream: StreamId, version: number): readonly Sequenced[] | undefined {
    const known = this.#byStream.get(stream) ?? [];
    const [oldest] = known;
    return oldest === undefined || version < oldest.version ? undefined : known.slice(version - oldest.version);
  }

  /** The oldest of all is the oldest of its stream. */
  #forget(): void {
    const oldest = this.#events[this.#first++];
    assert(oldest !== undefined, 'forget: an event for every byte');
    this.#byteLength -= oldest.bytes.length;
    const known = this.#byStream.get(oldest.stream) ?? [];
    known.shift();
    if (known.length === 0) this.#byStream.delete(oldest.stream);
    if (this.#first < this.#events.length / 2) return;
    this.#events = this.#events.slice(this.#first);
    this.#first = 0;
  }
}
