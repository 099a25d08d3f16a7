/**
 * Follows a log and hands over its spans as they end. It only reads: a node whose exporter stands still loses no message and no
 * time, and its spans can be folded from the log again.
 */
import type { Clock } from '../../runtime/core/clock.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import type { Emitter } from './emitter.ts';
import { SpanFold } from './spans.ts';

const LOOK_MS = 250;
/** Records of one look: a few milliseconds. */
const RECORDS_PER_LOOK = 2_000;

export class SpanFollower implements Disposable {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #emitter: Emitter;
  readonly #fold = new SpanFold();
  readonly #from: number;
  #next = 0;
  #looking: Disposable | undefined;

  /** Spans that end with event `from` or later; what had begun before is known from the log, which is read a part at a time:
   *  a node beats meanwhile. */
  constructor(log: EventLog, parts: { readonly from: number; readonly clock: Clock; readonly emitter: Emitter }) {
    this.#log = log;
    this.#clock = parts.clock;
    this.#emitter = parts.emitter;
    this.#from = parts.from;
    this.#lookSoon();
  }

  /** Everything that is on record by now; of a log that was closed meanwhile, by another reader of it. */
  catchUp(log: EventLog): void {
    while (this.#next < log.size) this.#look(log);
  }

  [Symbol.dispose](): void {
    this.#looking?.[Symbol.dispose]();
  }

  #lookSoon(): void {
    this.#looking = this.#clock.after(this.#next < this.#log.size ? 1 : LOOK_MS, () => {
      if (this.#log.stopped !== undefined) return; // `catchUp` has the rest, by another reader
      this.#look(this.#log);
      this.#lookSoon();
    });
  }

  #look(log: EventLog): void {
    const end = Math.min(log.size, this.#next + RECORDS_PER_LOOK);
    for (const record of log.read(this.#next, end)) {
      for (const span of this.#fold.take(record, log)) if (record.index >= this.#from) this.#emitter.emit(span);
    }
    this.#next = end;
  }
}
