/** What a link records: facts about other nodes, on disk when the promise resolves. */

import type { Clock } from '../../runtime/core/clock.ts';
import { BATCH_EVENTS_MAX } from '../../runtime/core/limits.ts';
import type { Random } from '../../runtime/core/random.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import type { LinkEvent } from './link-events.ts';

export class Recorder {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(recorder: { readonly log: EventLog; readonly clock: Clock; readonly random: Random }) {
    this.#log = recorder.log;
    this.#clock = recorder.clock;
    this.#random = recorder.random;
  }

  /** @throws what `EventLog.append` throws */
  async record(events: readonly LinkEvent[]): Promise<void> {
    for (let from = 0; from < events.length; from += BATCH_EVENTS_MAX) {
      const byStream = Map.groupBy(events.slice(from, from + BATCH_EVENTS_MAX), ({ stream }) => stream);
      const writes = [...byStream].map(([stream, ofOne]) => ({
        stream,
        expected: 'any' as const,
        events: ofOne.map(({ event }) => ({
          ...event,
          id: newEventId(this.#clock, this.#random),
          actor: this.#log.did,
        })),
      }));
      await this.#log.append(writes);
    }
  }
}
