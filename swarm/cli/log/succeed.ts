import { succeedLog } from '../../../runtime/log/log-directory.ts';
import { formatFacts } from '../facts.ts';
import type { Shell } from '../shell.ts';
import { anchorsOf, systemPorts } from './place.ts';

/** `log succeed`: the log goes on in a new tree, whose first record says where the old one ended and why. */
export async function succeed(
  shell: Shell,
  directory: string,
  options: { readonly anchor?: string; readonly reason: string; readonly reserve?: number; readonly json?: boolean },
): Promise<void> {
  const { origin, after } = await succeedLog(
    directory,
    {
      anchors: anchorsOf(options, shell.env),
      reason: options.reason,
      ...(options.reserve === undefined ? {} : { reserveBytes: options.reserve }),
    },
    systemPorts(),
  );
  await shell.out.write(formatFacts({ origin, after }, options.json === true));
}
