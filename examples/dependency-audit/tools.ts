/**
 * The code behind the audit's tools, made of the settings of `swarm.yaml`. It runs in the node's process, never in an
 * agent's. All three are idempotent, so a throw means `failed` with the error's code.
 */
import { dirname } from 'node:path';
import process from 'node:process';
import {
  CodedError,
  type ProvidedTool,
  provide,
  type Refusal,
  type Result,
  systemClock,
  systemRandom,
} from 'ringmesh/runtime';
import { readBounded } from './bounded-read.ts';
import { ConfinedFolder } from './confined-folder.ts';
import { fetchFacts, readLock, writeReport } from './contracts.ts';
import { LOCK_BYTES_MAX, type Lock, parseLock } from './lock-file.ts';
import { type NpmConfig, readNpmConfig } from './npm-config.ts';
import { readDocument } from './package-document.ts';
import { isPackageName } from './package-name.ts';
import { REGISTRY_LIMITS, Registry } from './registry.ts';

/** `lock.read`, of the one file. A lock that cannot be read is told at once, before anything is made. */
export async function lockTools({ lock }: { readonly lock: string }): Promise<readonly ProvidedTool[]> {
  await readLockAt(lock);
  return [lockReader(lock)];
}

export type RegistrySettings = {
  readonly lock: string;
  /** The folder whose npm configuration says which registry; empty for that of the lock. */
  readonly project: string;
  /** Requests a second, and how many at once after a pause. */
  readonly rate: number;
  readonly burst: number;
  /** Before what failed is tried again, in ms; doubles. */
  readonly backoff: number;
  /** For one request, in ms. */
  readonly timeout: number;
};

/** npm needs a second to tell its configuration. */
const NPM_MS_MAX = 60_000;

/** `registry.facts`, the only tool that leaves the machine. */
export async function registryTools({ lock, project, rate, burst, backoff, timeout }: RegistrySettings) {
  const config = await npmConfigOf(project === '' ? dirname(lock) : project);
  const limits = { ...REGISTRY_LIMITS, perSecond: rate, burst, backoffMs: backoff, requestMs: timeout };
  const ports = { clock: systemClock, random: systemRandom, environment: process.env };
  const registry = new Registry({ config, ...ports }, limits);
  return { tools: [factsFinder(registry)], [Symbol.dispose]: () => registry[Symbol.dispose]() };
}

async function npmConfigOf(folder: string): Promise<NpmConfig> {
  const late = new AbortController();
  const why = new CodedError('npm.config_unreadable', `expected npm to tell its configuration in ${NPM_MS_MAX} ms`);
  using _ = systemClock.after(NPM_MS_MAX, () => late.abort(why));
  return await readNpmConfig(folder, late.signal);
}

/** `report.write`, into the one folder. */
export async function reportTools({ out }: { readonly out: string }): Promise<readonly ProvidedTool[]> {
  return [reportWriter(await ConfinedFolder.open(out))];
}

/** @throws {CodedError} `file.*` · `lock.*` */
export async function readLockAt(path: string): Promise<Lock> {
  return orThrow(parseLock(await readBounded(path, LOCK_BYTES_MAX)), `${path}: `);
}

export function lockReader(path: string): ProvidedTool {
  return provide(readLock, () => readLockAt(path));
}

export function factsFinder(registry: Registry): ProvidedTool {
  return provide(fetchFacts, async ({ name, versions }, { signal }) => {
    if (!isPackageName(name))
      throw new CodedError('registry.bad_name', `expected a package's name, found ${JSON.stringify(name)}`);
    const fetched = await registry.fetch(name, signal);
    if (fetched.type === 'absent') return fetched;
    return { type: 'facts', facts: orThrow(readDocument(fetched.bytes, { name, versions })) } as const;
  });
}

export function reportWriter(out: ConfinedFolder): ProvidedTool {
  return provide(writeReport, ({ path, text }) => out.write(path, text));
}

function orThrow<T>(result: Result<T, Refusal>, where = ''): T {
  if (result.ok) return result.value;
  throw new CodedError(result.error.code, `${where}${result.error.message}`);
}
