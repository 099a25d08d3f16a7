/** A `data.mdb` that was cut short is said to be, and never ends who opens it; and no file that is whole is said to be. */
import { chmodSync, cpSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasCode } from '../core/errors.ts';
import { systemClock } from '../core/system.ts';
import { withoutPrivileges } from '../core/users.fixture.ts';
import { editTables, fill, type TestDirectory, testDirectory } from './directory.fixture.ts';
import { event, write } from './event.fixture.ts';
import { settle } from './event-log.contract.ts';
import type { EventLog } from './event-log.ts';
import { LmdbStore } from './lmdb-store.ts';
import { openLog, openReader, writerOf } from './log-directory.ts';
import { faultOfFile } from './mapped-file.ts';
import { scratchLog } from './scratch-log.fixture.ts';
import { soundEventsOf } from './sound-events.fixture.ts';
import { startWriter } from './writer.fixture.ts';

const SIZE = 300;
const PAGE = 4_096;
const DAMAGED = { code: 'log.damaged', place: 'data.mdb' };

async function filled(): Promise<TestDirectory> {
  const at = await testDirectory('cut');
  await using log = await at.open();
  await fill(log, 0, SIZE);
  return at;
}

/** The same log in a file that lacks its last pages: a transaction took them, and gave them back. */
async function shortAndSound(): Promise<TestDirectory> {
  const at = await filled();
  const keys = Array.from({ length: 60 }, (_, n) => Buffer.from(`${n}`));
  await editTables(join(at.directory, 'epoch-0'), ({ blobs }) => {
    for (const key of keys) blobs.putSync(key, Buffer.alloc(9_000));
    for (const key of keys) blobs.removeSync(key);
  });
  return at;
}

const fileOf = (directory: string): string => join(directory, 'epoch-0', 'data.mdb');

/** Without the reserve, which is not about this. */
function copyOf({ path, directory }: TestDirectory): string {
  const copy = join(path, 'copy');
  rmSync(copy, { recursive: true, force: true });
  cpSync(directory, copy, { recursive: true, filter: (name) => !/(reserve|lock\.mdb)$/.test(name) });
  return copy;
}

/** The length that the newer meta page names. */
function lengthNamed(file: string): number {
  const bytes = readFileSync(file);
  const metas = [0, PAGE].map((at) => [bytes.readBigUInt64LE(at + 152), bytes.readBigUInt64LE(at + 144)] as const);
  const [, lastPage] = metas.reduce((newest, meta) => (meta[0] > newest[0] ? meta : newest));
  return (Number(lastPage) + 1) * PAGE;
}

/** How many events a log has, all of them sound, or the code of what was wrong with it. */
async function countOf(opening: Promise<EventLog>, use = async (_log: EventLog): Promise<void> => undefined) {
  const opened = await settle(opening);
  if (opened instanceof Error) return hasCode(opened) ? opened.code : opened.message;
  await using log = opened.value;
  await use(log);
  return soundEventsOf(log).length;
}

const read = (copy: string): Promise<number | string> => countOf(openReader(copy, systemClock));

const append = (copy: string, { anchors, ports }: TestDirectory): Promise<number | string> =>
  countOf(openLog(copy, { anchors, reserveBytes: 0 }, ports), async (log) => {
    await log.append([write('late', [event(9_999)])]);
  });

describe.each([
  ['a log', filled],
  ['a log whose file lacks free pages', shortAndSound],
])('%s', (_, made) => {
  test('is opened as it is', async () => {
    using at = await made();

    expect(faultOfFile(fileOf(at.directory))).toBeUndefined();
    expect(await read(at.directory)).toBe(SIZE);
    expect(await append(copyOf(at), at)).toBe(SIZE + 1);
  });

  test('that was cut at any multiple of 512 bytes is damaged, or has all its events', async () => {
    using at = await made();
    const copy = copyOf(at);
    const bytes = statSync(fileOf(copy)).size;
    const outcomes = new Map<number, number | string>();

    for (let to = bytes; to >= 0; to -= 512) {
      truncateSync(fileOf(copy), to);
      outcomes.set(to, await read(copy));
    }

    const others = [...outcomes].filter(([, outcome]) => outcome !== SIZE && outcome !== 'log.damaged');
    expect(others).toEqual([]);
    expect(outcomes.get(bytes)).toBe(SIZE);
    expect([...outcomes.values()].filter((outcome) => outcome === SIZE).length).toBeLessThan(outcomes.size / 4);
  });

  test('that was cut at any page is not written to, or goes on', async () => {
    using at = await made();
    const bytes = statSync(fileOf(at.directory)).size;
    const outcomes = new Set<number | string>();

    for (let to = 0; to < bytes; to += PAGE) {
      const copy = copyOf(at);
      truncateSync(fileOf(copy), to);
      const outcome = await append(copy, at);
      outcomes.add(outcome);
      if (outcome === 'log.damaged') expect(statSync(fileOf(copy)).size).toBe(to);
    }

    expect([...outcomes].filter((outcome) => outcome !== SIZE + 1)).toEqual(['log.damaged']);
  });
});

