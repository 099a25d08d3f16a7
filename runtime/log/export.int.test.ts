import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../codec/checkpoint.ts';
import { parseVerifierKey, type Verifier } from '../codec/note.ts';
import { unwrap } from '../core/result.ts';
import { seededRandom } from '../core/simulation.ts';
import { fill, type TestDirectory, testDirectory } from './directory.fixture.ts';
import { exportLog } from './export.ts';
import { verifyExport } from './verify-export.ts';

const keyOf = (at: TestDirectory): Verifier => unwrap(parseVerifierKey(at.verifierKey), 'the key of the log');

/** Every file of a folder, by its path. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path).toString('base64')]),
  );
}

async function exported(at: TestDirectory, size: number, name = 'out'): Promise<string> {
  await using log = await at.open();
  if (log.size < size) await fill(log, log.size, size);
  const out = join(at.path, name);
  await exportLog(log, out);
  return out;
}

describe('an export', () => {
  test.each([0, 1, 256, 300])('of %i events verifies with the key of the log alone', async (size) => {
    using at = await testDirectory();
    const out = await exported(at, size);

    const report = await verifyExport(out, keyOf(at));

    expect(report).toMatchObject({ origin: at.origin, size, problems: [], problemCount: 0 });
  });

  test('holds the files of c2sp.org/tlog-tiles, the blobs and the key', async () => {
    using at = await testDirectory();
    const out = await exported(at, 300);

    const files = Object.keys(contents(out)).filter((path) => !path.startsWith('blob/'));

    expect(files).toEqual([
      'checkpoint',
      'log.vkey',
      'tile/0/000',
      'tile/0/001.p/44',
      'tile/1/000.p/1',
      'tile/entries/000',
      'tile/entries/001.p/44',
    ]);
    expect(openCheckpoint(readFileSync(join(out, 'checkpoint')), keyOf(at))).toMatchObject({ value: { size: 300 } });
    expect(readFileSync(join(out, 'log.vkey'), 'utf8')).toBe(`${at.verifierKey}\n`);
  });

  test('O2: is the same byte for byte when nothing was appended', async () => {
    using at = await testDirectory();

    const [first, second] = [await exported(at, 300, 'first'), await exported(at, 300, 'second')];

    expect(contents(second)).toEqual(contents(first));
  });

  test('O1: is not begun where something stands, and leaves that alone', async () => {
    using at = await testDirectory();
    const out = join(at.path, 'out');
    mkdirSync(out);
    writeFileSync(join(out, 'mine'), 'mine');

    await expect(exported(at, 10)).rejects.toMatchObject({ code: 'export.not_empty' });

    expect(readdirSync(out)).toEqual(['mine']);
  });

  test('O1: that is given up leaves nothing behind', async () => {
    using at = await testDirectory();
    await using log = await at.open();
    await fill(log, 0, 600);
    const giveUp = new AbortController();
    const options = { signal: giveUp.signal, progress: () => giveUp.abort() };

    await expect(exportLog(log, join(at.path, 'out'), options)).rejects.toThrow('aborted');

    expect(readdirSync(at.path).sort()).toEqual(['anchors', 'log']);
  });
});

describe('an export that was tampered with', () => {
  let at: TestDirectory;
  let out: string;
  let files: readonly string[];
  beforeAll(async () => {
    at = await testDirectory();
    out = await exported(at, 600);
    files = Object.keys(contents(out));
    return () => at[Symbol.dispose]();
  });

  test('is found, whichever byte of whichever file was changed', async () => {
    const random = seededRandom('export');
    const missed: string[] = [];
    for (const path of files.flatMap((file) => [file, file, file])) {
      const file = join(out, path);
      const bytes = readFileSync(file);
      const byte = random.below(bytes.length);
      const changed = Buffer.from(bytes);
      changed[byte] = (changed[byte] ?? 0) ^ (1 << random.below(8));
      writeFileSync(file, changed);

      const { problems } = await verifyExport(out, keyOf(at));

      if (problems.length === 0) missed.push(`${path} at ${byte}`);
      writeFileSync(file, bytes);
    }
    expect(missed).toEqual([]);
  });

  test('is found, whichever file is missing', async () => {
    const missed: string[] = [];
    for (const path of files) {
      const bytes = readFileSync(join(out, path));
      rmSync(join(out, path));

      const { problems } = await verifyExport(out, keyOf(at));

      if (problems.length === 0) missed.push(path);
      writeFileSync(join(out, path), bytes);
    }
    expect(missed).toEqual([]);
  });

  test('is found when a file was added', async () => {
    const folder = join(out, 'tile/0/009.p');
    mkdirSync(folder);
    writeFileSync(join(folder, '1'), 'x');

    const { problems } = await verifyExport(out, keyOf(at));

    rmSync(folder, { recursive: true });
    expect(problems[0]).toMatchObject({ code: 'log.bad_layout', place: 'tile/0/009.p/1' });
  });
});

test('there is nothing to verify where there is no export', async () => {
  using at = await testDirectory();

  await expect(verifyExport(join(at.path, 'none'), keyOf(at))).rejects.toMatchObject({ code: 'export.not_found' });
  expect(existsSync(join(at.path, 'none'))).toBe(false);
});
