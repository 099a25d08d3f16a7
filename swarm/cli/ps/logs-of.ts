/** The logs of a swarm on this machine. */
import { existsSync, statSync } from 'node:fs';
import { CodedError } from '../../../runtime/core/errors.ts';
import { placeOfSlot, slotsOf } from '../../file/roles.ts';
import type { Shell } from '../shell.ts';
import { readSwarm } from '../up/read-swarm.ts';

/** Of a swarm file: the log of the swarm, and those of its roles, as far as they are there. A directory is a log itself.
 *  @throws `file.not_found` · `log.not_found` · what `readSwarm` does */
export async function logsOf(shell: Shell, path: string): Promise<readonly string[]> {
  if (existsSync(path) && statSync(path).isDirectory()) return [path];
  const { swarm, configuration } = await readSwarm(shell, path, {});
  const logs = new Set([configuration.log.value]);
  for (const [role, its] of Object.entries(swarm.roles ?? {})) {
    const { configuration: own } = await readSwarm(shell, path, { only: role });
    for (const slot of slotsOf(role, its)) logs.add(placeOfSlot(swarm, { role, slot }, own).log);
  }
  const found = [...logs].filter((log) => existsSync(log));
  if (found.length > 0) return found;
  throw new CodedError('log.not_found', `expected a log of ${path}, found none: it has not run yet`);
}
