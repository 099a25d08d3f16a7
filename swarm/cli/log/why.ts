import type { LogRecord } from '../../../runtime/codec/record.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import { jsonOf } from '../../../runtime/log/upcast.ts';
import { inWords } from '../event-words.ts';
import { findEvent } from '../find-event.ts';
import type { Shell } from '../shell.ts';

/** Causes followed back from one event; a longer chain is cut, and says so. */
const CAUSES_MAX = 200;

/** `log why`: what led to an event, as a tree in words: each line is the cause of the one above it. */
export async function why(
  shell: Shell,
  directory: string,
  event: string,
  options: { readonly json?: boolean },
): Promise<void> {
  await using log = await openReader(directory, systemClock);
  const chain = [...causes(log, findEvent(log, event))];
  if (options.json === true) {
    const lines = chain.map(({ index, id, stream, type }) => JSON.stringify({ index, id, stream, type }));
    await shell.out.write(`${lines.join('\n')}\n`);
    return;
  }
  const lines = chain.map((record, depth) => {
    const branch = depth === 0 ? '' : `${'  '.repeat(depth - 1)}└ because `;
    return `${branch}${inWords(record, record.payload.type === 'bytes' ? undefined : jsonOf(record, log))}  (${record.index})`;
  });
  if (chain.length === CAUSES_MAX) lines.push('… and more');
  await shell.out.write(`${lines.join('\n')}\n`);
}

/** The event, its cause, the cause of that: as far as they are in this log. */
function* causes(log: EventLog, from: LogRecord): Generator<LogRecord> {
  let record: LogRecord | undefined = from;
  for (let n = 0; record !== undefined && n < CAUSES_MAX; n++) {
    yield record;
    const { cause, origin }: LogRecord = record;
    if (cause === undefined || cause.origin !== origin) return;
    [record] = [...log.read(cause.index, cause.index + 1)];
  }
}
