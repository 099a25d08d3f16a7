/**
 * Which registry npm would ask, and how: no address stands in this code. npm merges its own files, the user's and the
 * project's, so npm is asked.
 */
import { execFile } from 'node:child_process';
import { CodedError, type Refusal, type Result } from 'ringmesh/runtime';
import { asMembers, member, parseJson, textOf } from './json-data.ts';
import { type PackageName, scopeOf } from './package-name.ts';

export type NpmConfig = {
  /** Where packages come from whose scope has no registry of its own. */
  readonly registry: URL;
  readonly scopes: ReadonlyMap<string, URL>;
  /** Proxies for http: and https:, and the hosts that are reached without one; `undefined` leaves it to the environment. */
  readonly proxy: string | undefined;
  readonly httpsProxy: string | undefined;
  readonly noProxy: string | undefined;
  /** The file of the certificates to trust, instead of those that Node ships. */
  readonly cafile: string | undefined;
};

/** The registry that a name is asked of. */
export function registryOf(config: NpmConfig, name: PackageName): URL {
  const scope = scopeOf(name);
  return (scope === undefined ? undefined : config.scopes.get(scope)) ?? config.registry;
}

/** What `npm config list --json` says in `folder`, the project's. npm needs a second, and nothing of the project runs.
 *  @throws {CodedError} `npm.config_unreadable` */
export async function readNpmConfig(folder: string, signal: AbortSignal): Promise<NpmConfig> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const options = { cwd: folder, encoding: 'buffer', maxBuffer: 1024 * 1024, signal } as const;
  execFile('npm', ['config', 'list', '--json'], options, (error, stdout) => {
    if (error === null) return resolve(stdout);
    return reject(unreadable(`expected npm to tell its configuration, found: ${error.message}`, error));
  });
  const parsed = parseNpmConfig(await promise);
  if (!parsed.ok) throw unreadable(parsed.error.message);
  return parsed.value;
}

/** Reads what npm said. Credentials are neither there nor looked for. */
export function parseNpmConfig(bytes: Uint8Array): Result<NpmConfig, Refusal> {
  const json = parseJson(bytes);
  const config = json.ok ? asMembers(json.value) : undefined;
  const registry = parseBase(member(config, 'registry'));
  if (config === undefined || registry === undefined) {
    return refuse('expected the http(s) address of a registry without credentials, found none');
  }
  const scopes = new Map<string, URL>();
  for (const [key, value] of Object.entries(config)) {
    const scope = /^(@[^/:]+):registry$/.exec(key)?.[1];
    if (scope === undefined) continue;
    const base = parseBase(value);
    if (base === undefined)
      return refuse(`expected an address for the registry of ${scope}, found none that can be used`);
    scopes.set(scope, base);
  }
  const text = (key: string): string | undefined => textOf(config, key, 2_000);
  return {
    ok: true,
    value: {
      registry,
      scopes,
      proxy: text('proxy'),
      httpsProxy: text('https-proxy'),
      noProxy: text('noproxy'),
      cafile: text('cafile'),
    },
  };
}

/** An address that paths can be put after: it ends in a slash, and carries neither credentials, a query nor a fragment. */
function parseBase(value: unknown): URL | undefined {
  const url = typeof value === 'string' ? URL.parse(value.endsWith('/') ? value : `${value}/`) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  return url.username === '' && url.password === '' && url.search === '' && url.hash === '' ? url : undefined;
}

function refuse(message: string): Result<never, Refusal> {
  return { ok: false, error: { code: 'npm.config_unreadable', message } };
}

function unreadable(message: string, cause?: Error): CodedError {
  return new CodedError('npm.config_unreadable', message, cause === undefined ? {} : { cause });
}
