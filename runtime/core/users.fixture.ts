/** Other users than the one who runs the tests. Root can become one; everybody else is without privileges already. */
import { chownSync } from 'node:fs';
// biome-ignore lint/style/noRestrictedImports: who it acts as is for the process to say.
import process from 'node:process';
import { test } from 'vitest';

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;

/** As that user, if this is root. */
export function asUser<T>(user: number, run: () => T): T {
  if (isRoot) process.seteuid?.(user);
  try {
    return run();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

/** What may not be done to files: root does it anyway, so it is tried as nobody. */
export function withoutPrivileges<T>(run: () => T): T {
  return asUser(NOBODY, run);
}

/** Makes a file or folder that of whoever is without privileges. */
export function ownWithoutPrivileges(path: string): void {
  if (isRoot) chownSync(path, NOBODY, NOBODY);
}

/** A test that only root can make; to others its name says that it was skipped. */
export function testAsRoot(behaviour: string, body: () => void): void {
  test.skipIf(!isRoot)(isRoot ? behaviour : `${behaviour}: skipped, only root can try it`, body);
}
