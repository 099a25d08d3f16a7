import { parseVerifierKey, type Verifier } from '../../../runtime/codec/note.ts';
import { view } from '../../../runtime/core/bytes.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { readInput } from '../read-input.ts';
import type { Shell } from '../shell.ts';

/** The key that the user trusts, from `--vkey` or `--vkey-file`; `undefined` where neither was given.
 *  @throws `usage.invalid` · `note.malformed_key` · `key.*` · `file.not_found` */
export async function verifierOf(
  shell: Shell,
  { vkey, vkeyFile }: { readonly vkey?: string; readonly vkeyFile?: string },
): Promise<Verifier | undefined> {
  if (vkey !== undefined && vkeyFile !== undefined) {
    throw new CodedError('usage.invalid', 'expected --vkey or --vkey-file, found both');
  }
  const line =
    vkeyFile === undefined
      ? vkey
      : view(await readInput(shell, vkeyFile))
          .toString('utf8')
          .trimEnd();
  if (line === undefined) return undefined;
  const verifier = parseVerifierKey(line);
  if (verifier.ok) return verifier.value;
  throw new CodedError(verifier.error.code, verifier.error.message);
}
