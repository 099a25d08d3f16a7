/** A process that exports logs for the tamper suite, from a reader: what it exports, the log's own process would. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint, signCheckpoint } from '../codec/checkpoint.ts';
import { formatDigest, sha256 } from '../codec/digest.ts';
import { utf8 } from '../core/bytes.ts';
import { messageOf } from '../core/errors.ts';
import { unwrap } from '../core/result.ts';
import { systemClock } from '../core/system.ts';
import { exportLog } from './export.ts';
import { openReader, readSigner } from './log-directory.ts';

export type ExportJob = { readonly directory: string; readonly out: string };

/** The digest of all files and their names, or why there are none. */
export type ExportAnswer = { readonly digest: string } | { readonly failure: string };

/** Exports as the log's writer would, and says what came out; leaves nothing behind. */
export async function exportDigest({ directory, out }: ExportJob): Promise<string> {
  await using log = await openReader(directory, systemClock);
  const signer = await readSigner(directory, log.origin);
  const note = signCheckpoint({ origin: log.origin, size: log.size, root: log.root() }, signer);
  await exportLog(log, out, { head: { note, checkpoint: unwrap(openCheckpoint(note, signer), 'our own') } });
  const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const lines = files.map(({ parentPath, name }) => {
    const path = join(parentPath, name);
    return `${path.slice(out.length)} ${formatDigest(sha256(readFileSync(path)))}\n`;
  });
  rmSync(out, { recursive: true });
  return formatDigest(sha256(utf8(lines.sort().join(''))));
}

// biome-ignore lint/style/noRestrictedGlobals: the entry of a process of its own.
const channel = process;
if (channel.argv[1] === import.meta.filename) {
  channel.on('message', async (job: ExportJob) => {
    try {
      channel.send?.({ digest: await exportDigest(job) });
    } catch (error) {
      channel.send?.({ failure: messageOf(error) });
    }
  });
  channel.on('disconnect', () => channel.exit());
}
