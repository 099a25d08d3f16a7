/**
 * The lock file of an npm project, version 2 or 3, as a list of what it installs.
 *
 * L1. Every entry of the file is either a package of the list or in `skipped` with a reason. Nothing disappears.
 * L2. Names in the list are names that a registry may be asked for; versions are versions.
 */
import { formatDigest, type Refusal, type Result, sha256 } from 'ringmesh/runtime';
import { z } from 'zod';
import { asMembers, type Members, member, memberOf, oneLine, parseJson, textOf } from './json-data.ts';
import { licenceOf } from './licence.ts';
import { isPackageName } from './package-name.ts';
import { parseVersion } from './version.ts';

const text = z.string().max(1_000);

export const LockedPackage = z.strictObject({
  name: text,
  version: text,
  /** Where it is installed, relative to the project: `node_modules/a/node_modules/b`. */
  path: text,
  /** The name it is installed under, where that is another one. */
  alias: text.nullable(),
  integrity: text.nullable(),
  /** Where it was fetched from; many projects leave this out. */
  resolved: text.nullable(),
  licence: text.nullable(),
  isDev: z.boolean(),
  isOptional: z.boolean(),
  /** Comes inside the archive of the package that holds it, so the lock has no integrity for it. */
  isBundled: z.boolean(),
  hasInstallScript: z.boolean(),
});

const SKIP_REASONS = [
  'root',
  'workspace',
  'link',
  'git',
  'file',
  'address',
  'bad_name',
  'bad_version',
  'malformed',
] as const;

/** An entry that is not looked at, and why. */
export const Skipped = z.strictObject({ path: text, reason: z.enum(SKIP_REASONS), message: text });

export const Lock = z.strictObject({
  lockfileVersion: z.literal([2, 3]),
  /** SHA-256 of the file's bytes, base64url. */
  digest: text,
  /** By name, version and path. */
  packages: z.array(LockedPackage),
  skipped: z.array(Skipped),
});

export type LockedPackage = z.infer<typeof LockedPackage>;
export type Skipped = z.infer<typeof Skipped>;
export type Lock = z.infer<typeof Lock>;
type SkipReason = Skipped['reason'];

/** A project with a thousand dependencies has a lock of half a megabyte. */
export const LOCK_BYTES_MAX = 12 * 1024 * 1024;
const ENTRIES_MAX = 50_000;
const TEXT_LENGTH_MAX = 1_000;

const REASONS: Readonly<Record<SkipReason, string>> = {
  root: 'the project itself',
  workspace: 'a folder of the project',
  link: 'a link to a folder of the project',
  git: 'comes from a git repository, not from the registry',
  file: 'comes from a file, not from the registry',
  address: 'comes from an address of its own, not from the registry',
  bad_name: 'is no name that a registry can be asked for',
  bad_version: 'has no version that a registry could know',
  malformed: 'is no entry of a lock file',
};

/** Reads the bytes of a `package-lock.json`. Never throws on what they say. */
export function parseLock(bytes: Uint8Array): Result<Lock, Refusal> {
  if (bytes.length > LOCK_BYTES_MAX) {
    return refuse('lock.too_large', `expected at most ${LOCK_BYTES_MAX} bytes, found ${bytes.length}`);
  }
  const json = parseJson(bytes);
  if (!json.ok) return refuse('lock.malformed', json.error.message, json.error.offset);
  const root = asMembers(json.value);
  const lockfileVersion = member(root, 'lockfileVersion');
  if (lockfileVersion === 1) {
    return refuse(
      'lock.unsupported_version',
      'expected lockfileVersion 2 or 3, found 1: `npm install` writes a newer one',
    );
  }
  if (root === undefined || (lockfileVersion !== 2 && lockfileVersion !== 3)) {
    return refuse('lock.malformed', `expected an object with lockfileVersion 2 or 3, found ${shown(lockfileVersion)}`);
  }
  const entries = memberOf(root, 'packages');
  if (entries === undefined) return refuse('lock.malformed', 'expected an object "packages", found none');
  const paths = Object.keys(entries);
  if (paths.length > ENTRIES_MAX) {
    return refuse('lock.too_large', `expected at most ${ENTRIES_MAX} entries, found ${paths.length}`);
  }
  const read = paths.map((path) => readEntry(path, member(entries, path)));
  return {
    ok: true,
    value: {
      lockfileVersion,
      digest: formatDigest(sha256(bytes)),
      packages: read.flatMap(({ locked }) => (locked === undefined ? [] : [locked])).sort(byNameVersionPath),
      skipped: read
        .flatMap(({ skipped }) => (skipped === undefined ? [] : [skipped]))
        .sort((a, b) => compareText(a.path, b.path)),
    },
  };
}

