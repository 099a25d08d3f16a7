import { succeedLog } from '../../../runtime/log/log-directory.ts';
import { formatFacts } from '../facts.ts';
import type { Shell } from '../shell.ts';
import { anchorsOf, systemPorts, type WritingOptions } from './place.ts';

/** `log succeed`: the log goes on in a new tree, whose first record says where the old one ended and why. */
export async function succeed(
  shell: Shell,
  directory: string,
  options: Omit<WritingOptions, 'newAnchor'> & { readonly reason: string; readonly json?: boolean },
): Promise<void> {
  const { origin, after } = await succeedLog(
    directory,
    {
      anchors: anchorsOf(options, shell.env),
      reason: options.reason,
      takeover: options.takeover === true,
      ...(options.reserve === undefined ? {} : { reserveBytes: options.reserve }),
    },
    systemPorts(),
  );
  await shell.out.write(formatFacts({ origin, after }, options.json === true));
}
