/**
 * Who runs a node of a realm: whoever has locked its slot, and nobody else (adr 0070).
 *
 *     nodes/<node>/slot.lock           the lock (`file-lock.ts`)
 *
 * X2. Whoever has a slot knows that no process is left of those that had it before, because a lock ends with its process.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../../runtime/core/errors.ts';
import { lockFile } from './file-lock.ts';
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
    const lock = lockFile(join(nodeFolder(directory, name), 'slot.lock'), 0, 'realm.slot_unusable');
    if (lock !== undefined) return { name, [Symbol.dispose]: () => lock[Symbol.dispose]() };
  }
  const message = `expected one of ${listed(here)} to be free in ${directory}, found each run by another process`;
  throw new CodedError('realm.slots_taken', message, { retryable: true });
}

/** All of these, or none: for a process that is the whole realm.
 *  @throws {CodedError} as `claimSlot` */
export function claimAll(directory: string, names: readonly string[]): Disposable {
  using claimed = new DisposableStack();
  for (const name of names) claimed.use(claimSlot(directory, [name]));
  return claimed.move();
}

function listed(names: readonly string[]): string {
  const [first = '', ...rest] = names;
  return rest.length === 0 ? first : `${first} to ${rest.at(-1)}`;
}
