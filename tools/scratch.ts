/** Directories for the tests of the gates: gone when their scope ends. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempDisposableSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { filesOf } from './tidy.ts';

const root = resolve(import.meta.dirname, '..');

export type Scratch = Disposable & { readonly path: string };

/** An empty directory with these files, and the packages of the clone. */
export function scratch(files: Readonly<Record<string, string>> = {}): Scratch {
  const directory = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-'));
  symlinkSync(join(root, 'node_modules'), join(directory.path, 'node_modules'));
  plant(directory, files);
  return directory;
}

/** What a commit of everything here would hold, in a git repository of its own. */
export function copyOfTree(): Scratch {
  const copy = scratch();
  for (const file of filesOf(root)) cpSync(join(root, file), join(copy.path, file));
  execFileSync('git', ['init', '--quiet'], { cwd: copy.path });
  return copy;
}

export function plant(directory: Scratch, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}
