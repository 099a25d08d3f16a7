/** `log export`: the log as static files, c2sp.org/tlog-tiles, for whoever wants to verify it without this software. */
import { openCheckpoint } from '../../../runtime/codec/checkpoint.ts';
import { digestText } from '../../../runtime/codec/record.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';
import { type ExportOptions, exportLog, type SignedHead } from '../../../runtime/log/export.ts';
import { openLog, openReader, openStoreForReading } from '../../../runtime/log/log-directory.ts';
import { formatFacts } from '../facts.ts';
import { progressOn } from '../progress-bar.ts';
import { catchInterrupts, type Shell } from '../shell.ts';
import { openOptions, systemPorts, type WritingOptions } from './place.ts';

type Options = WritingOptions & { readonly out: string; readonly signed?: boolean; readonly json?: boolean };

export async function exportTiles(shell: Shell, directory: string, options: Options): Promise<void> {
  const head = options.signed === true ? await newestSigned(directory) : undefined;
  await using log = await opened(directory, options, shell);
  const { checkpoint } = await withProgress(shell, log, options.out, head === undefined ? {} : { head });
  const { origin, size, root } = checkpoint;
  const facts = { origin, size, root: digestText(root), out: options.out };
  await shell.out.write(formatFacts(facts, options.json === true));
}

/** Only who signs must be the writer. */
function opened(directory: string, options: Options, { env }: Shell): Promise<EventLog> {
  if (options.signed === true) return openReader(directory, systemClock);
  return openLog(directory, openOptions(options, env), systemPorts());
}

async function newestSigned(directory: string): Promise<SignedHead> {
  const { store, verifier } = await openStoreForReading(directory);
  await using _ = store;
  const [newest] = store.checkpoints();
  if (newest === undefined) throw new CodedError('checkpoint.not_found', 'expected a signed checkpoint, found none');
  const checkpoint = openCheckpoint(newest.note, verifier);
  if (!checkpoint.ok) throw new CodedError(checkpoint.error.code, checkpoint.error.message);
  return { note: newest.note, checkpoint: checkpoint.value };
}

async function withProgress(shell: Shell, log: EventLog, out: string, options: ExportOptions): Promise<SignedHead> {
  const progress = progressOn(shell.notes);
  using interrupts = catchInterrupts();
  try {
    return await exportLog(log, out, { ...options, progress: progress.show, signal: interrupts.signal });
  } finally {
    progress.clear();
  }
}
