/** Versions as semver.org 2.0.0 writes them: enough to say how far one is behind another. */
export type Version = {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly prerelease: string;
};

const VERSION = /^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;
const VERSION_LENGTH_MAX = 256;

export function parseVersion(text: string): Version | undefined {
  const parts = text.length > VERSION_LENGTH_MAX ? null : VERSION.exec(text);
  if (parts === null) return undefined;
  const [, major, minor, patch, prerelease = ''] = parts;
  return { major: Number(major), minor: Number(minor), patch: Number(patch), prerelease };
}

export type Behind = { readonly majors: number; readonly minors: number; readonly patches: number };

/** How many steps `version` is behind `latest`, in the first place where they differ. All zero where it is not behind. */
export function behind(version: Version, latest: Version): Behind {
  const none = { majors: 0, minors: 0, patches: 0 };
  if (version.major !== latest.major) return { ...none, majors: Math.max(0, latest.major - version.major) };
  if (version.minor !== latest.minor) return { ...none, minors: Math.max(0, latest.minor - version.minor) };
  return { ...none, patches: Math.max(0, latest.patch - version.patch) };
}
