/**
 * A log under everything at once: appends side by side, repeated and contradictory ones, clocks that jump, commits that are
 * lost, answered too late or never, crashes and reopenings, against a model that knows only what was acknowledged.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { event, events, streamId, write } from './event.fixture.ts';
import { settle } from './event-log.contract.ts';
import type { Recorded, Write } from './event-log.ts';
import type { Journal } from './journal.ts';
import { MemoryWorld } from './memory-log.ts';
import type { CommitFault, MemoryStore } from './memory-store.ts';
import { soundEventsOf } from './sound-events.fixture.ts';

declare global {
  interface ImportMeta {
    /** Vitest's: the variables of the environment whose names begin with VITE_. */
    readonly env: Readonly<Record<string, string | undefined>>;
  }
}

const FLUSH_MS_MAX = 1_000;
const STREAMS = ['a', 'b', 'c'];

type Append = {
  readonly streams: readonly number[];
  readonly count: number;
  readonly expected: 'any' | 'right' | 'wrong';
  /** Make an earlier append once more, counted back from the newest. */
  readonly repeat: number | undefined;
  readonly isOther: boolean;
};
type Step =
  | {
      readonly type: 'append';
      readonly sideBySide: readonly Append[];
      readonly fault: CommitFault | undefined;
      readonly faultAt: number;
    }
  | { readonly type: 'crash'; readonly appends: readonly Append[] }
  | { readonly type: 'reopen' }
  | { readonly type: 'checkpoint' }
  | { readonly type: 'clock'; readonly byMs: number };

const anAppend: fc.Arbitrary<Append> = fc.record({
  streams: fc.uniqueArray(fc.nat(STREAMS.length - 1), { minLength: 1, maxLength: 3 }),
  count: fc.integer({ min: 1, max: 90 }),
  expected: fc.constantFrom('any', 'any', 'right', 'wrong'),
  repeat: fc.option(fc.nat(5), { nil: undefined, freq: 4 }),
  isOther: fc.boolean(),
});

const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('append' as const),
      sideBySide: fc.array(anAppend, { minLength: 1, maxLength: 6 }),
      fault: fc.option(fc.constantFrom('lost' as const, 'reply_lost' as const, 'hang' as const), {
        nil: undefined,
        freq: 3,
      }),
      faultAt: fc.constantFrom(0, 0, 0, 1, 2), // most appends are one commit: enough of them must be met
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('crash' as const), appends: fc.array(anAppend, { maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'checkpoint' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('clock' as const), byMs: fc.integer({ min: -90_000, max: 90_000 }) }),
  },
);

/** The world, and what a fair observer of the acknowledgements knows of it. */
class Run {
  readonly #world = new MemoryWorld(seededRandom('model'));
  readonly #clock = new ManualClock();
  #log: Journal | undefined;
  #store: MemoryStore | undefined;
  #nextEvent = 0;
  /** Every append that was acknowledged, and what was said of it. */
  readonly #acknowledged: { readonly writes: readonly Write[]; readonly places: readonly Recorded[] }[] = [];
  /** Appends whose fate nobody was told: all of one may be there, or nothing of it. */
  readonly #unknown: (readonly Write[])[] = [];
  faults = 0;

