/**
 * The records of a log that another process writes, as they come.
 *
 * An `EventLog` that was opened for reading keeps the size that it had then, and its `subscribe` waits for appends of this
 * process. So this looks at the store itself, whose head every transaction reads anew.
 *
 * T1. Every record once, in the order of the log, without a gap.
 * T2. Between two looks nothing is held: the writer is never kept from reusing pages.
 */
import { decodeRecord, type LogRecord } from '../../../runtime/codec/record.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import type { LogStore } from '../../../runtime/log/store.ts';

export type Followed = { readonly record: LogRecord; readonly bytes: Uint8Array };

export type Following = {
  readonly from: number;
  /** Resolves after a pause, or when nobody waits any more. */
  readonly pause: () => Promise<void>;
  /** Whether the end of the log, once reached, is the end. */
  readonly isOver: () => Promise<boolean>;
};

const PAGE_EVENTS = 128;

/** Pages of records. @throws `log.damaged` */
export async function* follow(
  store: Pick<LogStore, 'head' | 'records'>,
  { from, pause, isOver }: Following,
): AsyncGenerator<readonly Followed[]> {
  for (let next = from; ; ) {
    const isLast = await isOver(); // asked before the head: what is written in between is still told
    const { size } = store.head();
    while (next < size) {
      const page = [...store.records(next, Math.min(size, next + PAGE_EVENTS))].map(read);
      if (page.length === 0) throw new CodedError('log.damaged', `expected record ${next}, found none`);
      next += page.length;
      yield page;
    }
    if (isLast) return;
    await pause();
  }
}

function read(bytes: Uint8Array): Followed {
  const record = decodeRecord(bytes);
  if (record.ok) return { record: record.value, bytes };
  throw new CodedError('log.damaged', record.error.message);
}
