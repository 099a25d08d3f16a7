import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../codec/digest.ts';
import type { LogRecord } from '../codec/record.ts';
import { utf8, view } from '../core/bytes.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { event, events, streamId, write } from './event.fixture.ts';
import type { EventLog } from './event-log.ts';
import { MemoryWorld } from './memory-log.ts';
import { fold, foldStream, follow, keep, keepStream, type Projection } from './projection.ts';

/** The indexes of the events, in order: any event that is skipped, repeated or out of order shows. */
const indexes: Projection<readonly number[]> = {
  name: 'indexes',
  version: '1',
  initial: [],
  evolve: (state, { index }) => [...state, index],
  encode: (state) => utf8(JSON.stringify(state)),
  decode: (bytes) => JSON.parse(view(bytes).toString('utf8')) as readonly number[],
};

const upTo = (size: number): readonly number[] => Array.from({ length: size }, (_, n) => n);

/** A log of events over three streams, `size` of them. */
async function logOf(size: number): Promise<{ readonly log: EventLog; readonly world: MemoryWorld }> {
  const world = new MemoryWorld(seededRandom('projection'));
  const { log } = await world.open(new ManualClock());
  const appends = events(0, size).map((one, n) => log.append([write(`s/${n % 3}`, [one])]));
  await Promise.all(appends);
  return { log, world };
}

/** What may have become of a snapshot: none of it may show in a fold. */
const accidents = fc.constantFrom('none', 'lost', 'byte', 'cut', 'reducer', 'root', 'undecodable', 'empty');

function befall(world: MemoryWorld, log: EventLog, accident: string, at: number): void {
  const { snapshots } = world.disk;
  const [name, bytes] = [...snapshots][0] ?? ['', new Uint8Array(0)];
  const forged = { name, reducer: sha256(utf8('indexes\n1')), size: 1, root: log.root(1), state: utf8('[41]') };
  if (accident === 'lost') snapshots.delete(name);
  if (accident === 'byte') snapshots.set(name, bytes.with(at % bytes.length, (bytes[at % bytes.length] ?? 0) ^ 4));
  if (accident === 'cut') snapshots.set(name, bytes.subarray(0, at % bytes.length));
  if (accident === 'empty') snapshots.set(name, new Uint8Array(0));
  if (accident === 'reducer') log.saveSnapshot({ ...forged, reducer: sha256(utf8('indexes\n0')) });
  if (accident === 'root') log.saveSnapshot({ ...forged, root: sha256(utf8('another log')) });
}

describe('a fold', () => {
  test('B2: is the same from the beginning, from any snapshot, and from any wreck of one', async () => {
    const { log, world } = await logOf(60);
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), accidents, fc.nat(500), (kept, to, accident, at) => {
        world.disk.snapshots.clear();
        keep(log, indexes, fold(log, indexes, kept));
        befall(world, log, accident, at);
        const decode = accident === 'undecodable' ? () => undefined : indexes.decode;

        const folded = fold(log, { ...indexes, decode }, to);

        expect(folded).toEqual({ state: upTo(to), size: to });
      }),
    );
  });

  test('begins at its snapshot', async () => {
    const { log } = await logOf(40);
    keep(log, indexes, fold(log, indexes, 30));
    const seen: number[] = [];
    const evolve = (state: readonly number[], { index }: LogRecord) => {
      seen.push(index);
      return [...state, index];
    };

    const folded = fold(log, { ...indexes, evolve });

    expect(folded.state).toEqual(upTo(40));
    expect(seen).toEqual(upTo(40).slice(30));
  });

  test('begins anew when the projection is another version', async () => {
    const { log } = await logOf(10);
    keep(log, indexes, { state: [99], size: 10 });

    const { state } = fold(log, { ...indexes, version: '2' });

    expect(state).toEqual(upTo(10));
  });

  test('of a stream reads that stream, from its snapshot on', async () => {
    const { log, world } = await logOf(30);
    keepStream(log, streamId('s/1'), indexes, foldStream(log, streamId('s/1'), indexes));
    await log.append([write('s/1', [event(100)]), write('s/2', [event(101)])]);
    const reads: number[] = [];
    const evolve = (state: readonly number[], { index }: LogRecord) => {
      reads.push(index);
      return [...state, index];
    };

    const folded = foldStream(log, streamId('s/1'), { ...indexes, evolve });

    expect(folded).toEqual({ state: [1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 30], size: 32, version: 10 });
    expect(reads).toEqual([30]);
    world.disk.snapshots.clear();
    expect(foldStream(log, streamId('s/1'), indexes)).toEqual(folded);
  });

  test('of a stream that has no events is its beginning', async () => {
    const { log } = await logOf(3);

    expect(foldStream(log, streamId('s/none'), indexes)).toEqual({ state: [], size: 3, version: -1 });
  });

  test('goes on with the log until the signal', async () => {
    const { log } = await logOf(3);
    const enough = new AbortController();
    const sizes: number[] = [];
    const appending = log.append([write('s/0', [event(10), event(11)])]);

    for await (const { state, size } of follow(log, indexes, enough.signal)) {
      sizes.push(size);
      expect(state).toEqual(upTo(size));
      if (size === 5) enough.abort();
    }

    await appending;
    expect(sizes).toEqual([3, 4, 5]);
  });
});
