import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { CodedError, hasCode } from '../../runtime/core/errors.ts';
import type { Shell } from './shell.ts';

/** The bytes of a small file that the user named; `-` for stdin. @throws `file.not_found` */
export async function readInput(shell: Shell, path: string): Promise<Uint8Array> {
  if (path === '-') return await buffer(shell.input());
  try {
    return await readFile(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('file.not_found', `expected a file ${path}, found none`, { cause: error });
  }
}
