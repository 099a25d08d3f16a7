import type { JsonValue } from '../../../runtime/codec/json.ts';
import type { LogRecord } from '../../../runtime/codec/record.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import { jsonOf } from '../../../runtime/log/upcast.ts';
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

type Members = { readonly [name: string]: JsonValue };

function inWords({ type, stream, decision }: LogRecord, payload: JsonValue | undefined): string {
  const who = stream.replace(/^agent\//, '');
  const said = typeof payload === 'object' && payload !== null && !Array.isArray(payload) ? (payload as Members) : {};
  const verdict = decision === undefined ? '' : ` (${decision.verdict}: ${decision.code})`;
  switch (type) {
    case 'message.accepted':
      return `${who} accepted ${said['kind']} ${said['name']} from ${said['from'] ?? 'outside'}`;
    case 'message.sent':
      return `${who} sent ${said['name']} to ${said['to']}${verdict}`;
    case 'action.decided':
      return `${who} wanted to ${said['verb']} ${said['target']}${verdict}`;
    case 'action.settled':
      return `${who}: the attempt ended ${said['status']}`;
    case 'agent.emitted':
      return `${who} recorded ${said['name']}`;
    case 'turn.committed':
      return `${who} answered`;
    case 'turn.failed':
      return `${who} failed, attempt ${said['attempt']}: ${said['code']}`;
    case 'timer.armed':
      return `${who} armed the timer ${said['timer']}`;
    default:
      return `${who}: ${type}${verdict}`;
  }
}
