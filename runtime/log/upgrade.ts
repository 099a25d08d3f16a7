/**
 * Logs of format 1, whose tables `ids` and `streams` had entries for every record, become logs of format 2, whose tables end
 * with the last full bundle (`event-index.ts` I1). Records, leaves and checkpoints are the same in both.
 */
import { decodeRecord, type EventId, type StreamId } from '../codec/record.ts';
import { indexedIn } from './event-index.ts';
import * as layout from './layout.ts';
import type { Tables } from './lmdb-tables.ts';
import { DamageError } from './recover.ts';

/** What stands in the tables beyond the last full bundle of a log of `size`, to be taken out in one transaction.
 *  @throws {DamageError} `log.damaged` */
export function entriesBeyond(
  tables: Pick<Tables, 'ids' | 'streams'>,
  size: number,
  records: (from: number, to: number) => Iterable<Uint8Array>,
): () => void {
  const start = indexedIn(size);
  const ids: EventId[] = [];
  const streams = new Set<StreamId>();
  for (const bytes of records(start, size)) {
    const record = decodeRecord(bytes);
    if (!record.ok) throw new DamageError(`record ${start + ids.length}`, record.error.message);
    ids.push(record.value.id);
    streams.add(record.value.stream);
  }
  return () => {
    for (const id of ids) tables.ids.removeSync(layout.idKey(id));
    for (const stream of streams) cutRuns(tables.streams, stream, start);
  };
}

function cutRuns(table: Tables['streams'], stream: StreamId, start: number): void {
  const newest = { start: layout.runKey(stream, Number.MAX_SAFE_INTEGER), reverse: true, limit: 1 };
  for (;;) {
    const [row] = table.getRange(newest);
    const run = row && layout.parseRun(row.key, row.value);
    if (row === undefined || run?.stream !== stream || (run.indexes.at(-1) ?? 0) < start) return;
    const kept = run.indexes.filter((index) => index < start);
    if (kept.length === 0) table.removeSync(row.key);
    else table.putSync(row.key, layout.runValue(kept));
  }
}
