/**
 * What every `EventLog` promises (event-log.ts), as tests. `memory-log.test.ts` and `lmdb-log.int.test.ts` run them.
 *
 * Every test ends the same way: the log is checked from its bytes, closed, opened again, and must be the same log.
 * Long because it is one contract.
 */
import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Checkpoint } from '../codec/checkpoint.ts';
import { sha256 } from '../codec/digest.ts';
import { EMPTY_ROOT, hashLeaf, verifyConsistency, verifyInclusion } from '../codec/merkle.ts';
import { decodeRecord, digestText, encodeRecord } from '../codec/record.ts';
import type { LogRecord, Payload, RecordedDecision } from '../codec/record-fields.ts';
import { TILE_WIDTH } from '../codec/tile.ts';
import { toHex, utf8 } from '../core/bytes.ts';
import { APPEND_QUEUE_EVENTS_MAX, BATCH_EVENTS_MAX, BLOB_BYTES_MAX, PAYLOAD_INLINE_BYTES_MAX } from '../core/limits.ts';
import { err, ok, unwrap } from '../core/result.ts';
import type { ManualClock } from '../core/simulation.ts';
import { event, eventId, events, streamId, TESTER, write } from './event.fixture.ts';
import type { EventLog, NewEvent, NewPayload } from './event-log.ts';
import { soundEventsOf } from './sound-events.fixture.ts';
import { eventType } from './vocabulary.ts';

/** One log and what it stands on. */
export interface LogWorld extends AsyncDisposable {
  readonly clock: ManualClock;
  /** Opens the log as a node does at start. */
  open(): Promise<EventLog>;
  /** What the anchor holds. */
  anchored(): Promise<Checkpoint | undefined>;
  /** The anchor cannot be written, until the function that this gives is called. */
  breakAnchor(): () => void;
  /** Changes the bytes of every kept snapshot. */
  editSnapshots(edit: (bytes: Uint8Array) => Uint8Array): void;
}

/** A test that waits for what never comes says so soon. */
const TEST_MS_MAX = 20_000;

type Opened = { log: EventLog; readonly world: LogWorld; reopen(): Promise<EventLog> };

