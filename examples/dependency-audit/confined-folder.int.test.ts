import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readBounded } from './bounded-read.ts';
import { ConfinedFolder, FILE_BYTES_MAX } from './confined-folder.ts';

let base: string;
let out: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'audit-out-'));
  out = join(base, 'out');
});

afterEach(async () => {
  await rm(base, { recursive: true });
});

describe('ConfinedFolder', () => {
  test('a file is written whole, below the folder, and nothing is left beside it', async () => {
    const folder = await ConfinedFolder.open(out);
    const written = await folder.write('sub/report.md', 'hello');

    expect(written).toEqual({
      path: 'sub/report.md',
      bytes: 5,
      digest: expect.stringMatching(/^[\w-]{43}$/),
      isChanged: true,
    });
    expect(await readFile(join(out, 'sub/report.md'), 'utf8')).toBe('hello');
    expect(await readdir(join(out, 'sub'))).toEqual(['report.md']);
  });

  test('W3: the same content again changes nothing; other content replaces it', async () => {
    const folder = await ConfinedFolder.open(out);
    await folder.write('a', 'one');
    const before = await stat(join(out, 'a'));
    const again = await folder.write('a', 'one');
    const after = await stat(join(out, 'a'));
    const other = await folder.write('a', 'two');

    expect([again.isChanged, after.ino, other.isChanged]).toEqual([false, before.ino, true]);
    expect(await readFile(join(out, 'a'), 'utf8')).toBe('two');
  });

  test.each([
    '',
    '/etc/passwd',
    '../a',
    'a/../b',
    'a/..',
    '.',
    './a',
    'a//b',
    'a/',
    'a\\..\\b',
    'a\0b',
    '.hidden',
    'C:a',
    'a\nb',
    'a.',
    'a/b/c/d/e/f/g/h/i',
    'x'.repeat(200),
  ])('%j is outside', async (path) => {
    const folder = await ConfinedFolder.open(out);

    await expect(folder.write(path, 'x')).rejects.toMatchObject({ code: 'file.outside' });
    expect(await readdir(base)).toEqual(['out']);
  });

  test('a link at the file’s place is not followed', async () => {
    const victim = join(base, 'victim');
    await writeFile(victim, 'mine');
    await mkdir(out);
    await symlink(victim, join(out, 'report.md'));
    const folder = await ConfinedFolder.open(out);

    await expect(folder.write('report.md', 'yours')).rejects.toMatchObject({ code: 'file.not_plain' });
    expect(await readFile(victim, 'utf8')).toBe('mine');
  });

  test('a link on the way is not followed', async () => {
    const elsewhere = join(base, 'elsewhere');
    await mkdir(elsewhere);
    await mkdir(out);
    await symlink(elsewhere, join(out, 'sub'));
    const folder = await ConfinedFolder.open(out);

    await expect(folder.write('sub/a', 'x')).rejects.toMatchObject({ code: 'file.not_plain' });
    expect(await readdir(elsewhere)).toEqual([]);
  });

  test('a link laid where the file is prepared is not followed, and another name of the old file keeps its content', async () => {
    const victim = join(base, 'victim');
    await writeFile(victim, 'mine');
    await mkdir(out);
    await symlink(victim, join(out, 'a.part'));
    await link(victim, join(out, 'a'));
    const folder = await ConfinedFolder.open(out);
    await folder.write('a', 'yours');

    expect(await readFile(victim, 'utf8')).toBe('mine');
    expect(await readFile(join(out, 'a'), 'utf8')).toBe('yours');
  });

  test('a folder at the file’s place, and too much to write, are refused', async () => {
    await mkdir(join(out, 'a'), { recursive: true });
    const folder = await ConfinedFolder.open(out);

    await expect(folder.write('a', 'x')).rejects.toMatchObject({ code: 'file.not_plain' });
    await expect(folder.write('b', 'x'.repeat(FILE_BYTES_MAX + 1))).rejects.toMatchObject({ code: 'file.too_large' });
  });
});

describe('readBounded', () => {
  test('a file is read whole', async () => {
    await writeFile(join(base, 'lock'), 'abc');

    expect(new TextDecoder().decode(await readBounded(join(base, 'lock'), 3))).toBe('abc');
  });

  test('what is missing, too large or no file is refused', async () => {
    await writeFile(join(base, 'lock'), 'abcd');

    await expect(readBounded(join(base, 'none'), 3)).rejects.toMatchObject({ code: 'file.missing' });
    await expect(readBounded(join(base, 'lock'), 3)).rejects.toMatchObject({ code: 'file.too_large' });
    await expect(readBounded(base, 3)).rejects.toMatchObject({ code: 'file.not_plain' });
  });
});
