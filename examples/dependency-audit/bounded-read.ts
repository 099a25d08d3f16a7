/** Reads one file that is named beforehand, up to a size. What grows or never ends (a pipe, a device) is refused. */
import { Buffer } from 'node:buffer';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { CodedError, hasCode } from 'ringmesh/runtime';

/** @throws {CodedError} `file.missing` · `file.not_plain` · `file.too_large` */
export async function readBounded(path: string, bytesMax: number): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    throw new CodedError('file.missing', `expected a file at ${path}, found none`, { cause: error });
  });
  try {
    const { size } = await statFile(file, path);
    if (size > bytesMax) throw tooLarge(path, bytesMax);
    const buffer = Buffer.alloc(size + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
    }
    throw tooLarge(path, size);
  } finally {
    await file.close();
  }
}

async function statFile(file: Awaited<ReturnType<typeof open>>, path: string): Promise<{ readonly size: number }> {
  const stat = await file.stat();
  if (stat.isFile()) return stat;
  throw new CodedError('file.not_plain', `expected a plain file at ${path}, found something else`);
}

function tooLarge(path: string, bytesMax: number): CodedError {
  return new CodedError('file.too_large', `expected at most ${bytesMax} bytes in ${path}, found more`);
}
