/** Passphrases come from files that are their owner's alone, or from stdin. Never from arguments: others see those. */
import { readFile, stat } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { readKeyFile } from '../../../mesh/key-file.ts';
import type { KeyPair } from '../../../runtime/codec/ed25519.ts';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import type { Shell } from '../shell.ts';

export type PassphraseOptions = { readonly passphraseFile?: string };
export type SponsorOptions = { readonly sponsor?: string; readonly sponsorPassphraseFile?: string };

/** The first line of the file, if one was named.
 *  @throws `file.not_found` · `key.exposed`: others can read the file · `key.bad_passphrase`: nothing in it, or too much */
export async function readPassphrase(
  shell: Shell,
  { passphraseFile: path }: PassphraseOptions,
): Promise<{ readonly passphrase?: string }> {
  if (path === undefined) return {};
  const content = path === '-' ? await text(shell.input()) : await readPrivately(path);
  const [passphrase = ''] = content.split(/\r?\n/);
  if (passphrase !== '' && passphrase.length <= CHARACTERS_MAX) return { passphrase };
  throw new CodedError('key.bad_passphrase', `expected 1 to ${CHARACTERS_MAX} characters in the first line of ${path}`);
}

/** The sponsor's key, if one was named. */
export async function readSponsor(shell: Shell, options: SponsorOptions): Promise<{ readonly sponsor?: KeyPair }> {
  const { sponsor, sponsorPassphraseFile: passphraseFile } = options;
  if (sponsor === undefined) return {};
  const { passphrase } = await readPassphrase(shell, passphraseFile === undefined ? {} : { passphraseFile });
  return { sponsor: readKeyFile(sponsor, 'sponsor', passphrase) };
}

/** Nobody types more, and a file that holds more was named by mistake. */
const CHARACTERS_MAX = 1024;

/** A link or a pipe is fine, `<(pass show …)` makes both; what is at its end must be the owner's alone. */
async function readPrivately(path: string): Promise<string> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) === 0) return await readFile(path, 'utf8');
    const found = (mode & 0o777).toString(8);
    throw new CodedError('key.exposed', `expected ${path} to be its owner's alone (0600), found ${found}`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('file.not_found', `expected a passphrase in ${path}, found no file`, { cause: error });
  }
}
