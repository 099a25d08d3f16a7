/** `init`: a project on disk, made from `project.ts`. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import type { Shell } from '../shell.ts';
import { type Needs, packageName, projectFiles } from './project.ts';

type Options = { readonly ringmesh?: string; readonly json?: boolean };

/** Writes nothing over anything. @throws `project.exists` */
export async function init(shell: Shell, directory: string, { ringmesh, json = false }: Options): Promise<void> {
  await mustBeEmpty(directory);
  const name = packageName(basename(resolve(directory)));
  const files = projectFiles(name, await needs(ringmesh));
  await mkdir(directory, { recursive: true });
  for (const [path, text] of files) await writeFile(join(directory, path), text, { flag: 'wx' });
  const names = [...files.keys()];
  if (json) {
    await shell.out.write(`${JSON.stringify({ schema: 'ringmesh.init/1', name, directory, files: names })}\n`);
    return;
  }
  await shell.out.write(names.map((path) => `${join(directory, path)}\n`).join(''));
  await shell.notes.write(`\nNow: cd ${directory} && npm install && npm start && npm test\n`);
}

async function mustBeEmpty(directory: string): Promise<void> {
  try {
    if ((await readdir(directory)).length === 0) return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    if (!hasCode(error, 'ENOTDIR')) throw error;
  }
  throw new CodedError('project.exists', `expected an empty or missing directory, found something at ${directory}`);
}

/** The versions that this package was made with. */
async function needs(ringmesh: string | undefined): Promise<Needs> {
  const manifest = new URL(import.meta.resolve('ringmesh/package.json'));
  const { version, engines, dependencies, devDependencies } = JSON.parse(await readFile(manifest, 'utf8')) as Manifest;
  return {
    node: engines.node,
    ringmesh: ringmesh ?? `^${version}`,
    zod: dependencies['zod'] ?? '*',
    typescript: devDependencies['typescript'] ?? '*',
    nodeTypes: devDependencies['@types/node'] ?? '*',
  };
}

type Manifest = {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly dependencies: { readonly [name: string]: string };
  readonly devDependencies: { readonly [name: string]: string };
};
