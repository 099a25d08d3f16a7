import { CodedError } from '../../../runtime/core/errors.ts';
import { verifyExport } from '../../../runtime/log/verify-export.ts';
import { progressOn } from '../progress-bar.ts';
import type { Shell } from '../shell.ts';
import { writeVerdict } from './verdict.ts';
import { verifierOf } from './verifier.ts';

type Options = { readonly vkey?: string; readonly vkeyFile?: string; readonly json?: boolean };

/** `log check-export`: the files of an export against a key that came by another way. */
export async function checkExport(shell: Shell, directory: string, options: Options): Promise<void> {
  const verifier = await verifierOf(shell, options);
  if (verifier === undefined) {
    throw new CodedError('usage.invalid', 'expected the key that you trust, --vkey or --vkey-file, found neither');
  }
  const progress = progressOn(shell.notes);
  const report = await verifyExport(directory, verifier, { progress: progress.show }).finally(progress.clear);
  const { origin, size, root = null, blobs, problems, problemCount } = report;
  await writeVerdict(shell, { facts: { origin, size, root, blobs }, problems, problemCount }, options.json === true);
}
