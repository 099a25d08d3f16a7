import { stat as statFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestText } from '../../../runtime/codec/record.ts';
import { openStoreForReading } from '../../../runtime/log/log-directory.ts';
import { recoverTree } from '../../../runtime/log/recover.ts';
import { formatFacts } from '../facts.ts';
import type { Shell } from '../shell.ts';

/** `log stats`: how much is there, from the log's own books. Only the names of the streams are read through. */
export async function stats(shell: Shell, directory: string, options: { readonly json?: boolean }): Promise<void> {
  const { store, verifier, epoch } = await openStoreForReading(directory);
  await using _ = store;
  const tree = recoverTree(store);
  const usage = store.usage();
  const used = Object.values(usage).reduce((sum, { bytes }) => sum + bytes, 0);
  const [signed] = store.checkpoints();
  const file = await statFile(join(directory, `epoch-${epoch}`, 'data.mdb'));
  const facts = {
    origin: store.origin,
    epoch,
    size: tree.size,
    root: digestText(tree.root()),
    signed: signed?.size ?? null,
    checkpoints: usage.checkpoints.entries,
    streams: countOf(store.streams('')),
    blobs: usage.blobs.entries,
    bytesPerEvent: tree.size === 0 ? null : Math.round((10 * used) / tree.size) / 10,
    bytes: {
      records: usage.entries.bytes,
      indexes: usage.ids.bytes + usage.streams.bytes,
      tiles: usage.tiles.bytes,
      blobs: usage.blobs.bytes,
      used,
      file: file.size,
    },
    key: verifier.id.toString(16).padStart(8, '0'),
  };
  await shell.out.write(formatFacts(facts, options.json === true));
}

function countOf(items: Iterable<unknown>): number {
  let count = 0;
  for (const _ of items) count += 1;
  return count;
}
