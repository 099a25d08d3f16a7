/** A swarm file from the command line, with what overrides it. */
import { homedir } from 'node:os';
import process from 'node:process';
import { formatFault } from '../../../policies/document/fault.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { type Configuration, configure, type Flags } from '../../file/configuration.ts';
import { parseSwarm, type SwarmFile } from '../../file/swarm-file.ts';
import { readInput } from '../read-input.ts';
import type { Shell } from '../shell.ts';

/** @throws `file.not_found` · `input.malformed` after telling each fault · what `configure` does */
export async function readSwarm(
  shell: Shell,
  file: string,
  flags: Flags,
): Promise<{ readonly swarm: SwarmFile; readonly configuration: Configuration }> {
  const cwd = process.cwd();
  const read = parseSwarm(new TextDecoder().decode(await readInput(shell, file)), { file, cwd });
  if (!read.ok) {
    await shell.notes.write(`${read.error.map(formatFault).join('\n\n')}\n\n`);
    const found = read.error.length === 1 ? 'one fault' : `${read.error.length} faults`;
    throw new CodedError('input.malformed', `expected a swarm file without faults, found ${found}`);
  }
  const configuration = configure(read.value, flags, { env: shell.env, cwd, home: homedir() });
  return { swarm: read.value, configuration };
}
