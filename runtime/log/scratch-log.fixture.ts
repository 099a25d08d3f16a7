/** A log in a directory of its own that is gone when the scope ends. */
import { cpSync, mkdtempDisposableSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { utf8 } from '../core/bytes.ts';
import { type ProcessIdentity, systemClock, systemRandom, thisProcess } from '../core/system.ts';
import type { EventLog } from './event-log.ts';
import { writerValue } from './layout.ts';
import { createLog, type LogPorts, type OpenOptions, openLog, openReader } from './log-directory.ts';

export const ports: LogPorts = { clock: systemClock, random: systemRandom, identity: thisProcess() };

export type ScratchLog = AsyncDisposable & {
  readonly path: string;
  readonly directory: string;
  readonly anchors: string;
  readonly options: OpenOptions;
  open(over?: Partial<OpenOptions>): Promise<EventLog>;
  read(): Promise<EventLog>;
  /** Copies the log's directory, not the anchors, as a backup does. */
  save(name: string): void;
  /** Puts such a copy in the place of the log. */
  restore(name: string): void;
};

/** `under`: where to make it; a temporary folder otherwise. */
export async function scratchLog(under = tmpdir()): Promise<ScratchLog> {
  const folder = mkdtempDisposableSync(join(under, 'ringmesh-log-'));
  const [directory, anchors] = [join(folder.path, 'log'), join(folder.path, 'anchors')];
  const options = { anchors, reserveBytes: 4_096 };
  await createLog(directory, { anchors }, systemRandom);
  return {
    ...{ path: folder.path, directory, anchors, options },
    open: (over = {}) => openLog(directory, { ...options, ...over }, ports),
    read: () => openReader(directory, systemClock),
    save: (name) => cpSync(directory, join(folder.path, name), { recursive: true }),
    restore(name) {
      rmSync(directory, { recursive: true });
      cpSync(join(folder.path, name), directory, { recursive: true });
    },
    async [Symbol.asyncDispose]() {
      folder.remove();
    },
  };
}

/** Leaves the pen of a log in the hand of some process, as its death does. */
export async function leavePen(directory: string, holder: ProcessIdentity | 'somebody'): Promise<void> {
  const env = open({ path: join(directory, 'epoch-0'), maxDbs: 8, encoding: 'binary', keyEncoding: 'binary' });
  const meta = env.openDB({ name: 'meta', encoding: 'binary', keyEncoding: 'binary' });
  const value = holder === 'somebody' ? Buffer.from('{}') : writerValue({ ...holder, nonce: 'x' });
  meta.putSync(utf8('writer'), value);
  await env.close();
}
