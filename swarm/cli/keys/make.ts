import { createAgentFolder, createKeyFolder } from '../../../mesh/key-folder.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import type { Shell } from '../shell.ts';
import { type PassphraseOptions, readPassphrase, readSponsor, type SponsorOptions } from './passphrase.ts';
import { showKeys } from './show.ts';

/** `keys new operator` and `keys new node`. */
export async function makeKeys(
  shell: Shell,
  directory: string,
  options: PassphraseOptions & { readonly kind: 'operator' | 'node'; readonly json?: boolean },
): Promise<void> {
  const { kind } = options;
  createKeyFolder(directory, { kind, ...(await readPassphrase(shell, options)) }, systemRandom);
  await showKeys(shell, directory, options);
}

/** `keys new agent`. */
export async function makeAgent(
  shell: Shell,
  directory: string,
  options: PassphraseOptions & SponsorOptions & { readonly name: string; readonly json?: boolean },
): Promise<void> {
  const { name } = options;
  const [passphrase, { sponsor }] = [await readPassphrase(shell, options), await readSponsor(shell, options)];
  if (sponsor === undefined) throw new CodedError('usage.invalid', 'expected --sponsor');
  createAgentFolder(directory, { name, sponsor, ...passphrase }, { clock: systemClock, random: systemRandom });
  await showKeys(shell, directory, options);
}
