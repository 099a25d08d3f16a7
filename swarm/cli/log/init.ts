import { systemRandom } from '../../../runtime/core/system.ts';
import { createLog } from '../../../runtime/log/log-directory.ts';
import { formatFacts } from '../facts.ts';
import type { Shell } from '../shell.ts';
import { anchorsOf } from './place.ts';

/** `log init`: prints the origin and the verifier key, which is what others need in order to check the log. */
export async function init(
  shell: Shell,
  directory: string,
  options: { readonly anchor?: string; readonly realm?: string; readonly node?: string; readonly json?: boolean },
): Promise<void> {
  const { origin, verifierKey } = await createLog(
    directory,
    {
      anchors: anchorsOf(options, shell.env),
      ...(options.realm === undefined ? {} : { realm: options.realm }),
      ...(options.node === undefined ? {} : { node: options.node }),
    },
    systemRandom,
  );
  await shell.out.write(formatFacts({ origin, vkey: verifierKey }, options.json === true));
}
