/** What a log and its anchor say before anybody appends: fsck level 0. `log verify` looks at everything. */
import type { VitalEvents } from '../../../mesh/heartbeat-events.ts';
import type { Checkpoint } from '../../../runtime/codec/checkpoint.ts';
import type { Digest } from '../../../runtime/codec/digest.ts';
import { decodeRecord } from '../../../runtime/codec/record.ts';
import { CodedError, hasCode, messageOf } from '../../../runtime/core/errors.ts';
import { contradiction, fileAnchor } from '../../../runtime/log/anchor.ts';
import { openStoreForReading } from '../../../runtime/log/log-directory.ts';
import { recoverTree } from '../../../runtime/log/recover.ts';
import { type Check, fail, ok, warn } from './check.ts';

export type LogSeen = {
  readonly origin: string;
  readonly size: number;
  readonly rootAt: (size: number) => Digest;
  /** The size of its newest checkpoint; `undefined` for a log that has never signed. */
  readonly signed: number | undefined;
  /** What the anchor holds, or why it cannot be read. */
  readonly anchored: Checkpoint | CodedError | undefined;
  readonly place: string;
};

/** The checks of a log, and when its last event happened. */
export async function lookAtLog(
  directory: string,
  anchors: string,
): Promise<{ readonly checks: readonly Check[]; readonly lastEventMs?: number }> {
  try {
    const { store, verifier } = await openStoreForReading(directory);
    await using _ = store;
    const tree = recoverTree(store);
    const [signed] = store.checkpoints();
    const anchor = fileAnchor(anchors, store.origin, verifier);
    const anchored = await anchor.read().catch((error: unknown) => {
      if (error instanceof CodedError) return error;
      throw error;
    });
    const { size } = tree;
    const seen = { origin: store.origin, size, rootAt: (at: number) => tree.root(at), signed: signed?.size, anchored };
    const { wallMs } = store.head();
    const clocks = judgeClocks(store.records(Math.max(0, size - RECORDS_LOOKED_AT), size));
    return {
      checks: [...judgeLog({ ...seen, place: anchor.place }), ...clocks],
      ...(size === 0 ? {} : { lastEventMs: wallMs }),
    };
  } catch (error) {
    if (!hasCode(error)) throw error;
    const says = hasCode(error, 'log.old_format') ? warn : fail; // the next start brings it up to date
    return { checks: [says('log tail', `${error.code}: ${messageOf(error)}`, `ringmesh explain ${error.code}`)] };
  }
}

/** Nodes whose clocks differ from that of the log's node, by what it recorded last of each. */
export function judgeClocks(records: Iterable<Uint8Array>): readonly Check[] {
  const ahead = new Map<string, number>();
  for (const bytes of records) {
    const record = decodeRecord(bytes);
    if (!record.ok || record.value.type !== 'peer.clock_differs' || record.value.payload.type !== 'json') continue;
    const { node, aheadMs, differs } = record.value.payload.value as unknown as VitalEvents['peer.clock_differs'];
    if (differs) ahead.set(node, aheadMs);
    else ahead.delete(node);
  }
  return [...ahead].map(([node, ms]) =>
    warn(
      'peer clocks',
      `the clock of ${node} was last ${ms / 1000} s ahead of this node’s`,
      'keep both in time, as NTP does: envelopes across 2 s are refused',
    ),
  );
}

/** As many as a few hours have. */
const RECORDS_LOOKED_AT = 20_000;

export function judgeLog(seen: LogSeen): readonly Check[] {
  const { origin, size } = seen;
  return [ok('log tail', `${size} events of ${origin}: head, frontier and last tiles agree`), judgeAnchor(seen)];
}

function judgeAnchor({ size, rootAt, signed, anchored, place }: LogSeen): Check {
  const name = 'log anchor';
  if (anchored !== undefined) {
    const wrong = anchored instanceof CodedError ? anchored : contradiction(anchored, size, rootAt);
    if (wrong === undefined) return ok(name, `agrees with it: ${place}`);
    return fail(name, `${wrong.code}: ${wrong.message}`, `ringmesh explain ${wrong.code}`);
  }
  if (signed === undefined)
    return warn(
      name,
      'none: the log has never signed',
      'nothing, if it is new: whoever writes it signs when it closes',
    );
  const found = `missing: the log has signed ${signed} events, and there is nothing at ${place}`;
  return fail(name, found, 'point to it with --anchor; ringmesh explain anchor.missing');
}