test('a file may be shorter than its meta page says and lack nothing', async () => {
  using at = await shortAndSound();

  expect(statSync(fileOf(at.directory)).size).toBeLessThan(lengthNamed(fileOf(at.directory)));
});

test('the error says how long the file is and how long it should be, and what to do', async () => {
  using at = await filled();
  const file = fileOf(at.directory);
  const named = lengthNamed(file);
  truncateSync(file, 40_000);

  await expect(openReader(at.directory, systemClock)).rejects.toMatchObject({
    ...DAMAGED,
    message: `data.mdb: expected ${named} bytes, found 40000, cut short: restore a copy, and let log verify say whether that is whole`,
  });
});

test.each(['first', 'second'])('the newer meta page counts, if it is the %s', async (which) => {
  using at = await filled();
  const file = fileOf(at.directory);
  const isNewer = (): boolean => {
    const bytes = readFileSync(file);
    return bytes.readBigUInt64LE(152) > bytes.readBigUInt64LE(PAGE + 152) === (which === 'first');
  };
  const grow = (n: number): Promise<void> =>
    editTables(join(at.directory, 'epoch-0'), ({ blobs }) => blobs.putSync(Buffer.from(`${n}`), Buffer.alloc(90_000)));

  await grow(0);
  if (!isNewer()) await grow(1);
  const named = lengthNamed(file);
  truncateSync(file, named - PAGE);

  expect(isNewer()).toBe(true);
  expect(faultOfFile(file)).toContain(`expected ${named} bytes, found ${named - PAGE}`);
});

test('who only asks for the pen is told the same', async () => {
  using at = await filled();
  truncateSync(fileOf(at.directory), 40_000);
  const access = { mode: 'write', ...at.ports } as const;

  await expect(LmdbStore.mustBeFree(join(at.directory, 'epoch-0'), access)).rejects.toMatchObject(DAMAGED);
  await expect(writerOf(at.directory)).rejects.toMatchObject(DAMAGED);
});

test.each<[string, (bytes: Buffer) => unknown]>([
  ['is of the other byte order', (bytes) => bytes.subarray(24, 28).reverse()],
  ['has another magic', (bytes) => bytes.writeUInt32LE(1, 24)],
  ['is of another version of LMDB', (bytes) => bytes.writeUInt32LE(1, 28)],
  ['has no meta page', (bytes) => bytes.writeUInt16LE(0, 18)],
  ['is encrypted', (bytes) => bytes.writeUInt16LE(0x2008, 52)],
  ['has pages of no bytes', (bytes) => bytes.writeUInt32LE(0, 48)],
  ['has pages of an odd size', (bytes) => bytes.writeUInt32LE(4_097, 48)],
  ['has larger pages than it says', (bytes) => bytes.writeUInt32LE(65_536, 48)],
  [
    'has two sizes of pages',
    (bytes) => [bytes.writeUInt32LE(0, PAGE + 48), bytes.writeBigUInt64LE(2n ** 60n, PAGE + 152)],
  ],
  ['begins with zeros', (bytes) => bytes.fill(0, 0, 2 * PAGE)],
  ['is a text', (bytes) => bytes.fill('no log ')],
])('a file that %s is damaged, and stays as it is', async (_, change) => {
  using at = await filled();
  const file = fileOf(at.directory);
  const bytes = readFileSync(file);
  change(bytes);
  writeFileSync(file, bytes);

  await expect(openReader(at.directory, systemClock)).rejects.toMatchObject(DAMAGED);
  await expect(at.open()).rejects.toMatchObject(DAMAGED);
  expect(readFileSync(file).equals(bytes)).toBe(true);
});

test('a file that this user may not read is no damage, and is said to be his to be let read', async () => {
  using at = await filled();
  const file = fileOf(at.directory);
  for (const folder of [at.path, at.directory, dirname(file)]) chmodSync(folder, 0o755);
  chmodSync(file, 0o000);
  withoutPrivileges(() => {
    expect(() => LmdbStore.open(dirname(file), { mode: 'read' })).toThrow(
      expect.objectContaining({ code: 'log.no_access', message: expect.stringContaining(file) }),
    );
  });
});

test('a file that another process makes longer is never found cut short', async () => {
  await using scratch = await scratchLog();
  const { directory, options } = scratch;
  const writer = startWriter(process, {
    ...{ ...options, directory, from: 0, callers: 8, appends: 1_000_000 },
    ...{ eventsMax: 20, signEvery: 0, blobEvery: 3 },
  });
  writer.go();

  const faults = new Set<string | undefined>();
  for (let acks = 1; acks <= 2_000; acks += 5) {
    await writer.said('ack', acks);
    for (let look = 0; look < 10; look++) faults.add(faultOfFile(fileOf(directory)));
  }
  writer.child.kill('SIGKILL');
  await writer.ended;

  expect([...faults]).toEqual([undefined]);
  expect(await read(directory)).toBeGreaterThan(0);
});
