import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../codec/digest.ts';
import { hashLeaf } from '../codec/merkle.ts';
import { decodeRecord, digestText, type StreamId } from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';
import { toHex, utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { event, events, streamId, write } from './event.fixture.ts';
import { placeOf, runsOf, Sequencer } from './sequencer.ts';

const origin = digestText(sha256(utf8('an origin')));
const at = (ms: number): Millis => ms as Millis;

/** A sequencer and the versions that it has given so far. */
function started(last = { size: 0, wallMs: at(0), counter: 0 }) {
  const versions = new Map<StreamId, number>();
  const sequencer = new Sequencer(origin, last, (stream) => versions.get(stream) ?? -1);
  const sequence = (...call: Parameters<Sequencer['sequence']>) => {
    const sequenced = sequencer.sequence(...call);
    for (const { stream, version } of sequenced.events) versions.set(stream, version);
    return sequenced;
  };
  return { sequencer, sequence };
}

describe('a sequencer', () => {
  test('Q1: gives consecutive indexes, and consecutive versions to each stream', () => {
    const { sequence } = started();

    const sequenced = [
      sequence([write('a', events(0, 2)), write('b', events(2, 3))], at(1)),
      sequence([write('b', events(3, 5)), write('a', events(5, 6))], at(1)),
    ].flatMap((one) => one.events);

    expect(sequenced.map(({ index, stream, version }) => `${index} ${stream} ${version}`)).toEqual([
      '0 a 0',
      '1 a 1',
      '2 b 0',
      '3 b 1',
      '4 b 2',
      '5 a 2',
    ]);
  });

  test('Q2: gives later times to later events, whatever the clock says', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 4 })), { minLength: 1 }), (calls) => {
        const { sequence } = started({ size: 7, wallMs: at(10), counter: 3 });
        let [next, wall, counter] = [0, 10, 3];
        for (const [ms, count] of calls) {
          const added = events(next, next + count);
          next += count;
          for (const { bytes } of sequence([write('a', added)], at(ms)).events) {
            const record = unwrap(decodeRecord(bytes), 'a record of ours');
            expect(record.wallMs > wall || (record.wallMs === wall && record.counter === counter + 1)).toBe(true);
            expect(record.wallMs).toBe(Math.max(wall, ms));
            [wall, counter] = [record.wallMs, record.counter];
          }
        }
      }),
    );
  });

  test('Q3: a refusal changes nothing, wherever in the append its reason stands', () => {
    const refused = [
      [write('a', [event(0)], 5)],
      [write('a', events(0, 3)), write('b', [event(3)], 0)],
      [write('a', [event(0), event(1, { payload: { type: 'json', value: Number.NaN } })])],
      [write('a', [event(0), event(1, { typeVersion: 0.5 })])],
      [write('a', events(0, 257))],
      [],
    ];
    const { sequencer, sequence } = started({ size: 4, wallMs: at(9), counter: 1 });

    for (const writes of refused) expect(() => sequence(writes, at(20))).toThrow();

    expect([sequencer.next, sequencer.time]).toEqual([4, { wallMs: 9, counter: 1 }]);
    expect(sequence([write('a', [event(0)], 'none')], at(9)).events[0]).toMatchObject({ index: 4, version: 0 });
    expect(sequencer.time).toEqual({ wallMs: 9, counter: 2 });
  });

  test('hashes what it will store, and tells places without the bytes', () => {
    const { events: sequenced, byteLength } = started().sequence([write('a', events(0, 3))], at(1));

    expect(sequenced.map(({ leaf }) => toHex(leaf))).toEqual(sequenced.map(({ bytes }) => toHex(hashLeaf(bytes))));
    expect(byteLength).toBe(sequenced.reduce((sum, { bytes }) => sum + bytes.length, 0));
    expect(sequenced.map(placeOf).map((place) => Object.keys(place).sort())).toEqual(
      sequenced.map(() => ['id', 'index', 'leaf', 'stream', 'version', 'wallMs']),
    );
  });

  test('stores one blob per long payload, and counts its bytes', () => {
    const payload = { type: 'bytes', media: 'a/b', bytes: new Uint8Array(5_000) } as const;
    const { events: sequenced, blobs, byteLength } = started().sequence([write('a', [event(0, { payload })])], at(1));

    expect(blobs.map(({ digest, bytes }) => [toHex(digest), bytes.length])).toEqual([
      [toHex(sha256(payload.bytes)), 5_000],
    ]);
    expect(byteLength).toBe(5_000 + (sequenced[0]?.bytes.length ?? 0));
  });

  test('tells the same event from another by everything that its author chose', () => {
    const { sequencer, sequence } = started();
    const [recorded] = sequence([write('a', [event(1)])], at(1)).events;
    const bytes = recorded?.bytes ?? utf8('');
    const record = unwrap(decodeRecord(bytes), 'a record of ours');
    const isSame = (one: Parameters<Sequencer['isSameEvent']>[0], stream = 'a'): boolean =>
      sequencer.isSameEvent(one, streamId(stream), record, bytes);

    expect(isSame(event(1))).toBe(true);
    expect(isSame(event(1, { typeVersion: 1, replay: 'state' }))).toBe(true); // the defaults, said aloud
    expect(isSame(event(1, { payload: { type: 'json', value: { n: 1 } } }))).toBe(true);
    expect([isSame(event(1), 'b'), isSame(event(2)), isSame(event(1, { replay: 'intent' }))]).toEqual([
      false,
      false,
      false,
    ]);
  });
});

test('runs gather the events of each stream, in the order in which streams appear', () => {
  const { sequence } = started();
  const sequenced = [
    ...sequence([write('b', events(0, 1)), write('a', events(1, 3))], at(1)).events,
    ...sequence([write('b', events(3, 5))], at(1)).events,
  ];

  expect(runsOf(sequenced)).toEqual([
    { stream: 'b', version: 0, indexes: [0, 3, 4] },
    { stream: 'a', version: 0, indexes: [1, 2] },
  ]);
  expect(runsOf([])).toEqual([]);
});
