import { expect, test } from 'vitest';
import { sha256 } from '../codec/digest.ts';
import type { EventId, StreamId } from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';
import { RECENT_BYTES_MAX } from '../core/limits.ts';
import { Recent } from './recent.ts';
import type { Sequenced } from './sequencer.ts';

const KIB = 1024;

function event(index: number, stream: string, version: number, byteLength = 10): Sequenced {
  const bytes = new Uint8Array(byteLength);
  const id = `id-${index}` as EventId;
  return { index, id, stream: stream as StreamId, version, wallMs: 0 as Millis, leaf: sha256(bytes), bytes };
}

function versionsOf(recent: Recent, stream: string, from: number): readonly number[] | undefined {
  return recent.since(stream as StreamId, from)?.map(({ version }) => version);
}

test('answers for a stream from a version that it has, and for none that it has not', () => {
  const recent = new Recent();
  recent.add([event(7, 'a', 3), event(8, 'b', 0), event(9, 'a', 4)]);

  expect(versionsOf(recent, 'a', 3)).toEqual([3, 4]);
  expect(versionsOf(recent, 'a', 4)).toEqual([4]);
  expect(versionsOf(recent, 'a', 5)).toEqual([]);
  expect(versionsOf(recent, 'a', 2)).toBeUndefined();
  expect(versionsOf(recent, 'b', 0)).toEqual([0]);
  expect(versionsOf(recent, 'c', 0)).toBeUndefined();
});

test('forgets the oldest of all first, and never leaves a gap in a stream', () => {
  const recent = new Recent();
  const kept = RECENT_BYTES_MAX / KIB;
  for (let index = 0; index < 3 * kept; index++) {
    recent.add([event(index, index % 2 === 0 ? 'even' : 'odd', Math.floor(index / 2), KIB)]);
  }

  const first = kept;
  expect(versionsOf(recent, 'even', first)).toHaveLength(kept / 2);
  expect(versionsOf(recent, 'even', first)).toEqual(Array.from({ length: kept / 2 }, (_, n) => first + n));
  expect(versionsOf(recent, 'even', first - 1)).toBeUndefined();
  expect(versionsOf(recent, 'odd', first - 1)).toBeUndefined();
});