  async take(step: Step): Promise<void> {
    const log = await this.#open();
    switch (step.type) {
      case 'append':
        return await this.#append(step);
      case 'crash': {
        if (this.#store !== undefined) this.#store.faultOf = () => 'hang';
        for (const one of step.appends) {
          const writes = this.#writesOf(one);
          void settle(log.append(writes));
          this.#unknown.push(writes);
        }
        this.#forget(); // nothing of this journal runs on, and nothing of it was answered
        return await this.check();
      }
      case 'reopen':
        await log[Symbol.asyncDispose]();
        this.#forget();
        return await this.check();
      case 'checkpoint':
        expect((await log.checkpoint()).checkpoint.size).toBe(log.size);
        return;
      case 'clock':
        this.#clock.setWall(this.#clock.now() + step.byMs);
    }
  }

  /** What must hold whatever has happened. */
  async check(): Promise<void> {
    const log = await this.#open();
    const stored = soundEventsOf(log);
    const ids = new Set(stored.map(({ id }) => id));
    for (const { writes, places } of this.#acknowledged) {
      for (const { id, index, stream, version, wallMs } of places) {
        expect(stored[index]).toMatchObject({ id, stream, version, wallMs });
        ids.delete(id);
      }
      expect(places).toHaveLength(writes.flatMap((one) => one.events).length);
    }
    for (const writes of this.#unknown) {
      const there = writes.flatMap((one) => one.events).filter(({ id }) => log.find(id) !== undefined);
      expect([0, writes.flatMap((one) => one.events).length]).toContain(there.length);
      for (const { id } of there) ids.delete(id);
    }
    expect([...ids]).toEqual([]); // and nothing is there that nobody appended
  }

  async #append({ sideBySide, fault, faultAt }: Step & { readonly type: 'append' }): Promise<void> {
    const log = await this.#open();
    let commits = 0;
    if (this.#store !== undefined) this.#store.faultOf = () => (commits++ === faultAt ? fault : undefined);
    const before = new Map(STREAMS.map((name) => [streamId(name), log.versionOf(streamId(name))]));
    const attempts = sideBySide.map((one) => {
      const known = one.repeat === undefined ? undefined : this.#acknowledged.at(-1 - one.repeat);
      const writes =
        known === undefined
          ? this.#writesOf(one, (name) => log.versionOf(streamId(name)))
          : repeated(known.writes, one);
      const expected = this.#expectation(one, known?.writes);
      return { one, known, writes, expected, outcome: settle(log.append(writes)) };
    });
    const settled = Promise.all(attempts.map(({ outcome }) => outcome));
    if (fault === 'hang') await this.#letTimePass(settled);
    for (const { known, writes, expected, outcome } of attempts) {
      const result = await outcome;
      if ('value' in result) {
        expect(expected).toBe('recorded');
        if (known === undefined) this.#acknowledged.push({ writes, places: result.value });
        else expect(result.value).toEqual(known.places);
      } else if ('code' in result && result.code === 'log.stopped') {
        expect(log.stopped).toBe(result);
        if (known === undefined) this.#unknown.push(writes);
      } else {
        expect(result).toMatchObject({ code: expected });
      }
    }
    expect(before.size).toBe(STREAMS.length);
    if (log.stopped === undefined) return;
    this.faults += 1;
    expect(await settle(log.append([write('late', [event(this.#nextEvent)])]))).toBe(log.stopped);
    await log[Symbol.asyncDispose]();
    this.#forget();
    await this.check();
  }

  #expectation(one: Append, known: readonly Write[] | undefined): string {
    if (known !== undefined) return one.isOther ? 'log.id_reused' : 'recorded';
    if (one.streams.length * one.count > 256) return 'log.too_large';
    return one.expected === 'wrong' ? 'log.conflict' : 'recorded';
  }

  #writesOf(one: Append, versionOf: (name: string) => number = () => -1): readonly Write[] {
    return one.streams.map((n) => {
      const name = STREAMS[n] ?? 'a';
      const first = this.#nextEvent;
      this.#nextEvent += one.count;
      const version = versionOf(name);
      const right = version === -1 ? 'none' : version;
      const wrong = version + 1;
      const expected = { any: 'any', right, wrong }[one.expected] as Write['expected'];
      return write(name, events(first, first + one.count), expected);
    });
  }

  /** A commit that hangs ends when its deadline has passed, however late the turn in which it began. */
  async #letTimePass(settled: Promise<unknown>): Promise<void> {
    let isOver = false;
    void settled.then(() => {
      isOver = true;
    });
    for (let turn = 0; turn < 1_000 && !isOver; turn++) {
      await Promise.resolve();
      if (turn % 50 === 49) this.#clock.advance(FLUSH_MS_MAX);
    }
    expect(isOver).toBe(true);
  }

  async #open(): Promise<Journal> {
    if (this.#log !== undefined) return this.#log;
    const { log, store } = await this.#world.open(this.#clock, FLUSH_MS_MAX);
    [this.#log, this.#store] = [log, store];
    return log;
  }

  #forget(): void {
    [this.#log, this.#store] = [undefined, undefined];
  }
}

function repeated(writes: readonly Write[], { isOther }: Append): readonly Write[] {
  if (!isOther) return writes;
  return writes.map((one) => ({ ...one, events: one.events.map((added) => ({ ...added, typeVersion: 9 })) }));
}

test('n faults never lose an acknowledged event, nor record half an append, nor one that nobody made', async () => {
  const given = Number(import.meta.env['VITE_MODEL_SEED']);
  let faults = 0;
  const property = fc.asyncProperty(fc.array(aStep, { minLength: 1, maxLength: 25 }), async (steps) => {
    const run = new Run();
    for (const step of steps) await run.take(step);
    await run.check();
    faults += run.faults;
  });
  const result = await fc.check(property, { numRuns: 150, ...(Number.isInteger(given) ? { seed: given } : {}) });
  const command = `VITE_MODEL_SEED=${result.seed} npm test -- runtime/log/journal.model.test.ts`;
  expect(result.failed, `${command}\n${fc.defaultReportMessage(result) ?? ''}`).toBe(false);
  expect(faults).toBeGreaterThan(100);
});
