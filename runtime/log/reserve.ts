/**
 * Disk kept aside, as a file of zeros beside the log's data: deleting it makes room for the one record that says the disk is
 * full, and for closing in order. It reserves nothing on a file system that compresses or shares blocks.
 */
import { statfsSync } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from '../core/errors.ts';

const CHUNK_BYTES = 1024 * 1024;

/** Makes the reserve unless it is there. `false` when there is no room for it, and then none of it is kept. */
export async function holdReserve(path: string, bytes: number): Promise<boolean> {
  if ((await sizeOf(path)) >= bytes) return hasRoom(dirname(path));
  const file = await open(path, 'w', 0o600);
  try {
    const zeros = new Uint8Array(Math.min(CHUNK_BYTES, bytes));
    for (let written = 0; written < bytes; ) {
      written += (await file.write(zeros, 0, Math.min(zeros.length, bytes - written))).bytesWritten;
    }
    await file.sync();
    if (hasRoom(dirname(path))) return true;
    await releaseReserve(path);
    return false;
  } catch (error) {
    if (!hasCode(error, 'ENOSPC') && !hasCode(error, 'EDQUOT')) throw error;
    await releaseReserve(path);
    return false;
  } finally {
    await file.close();
  }
}

/** Gives the reserve back to the disk. */
export async function releaseReserve(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Less than this, and the next batch would meet the end of the disk. */
const HEADROOM_BYTES = 1024 * 1024;

/** Whether there is room to work in, beside the reserve. */
export function hasRoom(directory: string): boolean {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize >= HEADROOM_BYTES;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return -1;
    throw error;
  }
}