export function describeEventLog(kind: string, newWorld: () => Promise<LogWorld>): void {
  const it = (behaviour: string, body: (opened: Opened) => Promise<void>): void => {
    test(behaviour, { timeout: TEST_MS_MAX }, async () => {
      await using world = await newWorld();
      const opened: Opened = {
        world,
        log: await world.open(),
        async reopen() {
          const before = soundEventsOf(opened.log).map(({ index }) => toHex(opened.log.leaf(index)));
          await opened.log[Symbol.asyncDispose]();
          opened.log = await world.open();
          expect(soundEventsOf(opened.log).map(({ index }) => toHex(opened.log.leaf(index)))).toEqual(before);
          return opened.log;
        },
      };
      try {
        await body(opened);
        await opened.reopen();
      } finally {
        await opened.log[Symbol.asyncDispose]();
      }
    });
  };

  describe(`${kind}: an append`, () => {
    it('reports where each event is, and the event is there', async ({ log, world }) => {
      const at = world.clock.now();

      const first = await log.append([write('a', events(0, 2)), write('b', [event(2)])]);
      const second = await log.append([write('a', [event(3)])]);

      const placed = [...first, ...second].map(({ leaf: _, ...place }) => place);
      expect(placed).toEqual([
        { index: 0, id: eventId(0), stream: 'a', version: 0, wallMs: at },
        { index: 1, id: eventId(1), stream: 'a', version: 1, wallMs: at },
        { index: 2, id: eventId(2), stream: 'b', version: 0, wallMs: at },
        { index: 3, id: eventId(3), stream: 'a', version: 2, wallMs: at },
      ]);
      expect([...first, ...second].map((place) => toHex(place.leaf))).toEqual(
        [...log.readBytes()].map((bytes) => toHex(hashLeaf(bytes))),
      );
      expect(log.size).toBe(4);
    });

    it('keeps every field of an event, and gives defaults to those left out', async ({ log }) => {
      const full: NewEvent = {
        ...event(1),
        typeVersion: 3,
        principal: TESTER,
        correlation: eventId(77),
        cause: { origin: digestText(sha256(utf8('o'))), index: 5, leaf: digestText(sha256(utf8('l'))) },
        envelope: digestText(sha256(utf8('e'))),
        decision: { verdict: 'allow', code: 'policy.allowed', trust: { score: 700, asOf: 3 } },
        payload: { type: 'bytes', media: 'text/plain', bytes: utf8('hello') },
        erasure: { subject: 'subject-1', key: 'key-1' },
        replay: 'intent',
      };

      await log.append([write('a', [event(0), full])]);

      const [plain, rich] = [...log.read()];
      expect(plain).toMatchObject({ typeVersion: 1, replay: 'state', actor: TESTER });
      expect(rich).toMatchObject({ ...full, payload: { type: 'bytes', media: 'text/plain' } });
      expect(rich?.payload.type === 'bytes' && Buffer.from(rich.payload.bytes).toString()).toBe('hello');
    });

    const expectations = [
      { exists: false, expected: 'none', isMet: true },
      { exists: false, expected: 'any', isMet: true },
      { exists: false, expected: 0, isMet: false },
      { exists: false, expected: -1, isMet: true },
      { exists: true, expected: 'none', isMet: false },
      { exists: true, expected: 'any', isMet: true },
      { exists: true, expected: 1, isMet: true },
      { exists: true, expected: 0, isMet: false },
      { exists: true, expected: 2, isMet: false },
    ] as const;
    for (const { exists, expected, isMet } of expectations) {
      it(`expecting ${expected} of a stream that ${exists ? 'is at version 1' : 'is not there'} is ${isMet ? 'recorded' : 'a conflict'}`, async ({
        log,
      }) => {
        if (exists) await log.append([write('a', events(0, 2))]);

        const outcome = await settle(log.append([write('a', [event(9)], expected)]));

        if (isMet) expect(outcome).toMatchObject({ value: [{ stream: 'a', version: exists ? 2 : 0 }] });
        else expect(outcome).toMatchObject({ code: 'log.conflict', stream: 'a', expected, actual: exists ? 1 : -1 });
        expect(log.size).toBe((exists ? 2 : 0) + (isMet ? 1 : 0));
      });
    }

    it('checks versions against events that are still on their way to the disk', async ({ log }) => {
      const first = log.append([write('a', [event(0)], 'none')]);
      const second = log.append([write('a', [event(1)], 0)]);
      const late = settle(log.append([write('a', [event(2)], 'none')]));

      expect(await late).toMatchObject({ code: 'log.conflict', actual: 1 });
      expect((await Promise.all([first, second])).flat().map((place) => place.version)).toEqual([0, 1]);
    });

    it('is refused alone: appends around a conflict are recorded', async ({ log }) => {
      const outcomes = await Promise.all([
        settle(log.append([write('a', [event(0)], 'none')])),
        settle(log.append([write('b', [event(1)]), write('a', [event(2)], 'none')])),
        settle(log.append([write('b', [event(3)], 'none')])),
      ]);

      expect(outcomes).toMatchObject([{ value: [{ index: 0 }] }, { code: 'log.conflict' }, { value: [{ index: 1 }] }]);
      expect([...log.read()].map((found) => found.id)).toEqual([eventId(0), eventId(3)]);
    });

    it('to several streams is recorded all or not at all', async ({ log }) => {
      await log.append([write('c', [event(0)])]);

      const refused = settle(
        log.append([write('a', [event(1)]), write('b', [event(2)]), write('c', [event(3)], 'none')]),
      );
      expect(await refused).toMatchObject({ code: 'log.conflict' });
      expect(log.size).toBe(1);
      expect([log.versionOf(streamId('a')), log.versionOf(streamId('b'))]).toEqual([-1, -1]);

      await log.append([write('a', [event(1)], 'none'), write('b', [event(2)], 'none'), write('c', [event(3)], 0)]);
      expect([...log.read()].map(({ stream, version }) => `${stream} ${version}`)).toEqual([
        'c 0',
        'a 0',
        'b 0',
        'c 1',
      ]);
    });

    it('of nothing, or with two writes to one stream, is a bug and changes nothing', async ({ log }) => {
      const outcomes = [
        await settle(log.append([])),
        await settle(log.append([write('a', [])])),
        await settle(log.append([write('a', [event(0)]), write('a', [event(1)])])),
      ];

      expect(outcomes).toMatchObject(outcomes.map(() => ({ code: 'assert.failed' })));
      expect(await log.append([write('a', [event(0)])])).toMatchObject([{ index: 0, version: 0 }]);
    });

    const unfit: readonly (readonly [string, Partial<NewEvent>, string])[] = [
      ['a payload that is no data', { payload: { type: 'json', value: Number.NaN } }, 'json.not_data'],
      ['a lone surrogate in its payload', { payload: { type: 'json', value: '\ud800' } }, 'json.not_data'],
      ['a media type that is none', { payload: bytesOf(1, 'text"') }, 'assert.failed'],
      ['half a schema version', { typeVersion: 1.5 }, 'assert.failed'],
      ['schema version 0', { typeVersion: 0 }, 'assert.failed'],
      ['a trust score that is no integer', { decision: decisionWith({ score: 0.5, asOf: 0 }) }, 'assert.failed'],
      ['a negative trust index', { decision: decisionWith({ score: 1, asOf: -1 }) }, 'assert.failed'],
      [
        'a cause at no index',
        { cause: { origin: digestText(sha256(utf8('o'))), index: -1, leaf: digestText(sha256(utf8('l'))) } },
        'assert.failed',
      ],
      [
        'more delegations than a decision may rest on',
        { decision: { verdict: 'allow', code: 'ok', delegations: Array.from({ length: 33 }, (_, n) => `d${n}`) } },
        'assert.failed',
      ],
    ];
    for (const [what, over, code] of unfit) {
      it(`with ${what} is refused, and nothing after it is disturbed`, async ({ log }) => {
        const outcomes = await Promise.all([
          settle(log.append([write('a', [event(0)])])),
          settle(log.append([write('a', [event(1), event(2, over)])])),
          settle(log.append([write('a', [event(3)], 0)])),
        ]);

        expect(outcomes).toMatchObject([{ value: [{ index: 0 }] }, { code }, { value: [{ index: 1, version: 1 }] }]);
      });
    }
  });

  describe(`${kind}: what is enqueued`, () => {
    it('has its place at once, and is read by nobody before it is on disk', async ({ log }) => {
      const [first, second] = log.enqueue([write('a', events(0, 2))]);

      expect([first, second]).toMatchObject([
        { index: 0, version: 0 },
        { index: 1, version: 1 },
      ]);
      expect([log.size, [...log.read()].length, log.find(eventId(0))]).toEqual([0, 0, undefined]);
      expect(log.versionOf(streamId('a'))).toBe(1);

      await log.flushed();
      expect([...log.readBytes()].map(toHex)).toEqual([first, second].map((event) => toHex(event?.bytes ?? utf8(''))));
      expect(log.find(eventId(1))).toBe(1);
    });

    it('is on disk when anything appended later is', async ({ log }) => {
      log.enqueue([write('a', [event(0)])]);
      const [later] = await log.append([write('b', [event(1)])]);

      expect(later?.index).toBe(1);
      expect([...log.read()].map(({ id }) => id)).toEqual([eventId(0), eventId(1)]);
    });

    it('has its leaf before it is on disk, and the same one after', async ({ log }) => {
      const [enqueued] = log.enqueue([write('a', [event(0)])]);
      const before = toHex(log.leaf(0));

      await log.flushed();
      expect([before, toHex(enqueued?.leaf ?? utf8(''))]).toEqual([toHex(log.leaf(0)), toHex(log.leaf(0))]);
      expect(() => log.leaf(1)).toThrow(expect.objectContaining({ code: 'log.out_of_range' }));
    });

    it('twice is enqueued once; under an id that is taken it is refused', async ({ log }) => {
      const once = log.enqueue([write('a', [event(0)])]);
      const twice = log.enqueue([write('a', [event(0)])]);

      expect(twice).toEqual(once);
      expect(() => log.enqueue([write('b', [event(0)])])).toThrow(expect.objectContaining({ code: 'log.id_reused' }));
      await log.flushed();
      expect(log.size).toBe(1);
    });

    it('needs no flush where there is nothing, and can be waited for again and again', async ({ log }) => {
      await log.flushed();
      log.enqueue([write('a', [event(0)])]);
      await Promise.all([log.flushed(), log.flushed()]);
      await log.flushed();

      expect(log.size).toBe(1);
    });
  });

  describe(`${kind}: an append that was made before`, () => {
    it('reports the same places and records nothing, whatever versions it expects', async ({ log, reopen }) => {
      const writes = [write('a', events(0, 2), 'none'), write('b', [event(2)], 'none')];
      const first = await log.append(writes);
      await log.append([write('a', [event(3)])]);

      expect(await log.append(writes)).toEqual(first);
      expect(await (await reopen()).append(writes)).toEqual(first);
      expect(log.size).toBe(4);
    });

    it('is known whatever its size: inline, as a blob, over several batches', async ({ log, reopen }) => {
      const writes = [
        write('a', [event(0, { payload: bytesOf(PAYLOAD_INLINE_BYTES_MAX + 1) })]),
        write('b', events(1, BATCH_EVENTS_MAX)),
      ];
      const first = await log.append(writes);

      expect(await log.append(writes)).toEqual(first);
      expect(await (await reopen()).append(writes)).toEqual(first);
    });

    it('resolves together with the first one while that is on its way', async ({ log }) => {
      const writes = [write('a', [event(0)], 'none')];

      const places = await Promise.all([log.append(writes), log.append(writes), log.append(writes)]);

      expect(places).toEqual([places[0], places[0], places[0]]);
      expect(log.size).toBe(1);
    });

    it('may be grouped otherwise', async ({ log }) => {
      const [a, b] = await log.append([write('a', events(0, 2))]);

      expect(await log.append([write('a', [event(1)])])).toEqual([b]);
      expect(await log.append([write('a', [event(1), event(0)])])).toEqual([b, a]);
      expect(log.size).toBe(2);
    });

    const others: readonly (readonly [string, string, Partial<NewEvent>])[] = [
      ['another payload', 'a', { payload: { type: 'json', value: { n: 1, more: true } } }],
      ['the same payload as bytes', 'a', { payload: bytesOf(3) }],
      ['another type', 'a', { type: eventType('import.changed') }],
      ['another schema version', 'a', { typeVersion: 2 }],
      ['another stream', 'b', {}],
      ['a principal', 'a', { principal: TESTER }],
      ['a correlation', 'a', { correlation: eventId(5) }],
      ['a decision', 'a', { decision: { verdict: 'deny', code: 'no' } }],
      ['an erasure', 'a', { erasure: { subject: 's', key: 'k' } }],
      ['another replay class', 'a', { replay: 'outcome' }],
    ];
    for (const [what, stream, over] of others) {
      it(`but with ${what} under its id is refused, durable or pending`, async ({ log }) => {
        const first = log.append([write('a', [event(1)])]);
        const other = write(stream, [event(1, over)]);

        expect(await settle(log.append([other]))).toMatchObject({ code: 'log.id_reused' });
        await first;
        expect(await settle(log.append([other]))).toMatchObject({ code: 'log.id_reused' });
        expect(log.size).toBe(1);
      });
    }

    it('only in part is refused, and nothing of it recorded', async ({ log }) => {
      await log.append([write('a', [event(0)])]);
      const pending = log.append([write('a', [event(1)])]);

      for (const known of [0, 1]) {
        const partial = [write('a', [event(known), event(2)])];
        expect(await settle(log.append(partial))).toMatchObject({ code: 'log.id_reused' });
      }
      await pending;
      expect(log.size).toBe(2);
      expect(log.find(eventId(2))).toBe(undefined);
    });

    it('within itself is refused', async ({ log }) => {
      expect(await settle(log.append([write('a', [event(0), event(0)])]))).toMatchObject({ code: 'log.id_reused' });
      const twice = [write('a', [event(0)]), write('b', [event(0)])];
      expect(await settle(log.append(twice))).toMatchObject({ code: 'log.id_reused' });
      expect(log.size).toBe(0);
    });
  });

  describe(`${kind}: order`, () => {
    it('is that of the calls, over many batches of uneven appends', async ({ log }) => {
      const sizes = Array.from({ length: 120 }, (_, n) => 1 + ((n * 37) % 61));
      let next = 0;
      const appends = sizes.map((size, n) => {
        const added = events(next, next + size);
        next += size;
        return log.append([write(`s${n % 7}`, added)]);
      });
      const settled: number[] = [];
      for (const append of appends) void append.then((places) => settled.push(places[0]?.index ?? -1));

      const indexes = (await Promise.all(appends)).flat().map((place) => place.index);

      expect(indexes).toEqual(Array.from({ length: next }, (_, n) => n));
      expect(settled).toEqual(settled.toSorted((a, b) => a - b));
      expect([...log.read()].map((found) => found.id)).toEqual(indexes.map(eventId));
    });

    it('in time strictly increases, under a clock that stands, jumps and goes back', async ({ log, world, reopen }) => {
      const start = world.clock.now();
      const walls = [start, start, start - 5_000, start + 1, start + 1, start - 1, 0, start + 2];
      for (const [n, wall] of walls.entries()) {
        world.clock.setWall(wall);
        await log.append([write('a', [event(2 * n), event(2 * n + 1)])]);
      }
      world.clock.setWall(start - 100_000);
      const again = await reopen();
      await again.append([write('a', [event(99)])]);

      const times = [...again.read()].map(({ wallMs, counter }) => [wallMs - start, counter]);
      const first = Array.from({ length: 6 }, (_, n) => [0, n]);
      const second = Array.from({ length: 8 }, (_, n) => [1, n]);
      expect(times).toEqual([...first, ...second, [2, 0], [2, 1], [2, 2]]);
    });
  });

  describe(`${kind}: reading`, () => {
    it('gives any range of the log, over the edges of bundles', async ({ log, reopen }) => {
      const size = 2 * TILE_WIDTH + 9;
      for (let n = 0; n < size; n += 19) await log.append([write('a', events(n, Math.min(size, n + 19)))]);
      const edges = [-1, 0, 1, TILE_WIDTH - 1, TILE_WIDTH, TILE_WIDTH + 1, size - 10, size - 1, size, size + 5];

      for (const open of [async () => log, reopen]) {
        const opened = await open();
        for (const from of edges) {
          for (const to of edges) {
            const expected = [...Array(size).keys()].slice(Math.max(0, from), Math.max(0, to));
            expect([...opened.read(from, to)].map((found) => found.index)).toEqual(expected);
            expect([...opened.readBytes(from, to)]).toHaveLength(expected.length);
          }
        }
      }
    });

    it('gives records in the bytes that were hashed, each the canonical one', async ({ log }) => {
      await log.append([write('a', events(0, 3)), write('b', [event(3, { payload: bytesOf(20) })])]);

      for (const bytes of log.readBytes()) {
        expect(toHex(encodeRecord(unwrap(decodeRecord(bytes), 'a record')))).toBe(toHex(bytes));
      }
    });

    it('keeps to the moment at which it began', async ({ log }) => {
      await log.append([write('a', events(0, 3))]);
      const ranges: readonly Iterable<unknown>[] = [log.read(), log.readBytes(), log.readStream(streamId('a'))];
      const readers = ranges.map((range) => range[Symbol.iterator]());
      for (const reader of readers) reader.next();

      await log.append([write('a', events(3, 3 + BATCH_EVENTS_MAX))]);

      expect(readers.map((reader) => [...remaining(reader)].length)).toEqual([2, 2, 2]);
    });

    it('of one stream begins at any version of it and gives no other stream', async ({ log, reopen }) => {
      // Names of which one is the beginning of another, and more runs than a store reads at a time.
      const names = ['a', 'a.b', 'ab', 'a~', 'b'];
      const appends = Array.from({ length: 300 }, (_, n) =>
        log.append(names.map((name, k) => write(name, events(10 * n + 2 * k, 10 * n + 2 * k + 1 + (k % 2))))),
      );
      await Promise.all(appends);

      for (const open of [async () => log, reopen]) {
        const opened = await open();
        const all = [...opened.read()];
        for (const name of names) {
          const own = all.filter((found) => found.stream === name);
          for (const from of [0, 1, 2, 255, 256, 257, own.length - 1, own.length, own.length + 10]) {
            const found = [...opened.readStream(streamId(name), from)];
            expect(found.map(({ index }) => index)).toEqual(own.slice(from).map(({ index }) => index));
          }
        }
        expect([...opened.readStream(streamId('nobody'))]).toEqual([]);
        expect(opened.versionOf(streamId('nobody'))).toBe(-1);
      }
    });

    it('lists streams by name, from a name on', async ({ log }) => {
      for (const [n, name] of ['b', 'a/2', 'a', 'c', 'a/10'].entries()) await log.append([write(name, [event(n)])]);

      expect([...log.streams()]).toEqual(['a', 'a/10', 'a/2', 'b', 'c']);
      expect([...log.streams('a/2')]).toEqual(['b', 'c']);
      expect([...log.streams('aa')]).toEqual(['b', 'c']);
      expect([...log.streams('z')]).toEqual([]);
    });

    it('finds an event by its id, and no other', async ({ log }) => {
      await log.append([write('a', events(0, 3))]);

      expect([log.find(eventId(1)), log.find(eventId(9))]).toEqual([1, undefined]);
    });

    it('shows nothing of an append that is not durable yet', async ({ log }) => {
      const pending = log.append([write('a', [event(0)])]);

      expect([log.size, [...log.read()].length, [...log.readStream(streamId('a'))].length]).toEqual([0, 0, 0]);
      expect([log.find(eventId(0)), [...log.streams()]]).toEqual([undefined, []]);
      expect(log.versionOf(streamId('a'))).toBe(0);
      await pending;
    });
  });

  describe(`${kind}: a payload`, () => {
    it('up to 4 KiB stands in its record, a longer one is a blob', async ({ log, reopen }) => {
      const text = 'x'.repeat(PAYLOAD_INLINE_BYTES_MAX - 2); // with its two quotes, exactly the limit
      const payloads = [
        bytesOf(0),
        bytesOf(PAYLOAD_INLINE_BYTES_MAX),
        bytesOf(PAYLOAD_INLINE_BYTES_MAX + 1),
        { type: 'json', value: text },
        { type: 'json', value: `${text}x` },
        { type: 'json', value: '\u00e9'.repeat(PAYLOAD_INLINE_BYTES_MAX / 2) }, // few characters, many bytes
      ] as const;
      await log.append([
        write(
          'a',
          payloads.map((payload, n) => event(n, { payload })),
        ),
      ]);

      for (const open of [async () => log, reopen]) {
        const opened = await open();
        const found = [...opened.read()].map((recorded) => recorded.payload);
        expect(found.map(({ type }) => type)).toEqual(['bytes', 'bytes', 'blob', 'json', 'blob', 'blob']);
        expect(found.map((payload) => blobOf(opened, payload)?.length)).toEqual([
          undefined,
          undefined,
          PAYLOAD_INLINE_BYTES_MAX + 1,
          undefined,
          PAYLOAD_INLINE_BYTES_MAX + 1,
          PAYLOAD_INLINE_BYTES_MAX + 2,
        ]);
        expect(Buffer.from(blobOf(opened, found[4]) ?? []).toString()).toBe(JSON.stringify(`${text}x`));
        expect(found[4]).toMatchObject({ media: 'application/json', length: PAYLOAD_INLINE_BYTES_MAX + 1 });
      }
    });

    it('kept twice is one blob, and one that was never kept is none', async ({ log }) => {
      const payload = bytesOf(10_000);
      await log.append([write('a', [event(0, { payload }), event(1, { payload })])]);
      await log.append([write('a', [event(2, { payload })])]);

      const digests = new Set([...log.read()].map((found) => found.payload.type === 'blob' && found.payload.digest));
      expect(digests.size).toBe(1);
      expect(log.blob(digestText(sha256(utf8('nothing'))))).toBe(undefined);
    });

    it('may be as long as a blob may be, and no longer', async ({ log }) => {
      const payload = bytesOf(BLOB_BYTES_MAX);
      await log.append([write('a', [event(0, { payload })])]);

      const longer = bytesOf(BLOB_BYTES_MAX + 1);
      const refused = settle(log.append([write('a', [event(1, { payload: longer })])]));

      expect(await refused).toMatchObject({ code: 'log.too_large' });
      expect(blobOf(log, [...log.read()][0]?.payload)?.length).toBe(BLOB_BYTES_MAX);
    });
  });

  describe(`${kind}: a subscription`, () => {
    it('gives what is there and then what comes, from any index on', async ({ log }) => {
      await log.append([write('a', events(0, 3))]);
      const ends = [new AbortController(), new AbortController(), new AbortController()];
      const wanted = [10, 8, 5];
      const followers = [0, 2, 5].map((from, n) => collect(log, from, present(ends[n]), wanted[n] ?? 0));

      for (let n = 3; n < 10; n++) await log.append([write('b', [event(n)])]);

      const found = await Promise.all(followers);
      expect(found.map((got) => got[0]?.index)).toEqual([0, 2, 5]);
      expect(found.map((got) => got.length)).toEqual(wanted);
    });

    it('misses nothing and repeats nothing while the log grows under it', async ({ log }) => {
      const end = new AbortController();
      const follower = collect(log, 0, end, 2_000);

      const appends = Array.from({ length: 400 }, (_, n) => log.append([write(`s${n % 5}`, events(5 * n, 5 * n + 5))]));
      await Promise.all(appends);

      expect((await follower).map((found) => found.index)).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
    });

    it('ends when its signal aborts, waiting or delivering, and leaves no listener behind', async ({ log }) => {
      await log.append([write('a', events(0, 200))]);
      const [waiting, delivering, aborted] = [new AbortController(), new AbortController(), new AbortController()];
      aborted.abort();

      const idle = collect(log, 200, waiting, 1);
      const busy: number[] = [];
      for await (const found of log.subscribe(0, delivering.signal)) {
        busy.push(found.index);
        if (found.index === 4) delivering.abort();
      }
      waiting.abort();

      expect(await idle).toEqual([]);
      expect(busy).toEqual([0, 1, 2, 3, 4]);
      expect(await collect(log, 0, aborted, 1)).toEqual([]);
      for (const { signal } of [waiting, delivering, aborted]) {
        expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      }
    });

    it('waits with one listener however often the log grows', async ({ log }) => {
      const end = new AbortController();
      const follower = collect(log, 0, end, 50);
      const counts: number[] = [];
      for (let n = 0; n < 50; n++) {
        await log.append([write('a', [event(n)])]);
        counts.push(getEventListeners(end.signal, 'abort').length);
      }

      await follower;
      expect(Math.max(...counts)).toBeLessThanOrEqual(1);
      expect(getEventListeners(end.signal, 'abort')).toHaveLength(0);
    });

    it('that is up to date ends when the log closes; one that is behind is told so', async ({ log, reopen }) => {
      await log.append([write('a', events(0, 3))]);
      const [upToDate, behind] = [
        log.subscribe(3, new AbortController().signal),
        log.subscribe(0, new AbortController().signal),
      ];
      const next = upToDate[Symbol.asyncIterator]().next();
      const late = behind[Symbol.asyncIterator]();
      await late.next();
      await reopen();

      expect((await next).done).toBe(true);
      expect(await settle(late.next())).toMatchObject({ code: 'log.closed' });
    });
  });

  describe(`${kind}: a snapshot`, () => {
    const reducer = sha256(utf8('reducer 1'));
    const snapshotOf = (log: EventLog, size = log.size) => ({
      name: 'folds/count',
      reducer,
      size,
      root: log.root(size),
      state: utf8('{"count":3}'),
    });

    it('is given back, also after the log has grown and was opened again', async ({ log, reopen }) => {
      await log.append([write('a', events(0, 3))]);
      const snapshot = snapshotOf(log);
      log.saveSnapshot(snapshot);
      await log.append([write('a', events(3, 250))]);

      for (const open of [async () => log, reopen]) {
        const opened = await open();
        const found = opened.loadSnapshot('folds/count', reducer);
        expect(found && [found.size, toHex(found.root), Buffer.from(found.state).toString()]).toEqual([
          3,
          toHex(snapshot.root),
          '{"count":3}',
        ]);
      }
    });

    it('is replaced by the next of its name', async ({ log }) => {
      await log.append([write('a', events(0, 3))]);
      log.saveSnapshot(snapshotOf(log, 2));
      log.saveSnapshot({ ...snapshotOf(log, 3), state: utf8('new') });

      expect(log.loadSnapshot('folds/count', reducer)?.size).toBe(3);
    });

    it('of another fold, another reducer, another tree or a longer log is none', async ({ log }) => {
      await log.append([write('a', events(0, 3))]);
      log.saveSnapshot(snapshotOf(log));

      expect(log.loadSnapshot('folds/other', reducer)).toBe(undefined);
      expect(log.loadSnapshot('folds/count', sha256(utf8('reducer 2')))).toBe(undefined);
      log.saveSnapshot({ ...snapshotOf(log), root: sha256(utf8('another tree')) });
      expect(log.loadSnapshot('folds/count', reducer)).toBe(undefined);
      log.saveSnapshot({ ...snapshotOf(log), size: 4 });
      expect(log.loadSnapshot('folds/count', reducer)).toBe(undefined);
    });

    const damages: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array])[] = [
      ['with a byte of its state changed', (bytes) => flipped(bytes, bytes.length - 1)],
      ['with its header changed', (bytes) => flipped(bytes, 5)],
      ['cut short', (bytes) => bytes.subarray(0, bytes.length - 3)],
      ['cut within its header', (bytes) => bytes.subarray(0, 20)],
      ['without a byte', () => new Uint8Array(0)],
      ['of noise', () => utf8('null\n')],
    ];
    for (const [how, edit] of damages) {
      it(`${how} is none, and can be kept anew`, async ({ log, world }) => {
        await log.append([write('a', events(0, 3))]);
        log.saveSnapshot(snapshotOf(log));
        world.editSnapshots(edit);

        expect(log.loadSnapshot('folds/count', reducer)).toBe(undefined);
        log.saveSnapshot(snapshotOf(log));
        expect(log.loadSnapshot('folds/count', reducer)?.size).toBe(3);
      });
    }
  });

  describe(`${kind}: proofs`, () => {
    const size = TILE_WIDTH + 70;

    it('hold at every size, and fail for any other root', async ({ log, reopen }) => {
      for (let n = 0; n < size; n += 9) await log.append([write('a', events(n, Math.min(size, n + 9)))]);
      for (const open of [async () => log, reopen]) {
        const opened = await open();
        const leaves = [...opened.readBytes()].map(hashLeaf);
        const faults: string[] = [];
        for (let at = 1; at <= size; at++) {
          const root = opened.root(at);
          for (const index of new Set([0, at >> 1, at - 1])) {
            const claim = { index, size: at, leaf: present(leaves[index]), proof: opened.inclusionProof(index, at) };
            if (!verifyInclusion({ ...claim, root }).ok) faults.push(`inclusion of ${index} in ${at}`);
            if (verifyInclusion({ ...claim, root: opened.root(at - 1) }).ok) faults.push(`forged ${index} in ${at}`);
          }
          const proof = opened.consistencyProof(at, size);
          const claim = { oldSize: at, newSize: size, oldRoot: root, newRoot: opened.root(), proof };
          if (!verifyConsistency(claim).ok) faults.push(`consistency of ${at}`);
        }
        expect(faults).toEqual([]);
      }
    });

    it('are refused outside of what is durable', async ({ log }) => {
      await log.append([write('a', events(0, 3))]);

      const asked: readonly (() => unknown)[] = [
        () => log.leaf(3),
        () => log.leaf(-1),
        () => log.root(4),
        () => log.root(-1),
        () => log.root(0.5),
        () => log.inclusionProof(3),
        () => log.inclusionProof(2, 2),
        () => log.inclusionProof(-1),
        () => log.inclusionProof(0.5),
        () => log.inclusionProof(0, 4),
        () => log.consistencyProof(0),
        () => log.consistencyProof(0.5),
        () => log.consistencyProof(3, 2),
        () => log.consistencyProof(1, 4),
      ];
      for (const ask of asked) expect(ask).toThrow(expect.objectContaining({ code: 'log.out_of_range' }));
    });

    it('cover what is durable while more is on its way', async ({ log }) => {
      await log.append([write('a', events(0, 250))]);
      const before = toHex(log.root());
      const pending = log.append([write('a', events(250, 300))]);

      expect(toHex(log.root())).toBe(before);
      expect(toHex(log.root(250))).toBe(before);
      const claim = { index: 249, size: 250, leaf: present([...log.readBytes(249)].map(hashLeaf)[0]) };
      expect(verifyInclusion({ ...claim, root: log.root(), proof: log.inclusionProof(249) }).ok).toBe(true);
      await pending;
      expect(toHex(log.root(250))).toBe(before);
    });
  });

  describe(`${kind}: a checkpoint`, () => {
    it('covers everything durable, and the anchor has it', async ({ log, world, reopen }) => {
      await log.append([write('a', events(0, 3))]);

      const { checkpoint } = await log.checkpoint();

      expect(checkpoint).toMatchObject({ origin: log.origin, size: 3 });
      expect(toHex(checkpoint.root)).toBe(toHex(log.root()));
      expect(await world.anchored()).toEqual(checkpoint);
      await reopen();
      expect(await world.anchored()).toEqual(checkpoint);
    });

    it('is the same bytes again while nothing is new, also when asked for twice at once', async ({ log, reopen }) => {
      await log.append([write('a', events(0, 3))]);

      const [first, second] = await Promise.all([log.checkpoint(), log.checkpoint()]);
      const again = await (await reopen()).checkpoint();

      expect([second, again].map(({ note }) => toHex(note))).toEqual([toHex(first.note), toHex(first.note)]);
    });

    it('of an empty log is one too', async ({ log }) => {
      expect((await log.checkpoint()).checkpoint.size).toBe(0);
    });

    it('never goes back, however appends and checkpoints mingle', async ({ log, world }) => {
      const signed: Promise<{ readonly checkpoint: Checkpoint }>[] = [];
      const appends: Promise<unknown>[] = [];
      for (let n = 0; n < 40; n++) {
        appends.push(log.append([write('a', [event(n)])]));
        signed.push(log.checkpoint());
        if (n % 3 === 0) await Promise.all(appends);
      }

      const sizes = (await Promise.all(signed)).map(({ checkpoint }) => checkpoint.size);
      await Promise.all(appends);

      expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
      expect((await world.anchored())?.size).toBe(sizes.at(-1));
    });

    it('that the anchor does not take is nobody else’s to see', async ({ log, world }) => {
      await log.append([write('a', events(0, 3))]);
      const { checkpoint: before } = await log.checkpoint();
      await log.append([write('a', events(3, 5))]);
      const mend = world.breakAnchor();

      // Twice: what the anchor did not take is not kept either, to be given out the next time.
      expect(await settle(log.checkpoint())).toMatchObject({ code: 'anchor.unreachable' });
      expect(await settle(log.checkpoint())).toMatchObject({ code: 'anchor.unreachable' });

      mend();
      expect(before.size).toBe(3);
      expect((await log.checkpoint()).checkpoint.size).toBe(5); // and the log is none the worse for it
    });
  });

  describe(`${kind}: limits`, () => {
    it('an append is at most 256 events', async ({ log }) => {
      const refused = settle(log.append([write('a', events(0, BATCH_EVENTS_MAX)), write('b', [event(999)])]));

      expect(await refused).toMatchObject({ code: 'log.too_large' });
      await log.append([write('a', events(0, BATCH_EVENTS_MAX))]);
      expect(log.size).toBe(BATCH_EVENTS_MAX);
    });

    it('an append is at most 32 MiB', async ({ log }) => {
      const added = [0, 1, 2].map((n) => event(n, { payload: bytesOf(12 * 1024 * 1024) }));

      expect(await settle(log.append([write('a', added)]))).toMatchObject({ code: 'log.too_large' });
      await Promise.all(added.map((one) => log.append([write('a', [one])]))); // together they are two batches
      expect(log.size).toBe(3);
    });

    it('a busy log refuses more than it can hold, and takes it later', async ({ log }) => {
      const rounds = APPEND_QUEUE_EVENTS_MAX / BATCH_EVENTS_MAX;
      const appends = Array.from({ length: rounds }, (_, n) =>
        log.append([write('a', events(n * BATCH_EVENTS_MAX, (n + 1) * BATCH_EVENTS_MAX))]),
      );
      const late = [write('b', [event(APPEND_QUEUE_EVENTS_MAX)])];

      expect(await settle(log.append(late))).toMatchObject({ code: 'log.busy', retryable: true });
      await Promise.all(appends);
      await log.append(late);
      expect(log.size).toBe(APPEND_QUEUE_EVENTS_MAX + 1);
    });
  });

  describe(`${kind}: closing`, () => {
    test('waits for what was appended', async () => {
      await using world = await newWorld();
      const log = await world.open();
      const pending = Array.from({ length: 20 }, (_, n) => log.append([write('a', events(50 * n, 50 * n + 50))]));

      await log[Symbol.asyncDispose]();

      expect((await Promise.all(pending)).flat()).toHaveLength(1_000);
      await using again = await world.open();
      expect(soundEventsOf(again)).toHaveLength(1_000);
    });

    test('refuses what comes after it, and may be done twice', async () => {
      await using world = await newWorld();
      const log = await world.open();
      await log.append([write('a', [event(0)])]);
      await log[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();

      expect(await settle(log.append([write('a', [event(1)])]))).toMatchObject({ code: 'log.closed' });
      expect(await settle(log.checkpoint())).toMatchObject({ code: 'log.closed' });
      const snapshot = { name: 'a', reducer: sha256(utf8('r')), size: 0, root: EMPTY_ROOT, state: utf8('') };
      const asked: readonly (() => unknown)[] = [
        () => [...log.read()],
        () => [...log.readBytes()],
        () => [...log.readStream(streamId('a'))],
        () => [...log.streams()],
        () => log.find(eventId(0)),
        () => log.versionOf(streamId('z')),
        () => log.blob(digestText(sha256(utf8('x')))),
        () => log.root(1),
        () => log.inclusionProof(0),
        () => log.consistencyProof(1),
        () => log.loadSnapshot('a', snapshot.reducer),
        () => log.saveSnapshot(snapshot),
      ];
      for (const ask of asked) expect(ask).toThrow(expect.objectContaining({ code: 'log.closed' }));
      expect(log.stopped).toMatchObject({ code: 'log.closed' });
    });

    test('finishes what began before it and refuses what begins after', async () => {
      await using world = await newWorld();
      const log = await world.open();
      const before = [settle(log.append([write('a', [event(0)])])), settle(log.checkpoint())];
      const closed = log[Symbol.asyncDispose]();
      const after = [settle(log.append([write('a', [event(1)])])), settle(log.checkpoint())];
      await closed;

      expect(await Promise.all(before)).toMatchObject([{ value: [{ index: 0 }] }, { value: { checkpoint: {} } }]);
      expect(await Promise.all(after)).toMatchObject([{ code: 'log.closed' }, { code: 'log.closed' }]);
      await using again = await world.open();
      expect(soundEventsOf(again)).toHaveLength(1);
    });

    test('ends a reader in the middle with a coded error, not with what the disk holds by then', async () => {
      await using world = await newWorld();
      const log = await world.open();
      await log.append([write('a', events(0, 10))]);
      const reader = log.read()[Symbol.iterator]();
      reader.next();
      await log[Symbol.asyncDispose]();

      expect(() => [...remaining(reader)]).toThrow(expect.objectContaining({ code: 'log.closed' }));
    });
  });
}

