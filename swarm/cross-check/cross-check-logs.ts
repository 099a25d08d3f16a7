/** The logs in several directories against one another, beside whoever writes them. */
import type { Clock } from '../../runtime/core/clock.ts';
import { openReader } from '../../runtime/log/log-directory.ts';
import { type CrossReport, crossCheck } from './cross-check.ts';

/**
 * Whether logs agree: `crossCheck`, over the newest epoch of each. Each is taken to be sound: `verifyLog` says whether it is.
 * @throws as `openReader` and `jsonOf`
 */
export async function crossCheckLogs(directories: readonly string[], clock: Clock): Promise<CrossReport> {
  await using open = new AsyncDisposableStack();
  const openAll = async () => {
    const logs = [];
    for (const directory of directories) logs.push(open.use(await openReader(directory, clock)));
    return logs;
  };
  const said = await openAll();
  const now = await openAll(); // K1
  return crossCheck(said.flatMap((log, n) => [{ said: log, now: now[n] ?? log }]));
}
