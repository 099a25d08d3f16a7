/** Who signs, by a folder of keys. */
import { join } from 'node:path';
import { readKeyFile } from '../../../mesh/key-file.ts';
import { openAgentKeys, readKeyFolder } from '../../../mesh/key-folder.ts';
import type { Did } from '../../../runtime/codec/did.ts';
import type { KeyPair } from '../../../runtime/codec/ed25519.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { type PassphraseOptions, readPassphrase } from '../keys/passphrase.ts';
import type { Shell } from '../shell.ts';

/** The DID and key of an operator or an agent.
 *  @throws `key.*` · `key.wrong_purpose`: the folder of a node, whose key signs messages and nothing else */
export async function openSigner(
  shell: Shell,
  folder: string,
  options: PassphraseOptions & { readonly as?: 'operator' | 'sponsor' },
): Promise<{ readonly did: Did; readonly pair: KeyPair }> {
  const { passphrase } = await readPassphrase(shell, options);
  const { kind, did } = readKeyFolder(folder);
  if (kind === 'agent') return { did, pair: openAgentKeys(folder, passphrase).key };
  if (kind === 'node')
    throw new CodedError('key.wrong_purpose', `expected the keys of an operator or an agent: ${folder}`);
  const purpose = options.as ?? 'operator';
  return { did, pair: readKeyFile(join(folder, `${purpose}.key`), purpose, passphrase) };
}
