import { type KeyFolder, readKeyFolder } from '../../../mesh/key-folder.ts';
import { hasCode, messageOf } from '../../../runtime/core/errors.ts';
import { type Check, fail, ok } from './check.ts';

/** Who else could read or change a folder of keys. Opens none of them. */
export function lookAtKeys(directory: string): readonly Check[] {
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
