/** Appends to batches: how many go together, and what they write. */
import { TILE_WIDTH } from '../codec/tile.ts';
import { assert } from '../core/assert.ts';
import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX } from '../core/limits.ts';
import { runsOf, type Sequence, type Sequencer } from './sequencer.ts';
import type { Batch } from './store.ts';
import type { LogTree } from './tree.ts';

/** A sequenced append, and the clock after its last event. */
export type Timed = Sequence & { readonly time: Sequencer['time'] };

/** How many of the waiting appends are the next batch of a log of `size`: whole appends up to the limits, and up to the end
 *  of an entry bundle where that leaves any at all, so that a busy log writes whole bundles. */
export function nextCount(queue: readonly Timed[], size: number): number {
  return countWithin(queue, TILE_WIDTH - (size % TILE_WIDTH)) || countWithin(queue, BATCH_EVENTS_MAX);
}

function countWithin(queue: readonly Timed[], eventsMax: number): number {
  let [taken, events, bytes] = [0, 0, 0];
  for (const append of queue) {
    events += append.events.length;
    bytes += append.byteLength;
    if (events > eventsMax || bytes > BATCH_BYTES_MAX) break;
    taken += 1;
  }
  return taken;
}

/** Everything that these appends make durable. The tree has them from now on. */
export function batchOf(appends: readonly Timed[], tree: LogTree): Batch {
  const last = appends.at(-1);
  assert(last !== undefined, 'a batch of at least one append');
  const events = appends.flatMap((append) => append.events);
  const first = tree.size;
  const tiles = tree.append(events.map((event) => event.leaf));
  return {
    first,
    records: events.map((event) => event.bytes),
    ids: events.map((event) => event.id),
    runs: runsOf(events),
    tiles,
    blobs: appends.flatMap((append) => append.blobs),
    head: { size: tree.size, ...last.time, frontier: tree.frontier },
  };
}
