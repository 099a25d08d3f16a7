/** Files and folders that come into being whole and durable, under a name that nothing had, or not at all. */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { toHex } from '../runtime/core/bytes.ts';
import { CodedError, hasCode } from '../runtime/core/errors.ts';
import type { Random } from '../runtime/core/random.ts';

/**
 * Writes `text` to a new file that is its owner's alone; content and name are on disk when it returns. A crash leaves no file
 * of that name, or the whole one; it may leave a file that ends in `.unfinished`, which nothing reads.
 * @throws {CodedError} `key.exists`: there is something of that name
 */
export function writeNewFile(path: string, text: string, random: Random): void {
  const unfinished = unfinishedName(path, random);
  writeFlushed(unfinished, text);
  try {
    linkSync(unfinished, path); // unlike a rename, it replaces nothing
  } catch (error) {
    throw hasCode(error, 'EEXIST') ? taken(path, error) : error;
  } finally {
    unlinkSync(unfinished);
  }
  flushNames(dirname(path));
}

/** Makes a folder with these files, by name; whole and durable, or not there.
 *  @throws {CodedError} `key.exists`: there is something of that name, other than an empty folder */
export function writeNewFolder(path: string, files: ReadonlyMap<string, string>, random: Random): void {
  const parent = dirname(path);
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const unfinished = unfinishedName(path, random);
  mkdirSync(unfinished, { mode: 0o700 });
  for (const [name, text] of files) writeFlushed(join(unfinished, name), text);
  flushNames(unfinished);
  try {
    renameSync(unfinished, path); // replaces an empty folder and nothing else
  } catch (error) {
    for (const name of files.keys()) unlinkSync(join(unfinished, name));
    rmdirSync(unfinished);
    throw TAKEN.some((code) => hasCode(error, code)) ? taken(path, error) : error;
  }
  flushNames(parent);
}

/** Removes a file, durably. One that is gone already is no error. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  flushNames(dirname(path));
}

/** Whether a crash has left it, so that it is nothing. */
export function isUnfinished(name: string): boolean {
  return name.endsWith(UNFINISHED);
}

const UNFINISHED = '.unfinished';
const TAKEN = ['EEXIST', 'ENOTEMPTY', 'ENOTDIR'];

function unfinishedName(path: string, random: Random): string {
  return join(dirname(path), `.${basename(path)}.${toHex(random.bytes(8))}${UNFINISHED}`);
}

function writeFlushed(path: string, text: string): void {
  const descriptor = openSync(path, 'wx', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function flushNames(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function taken(path: string, cause: unknown): CodedError {
  return new CodedError('key.exists', `expected nothing at ${path}, found something`, { cause });
}
