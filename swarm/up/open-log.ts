/** The log of a node, made where there is none. */

import { hasCode } from '../../runtime/core/errors.ts';
import { liveness, type ProcessIdentity } from '../../runtime/core/system.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { createLog, openLog, writerOf } from '../../runtime/log/log-directory.ts';
import type { Place, SwarmPorts } from './made.ts';

/**
 * `isOurs`: this process has locked the node’s slot. A writer that cannot be seen from here, since it was in another container,
 * is then certainly gone (`slot.ts` X2), and the log is taken over. One that is seen to live is not of this node: it keeps the log.
 * @throws {CodedError} `log.*`
 */
export async function openLogAt(
  { log: directory, anchors }: Place,
  { realm, isOurs }: { readonly realm: string; readonly isOurs: boolean },
  { clock, random, identity }: Pick<SwarmPorts, 'clock' | 'random' | 'identity'>,
): Promise<EventLog> {
  try {
    const takeover = isOurs && isOutOfSight(await writerOf(directory), identity);
    return await openLog(directory, { anchors, takeover }, { clock, random, identity });
  } catch (error) {
    if (!hasCode(error, 'log.not_found')) throw error;
    await createLog(directory, { anchors, realm }, random);
    return openLog(directory, { anchors }, { clock, random, identity });
  }
}

function isOutOfSight(writer: ProcessIdentity | undefined, self: ProcessIdentity): boolean {
  return writer !== undefined && liveness(writer, self) === 'unknown';
}
