import { existsSync, mkdtempDisposableSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasRoom, holdReserve, releaseReserve } from './reserve.ts';

describe('a reserve', () => {
  test.each([0, 1, 1024 * 1024, 3 * 1024 * 1024 + 5])('of %i bytes takes them, and gives them back', async (bytes) => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-reserve-'));
    const path = join(folder.path, 'reserve');

    expect(await holdReserve(path, bytes)).toBe(true);
    expect(statSync(path)).toMatchObject({ size: bytes, mode: 0o100600 });
    await releaseReserve(path);
    await releaseReserve(path);
    expect(existsSync(path)).toBe(false);
  });

  test('that a crash left half made is made whole; one that is there is left alone', async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-reserve-'));
    const path = join(folder.path, 'reserve');
    writeFileSync(path, new Uint8Array(10));

    expect(await holdReserve(path, 5_000)).toBe(true);
    const { mtimeMs, size } = statSync(path);
    expect(await holdReserve(path, 4_000)).toBe(true);

    expect(size).toBe(5_000);
    expect(statSync(path).mtimeMs).toBe(mtimeMs);
    expect(hasRoom(folder.path)).toBe(true);
  });

  test('that cannot be written says why', async () => {
    await expect(holdReserve(join(tmpdir(), 'no', 'such', 'folder', 'reserve'), 1)).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
