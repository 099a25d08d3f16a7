/** The operator's socket of a node that runs. */
import process from 'node:process';
import { hasCode, messageOf } from '../../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { type ControlParts, ControlServer } from '../../control/control-server.ts';

/** Nothing where the path of the log is too long for a socket: a node goes on without, and says so.
 *  @throws {CodedError} `control.not_ours` · `server.unavailable` */
export async function openControl(
  parts: Pick<ControlParts, 'agents' | 'log' | 'takeBack'>,
  say: (text: string) => void,
): Promise<ControlServer | undefined> {
  try {
    return await ControlServer.open({ ...parts, cwd: process.cwd(), clock: systemClock, random: systemRandom });
  } catch (error) {
    if (!hasCode(error, 'control.path_too_long')) throw error;
    say(`no ask   ${messageOf(error)}\n`);
    return undefined;
  }
}
