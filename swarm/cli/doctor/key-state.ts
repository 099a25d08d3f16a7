import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type KeyFolder, readKeyFolder } from '../../../mesh/key-folder.ts';
import { isUnfinished } from '../../../mesh/new-file.ts';
import { hasCode, messageOf } from '../../../runtime/core/errors.ts';
import { type Check, fail, ok } from './check.ts';

/** Who else could read or change a folder of keys, or any of a realm's. Opens none of them. */
export function lookAtKeys(directory: string): readonly Check[] {
  if (existsSync(join(directory, 'realm.json'))) return foldersOf(directory).flatMap(lookAtFolder);
  return lookAtFolder(directory);
}

/** Of a realm, as far as they are here: the operator's, each node's, each agent's. A node's machine has its own alone. */
function foldersOf(realm: string): readonly string[] {
  const within = (folder: string): readonly string[] => {
    const names = existsSync(folder) ? readdirSync(folder) : [];
    return names.filter((name) => !isUnfinished(name)).map((name) => join(folder, name));
  };
  const nodes = within(join(realm, 'nodes'));
  const operator = join(realm, 'operator');
  return [
    ...(existsSync(operator) ? [operator] : []),
    ...nodes,
    ...nodes.flatMap((node) => within(join(node, 'agents'))),
  ];
}

function lookAtFolder(directory: string): readonly Check[] {
  try {
    return judgeKeys(directory, readKeyFolder(directory));
  } catch (error) {
    if (!hasCode(error)) throw error;
    return [fail('keys', `${error.code}: ${messageOf(error)}`, `ringmesh explain ${error.code}`)];
  }
}

export function judgeKeys(
  directory: string,
  { kind, did, keys, flaws }: Pick<KeyFolder, 'kind' | 'did' | 'keys' | 'flaws'>,
): readonly Check[] {
  if (flaws.length === 0) return [ok('keys', `${keys.size} files of the ${kind} ${did}, its owner's alone`)];
  const remedy = `chmod 700 ${directory} && chmod 600 ${directory}/*.key; if others had the time to read them, replace them`;
  return flaws.map((flaw) => fail('keys', flaw, remedy));
}
