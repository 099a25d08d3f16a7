/**
 * How a swarm runs, from four places: what a flag says, else the environment, else the file, else the default; and which it was.
 *
 * S1. A secret comes from a file, and nothing else: arguments and environments are seen by others.
 * S2. What is from the file starts from its folder; what is from a flag or the environment, from the working directory.
 */
import { isAbsolute, join, resolve } from 'node:path';
import { nearest } from '../../policies/expression/nearest.ts';
import { type Duration, toMillis } from '../../runtime/actor/duration.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import { findRole, type RoleToRun } from './roles.ts';
import { SwarmShape } from './shape.ts';
import { isLoopback, quorumMessage, type SwarmFile } from './swarm-file.ts';

export type Origin = 'flag' | 'environment' | 'file' | 'default';

export type Configured<T> = {
  readonly value: T;
  readonly origin: Origin;
  /** `--log`, `RINGMESH_LOG`, `swarm.yaml:7`; absent for a default. */
  readonly from?: string;
};

/** What a tool is told: a value, or the file that has it. */
export type SettingValue = string | number | boolean | { readonly secret: string };

export type Configuration = {
  readonly log: Configured<string>;
  readonly anchors: Configured<string>;
  readonly keys: Configured<string>;
  readonly broker: Configured<string>;
  /** The role that is run, or a slot of one; none: everything, in one node. */
  readonly only: Configured<string | null>;
  readonly drain: Configured<Duration>;
  /** A port of loopback, or `address:port`; none: nobody is told. */
  readonly health: Configured<number | string | null>;
  readonly settings: { readonly [name: string]: Configured<SettingValue> };
};

export type Flags = {
  readonly log?: string;
  readonly anchor?: string;
  readonly keys?: string;
  readonly broker?: string;
  readonly only?: string;
  readonly drain?: string;
  readonly health?: string;
  /** `NAME=VALUE` */
  readonly set?: readonly string[];
};

export type Surroundings = {
  readonly env: { readonly [name: string]: string | undefined };
  readonly cwd: string;
  readonly home: string;
};

/** @throws {CodedError} `config.malformed` · `config.secret_inline` (S1) · `swarm.no_such_role` · `swarm.quorum_too_small` */
export function configure(swarm: SwarmFile, flags: Flags, { env, cwd, home }: Surroundings): Configuration {
  refuseSecrets(env);
  const fromFile = (path: string): string => resolve(swarm.folder, path); // S2
  const fromHere = (path: string): string => resolve(cwd, path);
  const same = (text: string): string => text;
  const pick = (
    key: 'log' | 'anchor' | 'keys' | 'broker' | 'only' | 'drain' | 'health',
    fallback: string,
    { written, isPath = false }: { readonly written?: string | undefined; readonly isPath?: boolean } = {},
  ): Configured<string> => {
    const variable = `RINGMESH_${key.toUpperCase()}`;
    const [flag, ambient] = [flags[key], env[variable]];
    if (flag !== undefined) return { value: (isPath ? fromHere : same)(flag), origin: 'flag', from: `--${key}` };
    if (ambient !== undefined && ambient !== '') {
      return { value: (isPath ? fromHere : same)(ambient), origin: 'environment', from: variable };
    }
    if (written === undefined) return { value: fallback, origin: 'default' };
    const from = placeOf(swarm, [key === 'anchor' ? 'anchors' : key]);
    return { value: (isPath ? fromFile : same)(written), origin: 'file', from };
  };
  const { realm } = swarm;
  const state = isAbsolute(env['XDG_STATE_HOME'] ?? '') ? (env['XDG_STATE_HOME'] ?? '') : join(home, '.local', 'state');
  const only = pick('only', '');
  const role = only.value === '' ? null : only.value;
  const suffix = role === null ? '' : `-${roleNamed(swarm, role).role}`;
  const log = pick('log', fromFile(`.ringmesh/${realm}${suffix}`), { written: swarm.log, isPath: true });
  const broker = pick('broker', 'none', { written: swarm.broker });
  if (!SwarmShape.shape.broker.safeParse(broker.value).success) {
    throw malformed(broker, 'none, spawn or host:port');
  }
  if (swarm.quorum.quorum === 1 && !isLoopback(broker.value)) {
    throw new CodedError('swarm.quorum_too_small', quorumMessage(broker.value));
  }
  const health = pick('health', '', { written: swarm.health === undefined ? undefined : String(swarm.health) });
  const drain = pick('drain', '10s', { written: swarm.drain });
  return {
    // Two nodes never write one log: each role has its own beside the one that the file names.
    log: log.origin === 'file' ? { ...log, value: `${log.value}${suffix}` } : log,
    anchors: pick('anchor', join(state, 'ringmesh', 'anchors'), { written: swarm.anchors, isPath: true }),
    keys: pick('keys', fromFile(`.ringmesh/${realm}-keys`), { written: swarm.keys, isPath: true }),
    broker,
    only: { ...only, value: role },
    drain: { ...drain, value: durationOf(drain) },
    health: { ...health, value: healthOf(health) },
    settings: settingsOf(swarm, flags.set ?? [], { env, cwd, home }),
  };
}

