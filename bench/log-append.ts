/** Durable appends, beside a plain file and beside LMDB without a tree, at the same number of events per flush. */
import { closeSync, fdatasyncSync, mkdtempDisposableSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import type { EventId } from '../runtime/codec/record.ts';
import { systemClock, systemRandom, thisProcess } from '../runtime/core/system.ts';
import { uuidv7 } from '../runtime/core/uuid.ts';
import { event, write } from '../runtime/log/event.fixture.ts';
import type { EventLog, NewEvent } from '../runtime/log/event-log.ts';
import { createLog, openLog } from '../runtime/log/log-directory.ts';
import { during, type Measured, sideBySide, unpaused } from './rounds.ts';

const BATCHES = [1, 16, 64, 256] as const;
const TURN_MS = 250;
const STREAMS = 100;

export type AppendRow = Measured & { readonly batch: number };

/** An event as an agent would append it: about 200 bytes of payload, about 500 of record. */
export function sampleEvent(n: number): NewEvent {
  const value = {
    account: `acct-${n % 1_000}`,
    amount: n % 10_000,
    currency: 'EUR',
    memo: 'the quick brown fox jumps over the lazy dog, twice and a half',
    tags: ['invoice', 'b2b', 'recurring'],
  };
  return { ...event(0), id: uuidv7(systemClock, systemRandom) as EventId, payload: { type: 'json', value } };
}

export async function openScratchLog(directory: string): Promise<EventLog> {
  const anchors = join(directory, 'anchors');
  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  await createLog(join(directory, 'log'), { anchors }, systemRandom);
  return await openLog(join(directory, 'log'), { anchors, reserveBytes: 1_024 }, ports);
}

export async function benchAppends(under: string, rounds: number): Promise<readonly AppendRow[]> {
  const rows: AppendRow[] = [];
  for (const batch of BATCHES) {
    using folder = mkdtempDisposableSync(join(under, 'append-'));
    await using log = await openScratchLog(folder.path);
    const [file, texts] = [openSync(join(folder.path, 'bytes'), 'a'), openSync(join(folder.path, 'texts'), 'a')];
    await using env = withDispose(
      open({ path: join(folder.path, 'lmdb'), noSubdir: false, encoding: 'binary', keyEncoding: 'binary' }),
    );
    const sample = (
      await log.append([
        write(
          'sample',
          Array.from({ length: batch }, (_, n) => sampleEvent(n)),
        ),
      ])
    ).length;
    const bytes = Buffer.concat([...log.readBytes(log.size - sample)]);
    let [next, key] = [0, 0];
    const fresh = (count: number = batch): NewEvent[] => Array.from({ length: count }, () => sampleEvent(next++));
    const streamOf = (): string => `s/${next++ % STREAMS}`;
    const measured = await sideBySide(
      {
        'file: the same bytes': () =>
          during(TURN_MS, batch, () => {
            writeSync(file, bytes);
            fdatasyncSync(file);
          }),
        'file: events as JSON': () =>
          during(TURN_MS, batch, () => {
            writeSync(
              texts,
              fresh()
                .map((one) => `${JSON.stringify({ ...one, n: next })}\n`)
                .join(''),
            );
            fdatasyncSync(texts);
          }),
        'lmdb: events as JSON': () =>
          during(TURN_MS, batch, async () => {
            const put = fresh();
            await env.transaction(() => {
              for (const one of put) void env.put(u64(key++), Buffer.from(JSON.stringify(one)));
            });
            await env.flushed;
          }),
        'log: one append': () => during(TURN_MS, batch, () => log.append([write(streamOf(), fresh())])),
        'log: an append per event': () =>
          during(TURN_MS, batch, () => Promise.all(fresh().map((one) => log.append([write(streamOf(), [one])])))),
        'log: callers that never pause': () =>
          unpaused(TURN_MS, 2 * batch, () => log.append([write(streamOf(), fresh(1))])),
      },
      rounds,
    );
    rows.push(...measured.map((one) => ({ batch, ...one })));
    closeSync(file);
    closeSync(texts);
  }
  return rows;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function withDispose<T extends { close(): Promise<void> }>(env: T): T & AsyncDisposable {
  return Object.assign(env, { [Symbol.asyncDispose]: () => env.close() });
}
