/** A value that a swarm file names by its module and export, or the reason why not, with the line that names it. */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nearest } from '../../policies/expression/nearest.ts';
import { CodedError, messageOf } from '../../runtime/core/errors.ts';
import type { ModuleInput } from '../file/shape.ts';
import type { SwarmFile } from '../file/swarm-file.ts';

/** @throws {CodedError} `swarm.module_unusable` */
export async function exportOf(
  swarm: SwarmFile,
  { module, export: name }: ModuleInput,
  where: string,
): Promise<unknown> {
  const path = resolve(swarm.folder, module);
  if (!existsSync(path)) throw unusable(where, `expected a module ${path}, found none`);
  const exports = await importFrom(path, where);
  if (Object.hasOwn(exports, name)) return exports[name];
  const known = Object.keys(exports);
  throw unusable(where, `expected ${name} among the exports ${known.join(', ')} of ${module}${meant(name, known)}`);
}

async function importFrom(path: string, where: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('swarm.module_unusable', `${where}: ${path} could not be imported: ${messageOf(cause)}`, {
      cause,
    });
  }
}

export function unusable(where: string, message: string): CodedError {
  return new CodedError('swarm.module_unusable', `${where}: ${message}`);
}

export function meant(found: string, known: readonly string[]): string {
  const hint = nearest(found, known);
  return hint === undefined ? '' : `; did you mean ${hint}?`;
}

/** `swarm.yaml:7` */
export function placeOf(swarm: SwarmFile, path: readonly (string | number)[]): string {
  const line = swarm.lineOf(path);
  return line === undefined ? swarm.file : `${swarm.file}:${line}`;
}

/** @throws {CodedError} `file.too_large` · what the disk says */
export async function readBounded(path: string, max: number): Promise<Uint8Array> {
  const { size } = await stat(path);
  if (size <= max) return await readFile(path);
  throw new CodedError('file.too_large', `expected at most ${max} bytes in ${path}, found ${size}`);
}
