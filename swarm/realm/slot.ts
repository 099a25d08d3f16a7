/**
 * Who runs a node of a realm: whoever has locked its slot, and nobody else (adr 0070).
 *
 *     nodes/<node>/slot.lock           an empty SQLite database; what counts is the lock on it
 *
 * X1. The lock is the kernel's (fcntl): it is held by one process at most, across pid namespaces and containers that share the
 *     file, and it ends with that process, however that ends. No time has to pass, and nobody judges who is dead.
 * X2. So whoever has a slot knows that no process is left of those that had it before.
 * X3. A process that opens the file by any other way and closes it loses the lock: POSIX says so. Nobody does.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { CodedError, hasCode, messageOf } from '../../runtime/core/errors.ts';
import { nodeFolder } from './realm-folder.ts';

/** A node that is this process's until it is disposed of, or the process ends. */
export type Slot = Disposable & { readonly name: string };

/** The first of these that is free. Slots whose keys are not here are another machine's.
 *  @throws {CodedError} `realm.slots_taken` · `realm.no_keys`: none of them is here · `realm.slot_unusable` */
export function claimSlot(directory: string, names: readonly string[]): Slot {
  const here = names.filter((name) => existsSync(nodeFolder(directory, name)));
  if (here.length === 0) {
    throw new CodedError('realm.no_keys', `expected the keys of ${listed(names)} in ${directory}, found none of them`);
  }
  for (const name of here) {
    const lock = locked(join(nodeFolder(directory, name), 'slot.lock'));
    if (lock !== undefined) return { name, [Symbol.dispose]: () => lock.close() };
  }
  const message = `expected one of ${listed(here)} to be free in ${directory}, found each run by another process`;
  throw new CodedError('realm.slots_taken', message, { retryable: true });
}

const require = createRequire(import.meta.url);

/** All of these, or none: for a process that is the whole realm.
 *  @throws {CodedError} as `claimSlot` */
export function claimAll(directory: string, names: readonly string[]): Disposable {
  using claimed = new DisposableStack();
  for (const name of names) claimed.use(claimSlot(directory, [name]));
  return claimed.move();
}

/** `undefined`: another process has it. */
function locked(path: string): DatabaseSync | undefined {
  const sqlite = require('node:sqlite') as typeof import('node:sqlite'); // Node 24 warns whoever loads it
  let database: DatabaseSync | undefined;
  try {
    database = new sqlite.DatabaseSync(path, { timeout: 0 });
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    const message = `expected a lock that this process can take at ${path}, found: ${messageOf(error)}`;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('realm.slot_unusable', message, { cause: error });
  }
}

/** SQLITE_BUSY (5), with whatever extension. */
function isBusy(error: unknown): boolean {
  return hasCode(error, 'ERR_SQLITE_ERROR') && 'errcode' in error && (Number(error.errcode) & 0xff) === 5;
}

function listed(names: readonly string[]): string {
  const [first = '', ...rest] = names;
  return rest.length === 0 ? first : `${first} to ${rest.at(-1)}`;
}