/** What became of it: a value, or the error itself. */
export function settle<T>(work: Promise<T>): Promise<{ readonly value: T } | Error> {
  return work.then(
    (value) => ({ value }),
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
}

/** The first `count` events of a subscription; then, or when it ends by itself, it is over. */
async function collect(
  log: EventLog,
  from: number,
  end: AbortController,
  count: number,
): Promise<readonly LogRecord[]> {
  const found: LogRecord[] = [];
  for await (const one of log.subscribe(from, end.signal)) {
    found.push(one);
    if (found.length === count) end.abort();
  }
  return found;
}

function* remaining<T>(iterator: Iterator<T>): Generator<T> {
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) yield next.value;
}

function bytesOf(length: number, media = 'application/octet-stream'): NewPayload {
  return { type: 'bytes', media, bytes: new Uint8Array(length).fill(7) };
}

function decisionWith(trust: { readonly score: number; readonly asOf: number }): RecordedDecision {
  return { verdict: 'allow', code: 'policy.allowed', trust };
}

function blobOf(log: EventLog, payload: Payload | undefined): Uint8Array | undefined {
  return payload?.type === 'blob' ? log.blob(payload.digest) : undefined;
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.with(at, (bytes[at] ?? 0) ^ 1);
}

function present<T>(value: T | undefined): T {
  return unwrap(value === undefined ? err('nothing') : ok(value), 'a value that the test has put there');
}
