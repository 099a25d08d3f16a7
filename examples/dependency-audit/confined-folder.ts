/**
 * A folder that a tool may write into, and nowhere else.
 *
 * W1. What is written lies below the folder: names are plain, no step of the way is a link, and the real path is checked.
 * W2. A file is there whole or as it was: it is written aside, flushed, and renamed.
 * W3. Writing what is there already changes nothing, so a repeated attempt is harmless.
 *
 * Whoever can write into the folder while it is being written can still win a race between the check and the rename; the
 * folder is the operator's, and agents reach it only through here.
 */
import { Buffer } from 'node:buffer';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CodedError, formatDigest, hasCode, sha256 } from 'ringmesh/runtime';

export const FILE_BYTES_MAX = 16 * 1024 * 1024;
const DEPTH_MAX = 8;

export type Written = {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256, base64url. */
  readonly digest: string;
  readonly isChanged: boolean;
};

export class ConfinedFolder {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** The folder, made if it is missing. Only what lies below it is confined: it may itself be reached by a link. */
  static async open(folder: string): Promise<ConfinedFolder> {
    await mkdir(folder, { recursive: true });
    return new ConfinedFolder(await realpath(folder));
  }

  /**
   * Puts `text` at `path`, relative, with `/` between its steps.
   * @throws {CodedError} `file.outside` · `file.too_large` · `file.not_plain`
   */
  async write(path: string, text: string): Promise<Written> {
    const steps = stepsOf(path);
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.length > FILE_BYTES_MAX) {
      throw new CodedError('file.too_large', `expected at most ${FILE_BYTES_MAX} bytes, found ${bytes.length}`);
    }
    const parent = await this.#enter(steps.slice(0, -1));
    const target = join(parent, steps.at(-1) ?? '');
    const written = { path, bytes: bytes.length, digest: formatDigest(sha256(bytes)) };
    const present = await statOf(target);
    if (present !== undefined && !present.isFile()) throw notPlain(path);
    if (present?.size === bytes.length && bytes.equals(await readFile(target))) return { ...written, isChanged: false }; // W3
    await replace(target, bytes);
    return { ...written, isChanged: true };
  }

  /** Goes down step by step (W1), making what is missing. */
  async #enter(steps: readonly string[]): Promise<string> {
    let folder = this.#root;
    for (const step of steps) {
      folder = join(folder, step);
      try {
        await mkdir(folder);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
      if ((await statOf(folder))?.isDirectory() !== true) throw notPlain(step);
    }
    const real = await realpath(folder);
    if (real !== folder)
      throw new CodedError('file.outside', 'expected a path below the folder, found a link out of it');
    return folder;
  }
}

/** Plain names only: no empty step, no dots to climb with, no drive, no hidden file, no character that is not printed. */
function stepsOf(path: string): readonly string[] {
  const steps = path.split('/');
  const isPlain = steps.every((step) => /^[A-Za-z0-9_-][A-Za-z0-9._ -]{0,127}$/.test(step) && !step.endsWith('.'));
  if (isPlain && steps.length <= DEPTH_MAX) return steps;
  throw new CodedError(
    'file.outside',
    `expected a relative path of plain names, found ${JSON.stringify(path.slice(0, 200))}`,
  );
}

/** W2. */
async function replace(target: string, bytes: Uint8Array): Promise<void> {
  const aside = `${target}.part`;
  await rm(aside, { force: true }); // of an attempt that was killed
  const file = await open(
    aside,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o644,
  );
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, target);
  const folder = await open(dirname(target), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function statOf(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function notPlain(path: string): CodedError {
  return new CodedError('file.not_plain', `expected a plain file or folder at ${path}, found a link or something else`);
}
