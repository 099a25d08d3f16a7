/**
 * A lock on a file that ends with the process that has it, however that ends (adr 0070). The file is an empty SQLite database,
 * and stays; what counts is the lock on it.
 *
 * X1. The lock is the kernel's (fcntl): it is held by one process at most, across pid namespaces and containers that share the
 *     file. No time has to pass after its holder's death, and nobody judges who is dead. Of those that try at once one gets it.
 * X3. A process that opens the file by any other way and closes it loses the lock: POSIX says so. Nobody does. And nobody removes
 *     the file: those who come later would lock another one.
 */
import { createRequire } from 'node:module';
import type { DatabaseSync } from 'node:sqlite';
import { CodedError, hasCode, messageOf } from '../../runtime/core/errors.ts';

const require = createRequire(import.meta.url);

/** This process's until it is disposed of; `undefined`: another has it. Waits for that one as long as told, synchronously.
 *  @throws {CodedError} `code`: there can be no lock at that path, or not by this user */
export function lockFile(path: string, waitMs: number, code: string): Disposable | undefined {
  const sqlite = require('node:sqlite') as typeof import('node:sqlite'); // Node 24 warns whoever loads it
  let database: DatabaseSync | undefined;
  try {
    const opened = new sqlite.DatabaseSync(path, { timeout: waitMs });
    database = opened;
    opened.exec(LOCK);
    return { [Symbol.dispose]: () => opened.close() };
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    const message = `expected a lock that this process can take at ${path}, found: ${messageOf(error)}`;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError(code, message, { cause: error });
  }
}

/** One process at most may be about to write. EXCLUSIVE would keep out readers as well, of which there are none, and two that try
 *  at once can each be the reader that the other one fails at. No journal is left behind a killed process. */
const LOCK = 'PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE';

/** SQLITE_BUSY (5), with whatever extension. */
function isBusy(error: unknown): boolean {
  return hasCode(error, 'ERR_SQLITE_ERROR') && 'errcode' in error && (Number(error.errcode) & 0xff) === 5;
}
