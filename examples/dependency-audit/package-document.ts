/**
 * What a registry says about a package, reduced to what the judge needs. Documents run to tens of megabytes (every version
 * ever published, with its manifest); what is kept of one is a few hundred bytes, so that events stay small.
 *
 * Registries differ in how much they tell: mirrors leave out maintainers, old documents have no integrity. What is not
 * told is `null`, never a guess.
 */
import { formatDigest, type Refusal, type Result, sha256 } from 'ringmesh/runtime';
import { z } from 'zod';
import { parseInstant } from './instant.ts';
import { integrityOfShasum } from './integrity.ts';
import { asMembers, type Members, member, memberOf, parseJson, textOf } from './json-data.ts';
import { licenceOf } from './licence.ts';
import { parseVersion } from './version.ts';

const INTEGRITY_LENGTH_MAX = 500;
const MESSAGE_LENGTH_MAX = 300;
const text = z.string().max(1_000);

export const VersionFacts = z.strictObject({
  version: text,
  integrity: text.nullable(),
  /** Why it should not be used any more, in the words of who published it. */
  deprecated: text.nullable(),
  /** Which scripts run when it is installed. */
  installScripts: z.array(text).max(4),
  licence: text.nullable(),
  publishedAt: z.int().nullable(),
});

export const PackageFacts = z.strictObject({
  name: text,
  /** SHA-256 of the whole document, base64url, and its size. */
  digest: text,
  bytes: z.int(),
  /** The version that `npm install` would take today. */
  latest: VersionFacts.nullable(),
  /** The versions that were asked for, as far as they are there. */
  versions: z.array(VersionFacts).max(1_000),
  versionsTotal: z.int(),
  lastPublishAt: z.int().nullable(),
  maintainers: z.int().nullable(),
  /** Taken back as a whole by who published it. */
  isUnpublished: z.boolean(),
});

export type VersionFacts = z.infer<typeof VersionFacts>;
export type PackageFacts = z.infer<typeof PackageFacts>;

/** Scripts that npm runs on the machine of whoever installs. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'] as const;

/** Reads a package document. Never throws on what it says. */
export function readDocument(
  bytes: Uint8Array,
  asked: { readonly name: string; readonly versions: readonly string[] },
): Result<PackageFacts, Refusal> {
  const json = parseJson(bytes);
  if (!json.ok) return refuse(json.error.message, json.error.offset);
  const document = asMembers(json.value);
  if (document === undefined) return refuse('expected an object, found other JSON');
  const name = member(document, 'name');
  if (name !== asked.name) return refuse(`expected the document of ${asked.name}, found another name in it`);
  const times = memberOf(document, 'time');
  const versions = memberOf(document, 'versions');
  const isUnpublished = memberOf(times, 'unpublished') !== undefined;
  if (versions === undefined && !isUnpublished) return refuse('expected an object "versions", found none');
  const factsOf = (version: string): readonly VersionFacts[] =>
    readVersion(memberOf(versions, version), version, times);
  const latest = textOf(memberOf(document, 'dist-tags'), 'latest', 256);
  return {
    ok: true,
    value: {
      name: asked.name,
      digest: formatDigest(sha256(bytes)),
      bytes: bytes.length,
      latest: (latest === undefined ? undefined : factsOf(latest)[0]) ?? null,
      versions: [...new Set(asked.versions)].flatMap(factsOf),
      versionsTotal: versions === undefined ? 0 : Object.keys(versions).length,
      lastPublishAt: lastOf(times, versions),
      maintainers:
        countOf(member(document, 'maintainers')) ?? countOf(member(memberOf(versions, latest ?? ''), 'maintainers')),
      isUnpublished,
    },
  };
}

function readVersion(
  manifest: Members | undefined,
  version: string,
  times: Members | undefined,
): readonly VersionFacts[] {
  if (manifest === undefined) return [];
  const dist = memberOf(manifest, 'dist');
  const shasum = textOf(dist, 'shasum', 40);
  const scripts = memberOf(manifest, 'scripts');
  const ran: string[] = INSTALL_SCRIPTS.filter((script) => textOf(scripts, script, 10) !== undefined);
  if (ran.length === 0 && member(manifest, 'hasInstallScript') === true) ran.push('install');
  return [
    {
      version,
      integrity:
        textOf(dist, 'integrity', INTEGRITY_LENGTH_MAX) ??
        (shasum === undefined ? undefined : integrityOfShasum(shasum)) ??
        null,
      deprecated: deprecationOf(manifest) ?? null,
      installScripts: ran,
      licence: licenceOf(manifest) ?? null,
      publishedAt: parseInstant(member(times, version)) ?? null,
    },
  ];
}

/** A message, or `true` from some registries. An empty message takes a deprecation back. */
function deprecationOf(manifest: Members): string | undefined {
  const isBare = member(manifest, 'deprecated') === true;
  return isBare ? 'no reason given' : textOf(manifest, 'deprecated', MESSAGE_LENGTH_MAX);
}

/** The time of the newest version that is still there; `created` and `modified` stand among the versions. */
function lastOf(times: Members | undefined, versions: Members | undefined): number | null {
  let last: number | null = null;
  for (const [version, value] of Object.entries(times ?? {})) {
    const at = parseInstant(value);
    if (at === undefined || parseVersion(version) === undefined || memberOf(versions, version) === undefined) continue;
    if (last === null || at > last) last = at;
  }
  return last;
}

function countOf(maintainers: unknown): number | null {
  return Array.isArray(maintainers) ? maintainers.length : null;
}

function refuse(message: string, offset?: number): Result<never, Refusal> {
  return { ok: false, error: { code: 'registry.malformed', message, ...(offset === undefined ? {} : { offset }) } };
}
