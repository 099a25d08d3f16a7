/** The LMDB environment of a log and its tables: how they are opened, whatever they hold. Values are binary throughout. */
import { type Database, open, type RootDatabase } from 'lmdb';
import { messageOf } from '../core/errors.ts';
import { DamageError } from './recover.ts';

export type Table = Database<Uint8Array, Uint8Array>;

/** The named databases of a log's environment. */
export type Tables = {
  readonly [Name in 'meta' | 'entries' | 'tiles' | 'streams' | 'ids' | 'blobs' | 'checkpoints']: Table;
};

/** @throws {DamageError} `log.damaged`: no LMDB file */
export function openEnvironment(
  directory: string,
  isReadOnly: boolean,
  isNoSync: boolean,
): RootDatabase<Uint8Array, Uint8Array> {
  try {
    return open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false, // else a dot in the last name would make a file of it
      maxDbs: 8,
      encoding: 'binary',
      keyEncoding: 'binary',
      readOnly: isReadOnly,
      // One commit is under way at a time, so there is nothing for its sync to overlap with. And with LMDB's own order, sync
      // before the new root shows, whoever reads first after a power cut finds only what was flushed.
      overlappingSync: false,
      // Batching makes a promise of its own that nobody hears: when a commit fails, its rejection would end the process.
      eventTurnBatching: false,
      noSync: isNoSync,
    });
  } catch (error) {
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new DamageError('data.mdb', `expected an LMDB file: ${messageOf(error)}`, { cause: error });
  }
}

export function openTables(env: RootDatabase<Uint8Array, Uint8Array>): Tables {
  const table = (name: keyof Tables): Table => {
    const opened: Table | undefined = env.openDB<Uint8Array, Uint8Array>(name, {
      encoding: 'binary',
      keyEncoding: 'binary',
    });
    if (opened === undefined) throw new DamageError(name, 'expected a table of that name, found none');
    return opened;
  };
  return {
    meta: table('meta'),
    entries: table('entries'),
    tiles: table('tiles'),
    streams: table('streams'),
    ids: table('ids'),
    blobs: table('blobs'),
    checkpoints: table('checkpoints'),
  };
}

export type Usage = { readonly entries: number; readonly bytes: number };

/** From LMDB's own books: nothing is read for it. */
export function usageOf(table: Table): Usage {
  const stats = table.getStats() as { readonly [name: string]: number };
  const { entryCount = 0, pageSize = 0, treeBranchPageCount = 0, treeLeafPageCount = 0, overflowPages = 0 } = stats;
  return { entries: entryCount, bytes: pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages) };
}