function settingsOf(swarm: SwarmFile, set: readonly string[], { env, cwd }: Surroundings): Configuration['settings'] {
  const declared = swarm.settings ?? {};
  const given = new Map<string, string>();
  for (const one of set) {
    const at = one.indexOf('=');
    const name = one.slice(0, Math.max(0, at));
    if (!Object.hasOwn(declared, name)) {
      const known = Object.keys(declared);
      const hint = nearest(name, known);
      throw new CodedError(
        'config.malformed',
        `--set: expected NAME=VALUE with one of ${known.join(', ') || 'no names'}${hint === undefined ? '' : `; did you mean ${hint}?`}`,
      );
    }
    given.set(name, one.slice(at + 1));
  }
  return Object.fromEntries(
    Object.entries(declared).map(([name, written]): [string, Configured<SettingValue>] => {
      const variable = `RINGMESH_SET_${name.toUpperCase()}`;
      const [flag, ambient] = [given.get(name), env[variable]];
      const text = flag ?? ambient;
      const isSecret = typeof written === 'object' && 'secret' in written;
      if (isSecret && text !== undefined) throw inlineSecret(flag === undefined ? variable : `--set ${name}`);
      if (text === undefined) {
        const from = placeOf(swarm, ['settings', name]);
        if (typeof written !== 'object') return [name, { value: written, origin: 'file', from }];
        if ('path' in written) return [name, { value: resolve(swarm.folder, written.path), origin: 'file', from }];
        return [name, { value: { secret: resolve(swarm.folder, written.secret) }, origin: 'file', from }];
      }
      const where = flag === undefined ? variable : `--set ${name}`;
      const origin = flag === undefined ? 'environment' : 'flag';
      return [name, { value: valueLike(written, text, { where, cwd }), origin, from: where }];
    }),
  );
}

/** A text as the kind of value that the file has there. */
function valueLike(
  written: unknown,
  text: string,
  { where, cwd }: { readonly where: string; readonly cwd: string },
): string | number | boolean {
  if (typeof written === 'object') return resolve(cwd, text); // S2
  if (typeof written === 'string') return text;
  if (typeof written === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new CodedError('config.malformed', `${where}: expected true or false, found ${JSON.stringify(text)}`);
  }
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new CodedError('config.malformed', `${where}: expected a whole number, found ${JSON.stringify(text)}`);
}

/** S1: a name of ours that says what it holds. */
function refuseSecrets(env: Surroundings['env']): void {
  const name = Object.keys(env).find((key) => /^RINGMESH_.*(SECRET|PASSWORD|PASSPHRASE|TOKEN|PRIVATE_KEY)$/.test(key));
  if (name !== undefined) throw inlineSecret(name);
}

function inlineSecret(where: string): CodedError {
  return new CodedError('config.secret_inline', `${where}: expected a secret in a file that the swarm file names`);
}

/** @throws {CodedError} `swarm.no_such_role` */
export function roleNamed(swarm: SwarmFile, name: string): RoleToRun {
  const found = findRole(swarm, name);
  if (found !== undefined) return found;
  const roles = Object.keys(swarm.roles ?? {});
  const hint = nearest(name, roles);
  throw new CodedError(
    'swarm.no_such_role',
    `expected one of the roles ${roles.join(', ') || '(there are none)'}; found ${name}${hint === undefined ? '' : `; did you mean ${hint}?`}`,
  );
}

function healthOf(health: Configured<string>): number | string | null {
  const { value } = health;
  if (value === '') return null;
  const at = /^\d{1,5}$/.test(value) ? Number(value) : value;
  const parsed = SwarmShape.shape.health.safeParse(at);
  if (parsed.success && parsed.data !== undefined) return parsed.data;
  throw malformed(health, 'a port, 0 to 65535, or an address with one');
}

function durationOf(drain: Configured<string>): Duration {
  if (!SwarmShape.shape.drain.safeParse(drain.value).success) throw malformed(drain, 'a span of time such as 10s');
  const duration = drain.value as Duration;
  toMillis(duration);
  return duration;
}

/** Does not show what was found: it may have a password in it. */
function malformed({ from = 'default' }: Configured<string>, expected: string): CodedError {
  return new CodedError('config.malformed', `${from}: expected ${expected}, found something else`);
}

function placeOf(swarm: SwarmFile, path: readonly string[]): string {
  const line = swarm.lineOf(path);
  return line === undefined ? swarm.file : `${swarm.file}:${line}`;
}