/** L1: one of the two, always. */
type Entry =
  | { readonly locked: LockedPackage; readonly skipped?: undefined }
  | { readonly skipped: Skipped; readonly locked?: undefined };

function readEntry(path: string, value: unknown): Entry {
  const entry = asMembers(value);
  if (path === '') return skip(path, 'root');
  if (entry === undefined) return skip(path, 'malformed');
  if (member(entry, 'link') === true) return skip(path, 'link');
  const installedAs = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
  if (installedAs === undefined) return skip(path, 'workspace');
  const origin = originOf(textOf(entry, 'resolved', TEXT_LENGTH_MAX));
  if (origin !== undefined) return skip(path, origin);
  const name = textOf(entry, 'name', TEXT_LENGTH_MAX) ?? installedAs;
  if (!isPackageName(name)) return skip(path, 'bad_name');
  const version = textOf(entry, 'version', TEXT_LENGTH_MAX);
  if (version === undefined || parseVersion(version) === undefined) return skip(path, 'bad_version');
  return {
    locked: lockedOf(entry, {
      name,
      version,
      path: shown(path),
      alias: name === installedAs ? null : shown(installedAs),
    }),
  };
}

function lockedOf(entry: Members, known: Pick<LockedPackage, 'name' | 'version' | 'path' | 'alias'>): LockedPackage {
  const has = (key: string): boolean => member(entry, key) === true;
  return {
    ...known,
    integrity: textOf(entry, 'integrity', TEXT_LENGTH_MAX) ?? null,
    resolved: textOf(entry, 'resolved', TEXT_LENGTH_MAX) ?? null,
    licence: licenceOf(entry) ?? null,
    isDev: has('dev') || has('devOptional'),
    isOptional: has('optional') || has('devOptional'),
    isBundled: has('inBundle'),
    hasInstallScript: has('hasInstallScript'),
  };
}

/** Why what comes from there is nothing to ask a registry about. Archives of registries lie below `/-/` or `/download/`. */
function originOf(resolved: string | undefined): SkipReason | undefined {
  if (resolved === undefined) return undefined;
  if (/^(git[+:@]|github:|gitlab:|bitbucket:|gist:)/.test(resolved)) return 'git';
  if (/^file:/.test(resolved)) return 'file';
  return /^https?:\/\/[^?#]+\/(-|download)\/[^?#]+$/.test(resolved) ? undefined : 'address';
}

function skip(path: string, reason: SkipReason): Entry {
  return { skipped: { path: shown(path), reason, message: REASONS[reason] } };
}

function shown(value: unknown): string {
  return typeof value === 'string' ? (oneLine(value, TEXT_LENGTH_MAX) ?? '') : (JSON.stringify(value) ?? 'nothing');
}

function byNameVersionPath(a: LockedPackage, b: LockedPackage): number {
  return compareText(a.name, b.name) || compareText(a.version, b.version) || compareText(a.path, b.path);
}

/** By UTF-16 units: the same on every machine, whatever its language. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function refuse(code: string, message: string, offset?: number): Result<never, Refusal> {
  return { ok: false, error: { code, message, ...(offset === undefined ? {} : { offset }) } };
}
