/** Logs on disk for tests: the same bytes for the same seed, with streams, blobs and checkpoints. */
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, open } from 'lmdb';
import type { Origin } from '../codec/checkpoint.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { thisProcess } from '../core/system.ts';
import { event, write } from './event.fixture.ts';
import type { EventLog, NewEvent } from './event-log.ts';
import { createLog, type LogPorts, openLog, succeedLog } from './log-directory.ts';
import { TABLES, type TableName } from './raw-tables.ts';

export type TestDirectory = Disposable & {
  /** Holds the log, the anchors, and whatever the test puts beside them. */
  readonly path: string;
  readonly directory: string;
  readonly anchors: string;
  readonly origin: Origin;
  readonly verifierKey: string;
  readonly ports: LogPorts;
  open(): Promise<EventLog>;
  succeed(): Promise<void>;
};

/** A new log in a folder of its own. */
export async function testDirectory(seed = 'log'): Promise<TestDirectory> {
  const folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-log-'));
  const [directory, anchors] = [join(folder.path, 'log'), join(folder.path, 'anchors')];
  const random = seededRandom(seed);
  const ports = { clock: new ManualClock(), random, identity: thisProcess() };
  const options = { anchors, reserveBytes: 4_096 };
  return {
    ...(await createLog(directory, { anchors }, random)),
    path: folder.path,
    directory,
    anchors,
    ports,
    open: () => openLog(directory, options, ports),
    async succeed() {
      await succeedLog(directory, { ...options, reason: 'a test' }, ports);
    },
    [Symbol.dispose]: () => folder.remove(),
  };
}

/** Appends events `from … to - 1` in batches of 1 to 40 over seven streams; every 40th event has a blob; signs after every
 *  hundred and at the end. */
export async function fill(log: EventLog, from: number, to: number): Promise<void> {
  const random = seededRandom(`fill ${from}`);
  for (let next = from; next < to; ) {
    const count = Math.min(to - next, 1 + random.below(40), 100 - (next % 100));
    const writes = Map.groupBy(
      Array.from({ length: count }, (_, n) => next + n),
      (n) => `stream/${random.below(7)}${n % 3 === 0 ? '' : '-b'}`,
    );
    await log.append([...writes].map(([stream, numbers]) => write(stream, numbers.map(sample))));
    next += count;
    if (next % 100 === 0) await log.checkpoint();
  }
  await log.checkpoint();
}

function sample(n: number): NewEvent {
  if (n % 40 !== 7) return event(n);
  const bytes = Buffer.alloc(5_000 + n, `blob ${n % 80} `);
  return event(n, { payload: { type: 'bytes', media: 'text/plain', bytes } });
}

export type Tables = { readonly [Name in TableName]: Database<Buffer, Buffer> };

/** Lets `edit` write into the tables of one epoch, as nobody should. */
export async function editTables(folder: string, edit: (tables: Tables) => void): Promise<void> {
  const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
  const env = open<Buffer, Buffer>({ path: folder, maxDbs: 9, noSync: true, overlappingSync: false, ...binary });
  const tables = Object.fromEntries(TABLES.map((name) => [name, env.openDB<Buffer, Buffer>(name, binary)])) as Tables;
  env.transactionSync(() => edit(tables));
  await env.close();
}

/** The rows of a table, to choose a victim from. */
export function rowsOf(table: Database<Buffer, Buffer>): readonly { readonly key: Buffer; readonly value: Buffer }[] {
  return [...table.getRange()];
}
