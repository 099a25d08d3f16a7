/** Policies from files, or every fault that they have, told to people where it is. */

import { type PolicyDocument, parsePolicy } from '../../../policies/document/document.ts';
import { formatFault, type PolicyFault } from '../../../policies/document/fault.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { readInput } from '../read-input.ts';
import type { Shell } from '../shell.ts';

/** @throws `file.not_found`; `input.malformed` after telling each fault */
export async function readPolicies(shell: Shell, files: readonly string[]): Promise<readonly PolicyDocument[]> {
  const parsed = await Promise.all(files.map(async (file) => parsePolicy(await textOf(shell, file), file)));
  const faults = parsed.flatMap((one) => (one.ok ? [] : one.error));
  if (faults.length > 0) await refuse(shell, faults);
  return parsed.flatMap((one) => (one.ok ? [one.value] : []));
}

export async function textOf(shell: Shell, file: string): Promise<string> {
  return Buffer.from(await readInput(shell, file)).toString('utf8');
}

/** Tells each fault on stderr. @throws `input.malformed` */
export async function refuse(shell: Shell, faults: readonly PolicyFault[]): Promise<never> {
  await shell.notes.write(`${faults.map(formatFault).join('\n\n')}\n\n`);
  const found = faults.length === 1 ? 'one fault' : `${faults.length} faults`;
  throw new CodedError('input.malformed', `expected policies without faults, found ${found}`);
}
