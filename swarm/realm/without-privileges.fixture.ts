/** What may not be done to files: root does it anyway, so it is tried as nobody. */
import { chownSync } from 'node:fs';
// biome-ignore lint/style/noRestrictedImports: whose files they are is for the process to say.
import process from 'node:process';

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;

export function withoutPrivileges<T>(run: () => T): T {
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    return run();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

/** Makes a file or folder that of whoever is without privileges. */
export function ownWithoutPrivileges(path: string): void {
  if (isRoot) chownSync(path, NOBODY, NOBODY);
}
