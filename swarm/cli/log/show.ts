import { createColors } from 'picocolors';
import { type LogRecord, parseStreamId } from '../../../runtime/codec/record.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import type { Shell } from '../shell.ts';
import { Table } from '../table.ts';
import { typeFilter } from '../type-filter.ts';
import { type BlobReader, eventFacts, payloadText } from './event-facts.ts';

type ShowOptions = {
  readonly stream?: string;
  readonly type?: string;
  readonly from?: number;
  readonly to?: number;
  readonly limit?: number;
  readonly payload?: boolean;
  readonly json?: boolean;
};

/** `log show`: events in the order of the log, a page at a time, however many there are. */
export async function show(shell: Shell, directory: string, options: ShowOptions): Promise<void> {
  await using log = await openReader(directory, systemClock);
  const format = options.json === true ? jsonLines(log, options) : table(shell);
  const pageEvents = options.payload === true ? 1 : PAGE_EVENTS; // a payload may be 16 MiB
  let page: LogRecord[] = [];
  for (const event of selected(log, options)) {
    page.push(event);
    if (page.length < pageEvents) continue;
    await shell.out.write(format(page));
    page = [];
  }
  if (page.length > 0) await shell.out.write(format(page));
}

/** Few enough to print at once, many enough that printing is not what takes the time. */
const PAGE_EVENTS = 128;

function* selected(log: EventLog, options: ShowOptions): Generator<LogRecord> {
  const { from = 0, to = log.size, limit = Number.POSITIVE_INFINITY } = options;
  const isWanted = typeFilter(options.type === undefined ? [] : [options.type]);
  let left = limit;
  if (left === 0) return;
  for (const event of source(log, options, from, to)) {
    if (event.index < from) continue;
    if (event.index >= to) return;
    if (!isWanted(event.type)) continue;
    yield event;
    left -= 1;
    if (left === 0) return;
  }
}

function source(log: EventLog, { stream }: ShowOptions, from: number, to: number): Iterable<LogRecord> {
  if (stream === undefined) return log.read(from, to);
  const id = parseStreamId(stream);
  if (!id.ok) throw new CodedError('usage.invalid', `--stream: ${id.error.message}`);
  return log.readStream(id.value);
}

function jsonLines(log: EventLog, { payload }: ShowOptions): (events: readonly LogRecord[]) => string {
  return (events) =>
    events
      .map((event) => {
        const blob: BlobReader = ({ digest }) => (payload === true ? log.blob(digest) : undefined);
        return `${JSON.stringify(eventFacts(event, log.leaf(event.index), blob))}\n`;
      })
      .join('');
}

function table(shell: Shell): (events: readonly LogRecord[]) => string {
  const colours = createColors(shell.out.hasColour);
  const columns = [
    { title: 'INDEX', align: 'right' },
    { title: 'TIME' },
    { title: 'STREAM' },
    { title: 'VERSION', align: 'right' },
    { title: 'TYPE' },
    { title: 'DATA' },
  ] as const;
  const rows = new Table(columns, shell.out.columns, colours.bold);
  return (events) =>
    rows.format(
      events.map(({ index, wallMs, stream, version, type, payload }) => [
        String(index),
        new Date(wallMs).toISOString(),
        stream,
        String(version),
        type,
        payloadText(payload),
      ]),
    );
}
