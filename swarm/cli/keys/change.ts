import { revokeAgent, rotateAgentKeys } from '../../../mesh/key-folder.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import type { Shell } from '../shell.ts';
import { type PassphraseOptions, readPassphrase, readSponsor, type SponsorOptions } from './passphrase.ts';
import { showKeys } from './show.ts';

/** `keys rotate`: the key in force and the next one both sign. */
export async function rotateKeys(
  shell: Shell,
  directory: string,
  options: PassphraseOptions & { readonly json?: boolean },
): Promise<void> {
  rotateAgentKeys(directory, await readPassphrase(shell, options), PORTS);
  await showKeys(shell, directory, options);
}

/** `keys revoke`: by the key in force, or by the sponsor's where one is named. */
export async function revokeKeys(
  shell: Shell,
  directory: string,
  options: PassphraseOptions & SponsorOptions & { readonly reason: string; readonly json?: boolean },
): Promise<void> {
  const by = { ...(await readPassphrase(shell, options)), ...(await readSponsor(shell, options)) };
  revokeAgent(directory, { reason: options.reason, ...by }, PORTS);
  await showKeys(shell, directory, options);
}

const PORTS = { clock: systemClock, random: systemRandom };
