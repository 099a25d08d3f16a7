/** The NATS server of this machine, if it has one that can carry a realm. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { readServer } from '../../mesh/nats-server.ts';
import { CodedError } from '../../runtime/core/errors.ts';

export type BrokerBinary = { readonly path: string; readonly version: string };

/**
 * The first `nats-server` that is new enough: in the folders of `searchPath` (the PATH variable), then where systems put
 * servers. Folders that are not absolute are passed over: what lies in the working directory was perhaps put there.
 * @throws {CodedError} `broker.not_found` · `transport.old_server`: there are only older ones
 */
export async function findBroker(searchPath: string | undefined, name = 'nats-server'): Promise<BrokerBinary> {
  const folders = [...(searchPath ?? '').split(delimiter).filter(isAbsolute), ...USUAL];
  const old: string[] = [];
  for (const path of new Set(folders.map((folder) => join(folder, name)))) {
    const version = await versionOf(path);
    if (version === undefined) continue;
    const server = readServer({ version, max_payload: 0 });
    if (server.ok) return { path, version };
    old.push(`${path} (${version})`);
  }
  if (old.length > 0) {
    throw new CodedError('transport.old_server', `expected nats-server 2.9.10 or newer, found ${old.join(', ')}`);
  }
  throw new CodedError(
    'broker.not_found',
    `expected ${name} 2.9.10 or newer on the PATH or in ${USUAL.join(', ')}: install it, or give the URL of one that runs`,
  );
}

const USUAL = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin'];
const VERSION_MS_MAX = 5_000;

/** What `nats-server -v` says: `nats-server: v2.9.10`. `undefined` where there is no program, or another one. */
async function versionOf(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    const { stdout } = await run(path, ['-v'], { timeout: VERSION_MS_MAX, env: {} });
    return /^nats-server: v(\d+\.\d+\.\d+[\w.-]*)$/m.exec(stdout)?.[1];
  } catch (error) {
    if (error instanceof Error) return undefined; // not there, not for us, or not what its name says
    throw error;
  }
}

const run = promisify(execFile);
