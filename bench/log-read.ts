/** Reading what is there: folds, verification, bytes on disk, and the start over a long log. */

import { hash } from 'node:crypto';
import { mkdtempDisposableSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, systemRandom, thisProcess } from '../runtime/core/system.ts';
import { streamId, write } from '../runtime/log/event.fixture.ts';
import type { EventLog } from '../runtime/log/event-log.ts';
import { verifyLog } from '../runtime/log/fsck.ts';
import { openLog } from '../runtime/log/log-directory.ts';
import { openScratchLog, sampleEvent } from './log-append.ts';
import { type Measured, median, sideBySide, type Turn } from './rounds.ts';

const STREAMS = 1_000;
const STARTS = 5;

export type ReadResult = {
  readonly events: number;
  /** Against `JSON.parse` of the same bytes. */
  readonly fold: readonly Measured[];
  /** Against `JSON.parse` and two SHA-256 of the same bytes. */
  readonly verification: readonly Measured[];
  readonly recordBytes: number;
  readonly diskBytes: number;
};

export async function benchReads(under: string, events: number, rounds: number): Promise<ReadResult> {
  using folder = mkdtempDisposableSync(join(under, 'read-'));
  const directory = join(folder.path, 'log');
  {
    await using log = await openScratchLog(folder.path);
    await grow(log, events);
    await log.checkpoint();
  }
  const options = { anchors: join(folder.path, 'anchors'), reserveBytes: 1_024 };
  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  await using log = await openLog(directory, options, ports);
  const records = [...log.readBytes()].map((bytes) => Buffer.from(bytes));
  const parse = (): Turn => timed(records.length, () => records.reduce((sum, record) => sum + indexIn(record), 0));
  const fold = await sideBySide(
    {
      'JSON.parse of the same bytes': parse,
      'fold of the log': () => timed(log.size, () => count(log.read())),
      'fold of a stream, 1 event in 1,000': () => {
        const names = Array.from({ length: 20 }, (_, n) => streamId(`s/${n * 50}`));
        const read = Math.max(1, names.length * Math.floor(log.size / STREAMS));
        return timed(read, () => names.reduce((sum, name) => sum + count(log.readStream(name)), 0));
      },
    },
    rounds,
  );
  const parseAndHash = (): Turn =>
    timed(records.length, () => {
      for (const record of records) {
        hash('sha256', record, 'buffer');
        hash('sha256', record, 'buffer');
        indexIn(record);
      }
    });
  const verification = await sideBySide(
    {
      'JSON.parse and two SHA-256': parseAndHash,
      'full verification': async () => {
        const began = performance.now();
        const { problemCount } = await verifyLog(directory, { anchors: options.anchors });
        if (problemCount > 0) throw new Error(`expected a sound log, found ${problemCount} problems`);
        return { units: log.size, ms: performance.now() - began };
      },
    },
    rounds,
  );
  const recordBytes = records.reduce((sum, record) => sum + record.length, 0) / records.length;
  const diskBytes = statSync(join(directory, 'epoch-0', 'data.mdb')).size / records.length;
  return { events: log.size, fold, verification, recordBytes, diskBytes };
}

export type StartResult = {
  readonly events: number;
  readonly buildMs: number;
  /** Until the log takes appends: the median. */
  readonly openMs: number;
  readonly diskBytes: number;
};

export async function benchStart(under: string, events: number): Promise<StartResult> {
  using folder = mkdtempDisposableSync(join(under, 'start-'));
  const began = performance.now();
  {
    await using log = await openScratchLog(folder.path);
    await grow(log, events);
    await log.checkpoint();
  }
  const buildMs = performance.now() - began;
  const directory = join(folder.path, 'log');
  const options = { anchors: join(folder.path, 'anchors'), reserveBytes: 1_024 };
  const openings: number[] = [];
  for (let n = 0; n < STARTS; n++) {
    const start = performance.now();
    const log = await openLog(directory, options, {
      clock: systemClock,
      random: systemRandom,
      identity: thisProcess(),
    });
    openings.push(performance.now() - start);
    await log[Symbol.asyncDispose]();
  }
  return {
    events,
    buildMs,
    openMs: median(openings),
    diskBytes: statSync(join(directory, 'epoch-0', 'data.mdb')).size,
  };
}

/** One event per append and `STREAMS` streams in turn, as many agents make them; 256 at a time, so that it does not take long. */
async function grow(log: EventLog, events: number): Promise<void> {
  for (let n = log.size; n < events; n += 256) {
    const width = Math.min(256, events - n);
    await Promise.all(
      Array.from({ length: width }, (_, k) => log.append([write(`s/${(n + k) % STREAMS}`, [sampleEvent(n + k)])])),
    );
  }
}

function timed(units: number, work: () => unknown): Turn {
  const began = performance.now();
  work();
  return { units, ms: performance.now() - began };
}

function count(events: Iterable<unknown>): number {
  let found = 0;
  for (const _ of events) found += 1;
  return found;
}

function indexIn(record: Buffer): number {
  return (JSON.parse(record.toString('utf8')) as { readonly i: number }).i;
}
