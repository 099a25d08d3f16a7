/**
 * Appends on their way to the disk, and their acknowledgements on the way out.
 *
 * F1. An event is acknowledged once its append has resolved, and after every event before it.
 * F2. What waits is bounded, in events and in bytes of input: `room` holds the reader back. An acknowledgement that nobody
 *     takes counts as waiting.
 * F3. Once the output is closed nothing is written any more, and what is in flight is still waited for.
 */
import type { Recorded } from '../../../runtime/log/event-log.ts';

type Entry = { recorded: Recorded | undefined; readonly bytes: number };

type Options = {
  readonly eventsMax: number;
  readonly bytesMax: number;
  /** Called once, when an append or the output has failed: nothing more need be read. */
  readonly onFailure: () => void;
};

export class InFlight {
  readonly #write: (text: string) => Promise<void>;
  readonly #options: Options;
  /** In the order of the input. */
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #emitting = false;
  #failure: { readonly reason: unknown } | undefined;
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  constructor(write: (text: string) => Promise<void>, options: Options) {
    this.#write = write;
    this.#options = options;
  }

  /** Whether anything waits. */
  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** An append of one event that has begun, and the length of its line. */
  add(appending: Promise<readonly Recorded[]>, bytes: number): void {
    const entry: Entry = { recorded: undefined, bytes };
    this.#entries.push(entry);
    this.#bytes += bytes;
    appending.then(
      ([recorded]) => {
        entry.recorded = recorded;
        this.#emitSoon();
      },
      (reason: unknown) => this.#fail(reason),
    );
  }

  /** Resolves when one more event may be appended (F2). @throws what an append or the output failed with */
  async room(): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      if (this.#entries.length < this.#options.eventsMax && this.#bytes < this.#options.bytesMax) return;
      await this.#changed.promise;
    }
  }

  /** Resolves at the next acknowledgement, or at once when none is due. @throws as `room` */
  async change(): Promise<void> {
    if (this.#failure === undefined && !this.isEmpty) await this.#changed.promise;
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  /** Resolves when every append has ended, well or not. What it failed with is for `room` and `change` to say. */
  async settled(): Promise<void> {
    while (!this.isEmpty) await this.#changed.promise;
  }

  /** Appends end in batches: one turn of the event loop later a batch is acknowledged in one write. */
  #emitSoon(): void {
    if (this.#emitting) return;
    this.#emitting = true;
    setImmediate(() => void this.#emit());
  }

  async #emit(): Promise<void> {
    for (let ready = this.#takeReady(); ready.length > 0; ready = this.#takeReady()) {
      await this.#acknowledge(ready);
      for (const { bytes } of ready) this.#bytes -= bytes;
      this.#entries.splice(0, ready.length);
      this.#announce();
    }
    this.#emitting = false;
  }

  /** The entries at the head that are durable. They stay in the queue until they are acknowledged. */
  #takeReady(): readonly Entry[] {
    const end = this.#entries.findIndex(({ recorded }) => recorded === undefined);
    return this.#entries.slice(0, end === -1 ? undefined : end);
  }

  async #acknowledge(entries: readonly Entry[]): Promise<void> {
    if (this.#isClosed) return; // F3
    const text = entries.map(({ recorded }) => acknowledgement(recorded)).join('');
    try {
      await this.#write(text);
    } catch (error) {
      this.#isClosed = true;
      this.#failWith(error);
    }
  }

  /** The log stops as a whole: what was not durable by now will not be. */
  #fail(reason: unknown): void {
    const end = this.#entries.findIndex(({ recorded }) => recorded === undefined);
    if (end !== -1) for (const { bytes } of this.#entries.splice(end)) this.#bytes -= bytes;
    this.#failWith(reason);
    this.#announce();
  }

  #failWith(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { reason };
    this.#options.onFailure();
  }

  #announce(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}

function acknowledgement(recorded: Recorded | undefined): string {
  return recorded === undefined ? '' : `${JSON.stringify({ index: recorded.index, id: recorded.id })}\n`;
}
