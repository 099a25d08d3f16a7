/** An event in words: who did what. What is unknown here is told by its type. */
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { LogRecord } from '../../runtime/codec/record.ts';
import { oneLine } from './report.ts';

type Members = { readonly [name: string]: JsonValue };

/** One line. `payload` is the event's JSON; `undefined` where it has none, or it is not at hand. */
export function inWords(record: Pick<LogRecord, 'type' | 'stream' | 'decision'>, payload?: JsonValue): string {
  return oneLine(words(record, payload));
}

function words(
  { type, stream, decision }: Pick<LogRecord, 'type' | 'stream' | 'decision'>,
  payload: JsonValue | undefined,
): string {
  const who = stream.replace(/^(agent|ring)\//, '');
  const said = typeof payload === 'object' && payload !== null && !Array.isArray(payload) ? (payload as Members) : {};
  const verdict = decision === undefined ? '' : ` (${decision.verdict}: ${decision.code})`;
  switch (type) {
    case 'agent.started':
      return `${who} began to live, instance ${said['instance']}`;
    case 'agent.exited':
      return `${who} ended: ${said['why']}${said['returns'] === true ? ', and returns' : ''}`;
    case 'agent.suspended':
      return `${who} was suspended: ${said['why']}`;
    case 'agent.resumed':
      return `${who} goes on`;
    case 'agent.emitted':
      return `${who} recorded ${said['name']}`;
    case 'agent.endorsed':
      return `${who} was endorsed for ring ${said['ring']}`;
    case 'message.accepted':
      return `${who} accepted ${said['kind']} ${said['name']} from ${said['from'] ?? 'outside'}`;
    case 'message.sent':
      return `${who} sent ${said['name']} to ${said['to']}${verdict}`;
    case 'message.dead_lettered':
      return `${who} gave a message up: ${said['code']}`;
    case 'action.decided':
      return `${who} wanted to ${said['verb']} ${said['target']}${verdict}`;
    case 'action.settled':
      return `${who}: the attempt ended ${said['status']}`;
    case 'action.abandoned':
      return `${who} did not attempt it after all: ${said['code']}`;
    case 'turn.committed':
      return `${who} answered`;
    case 'turn.parked':
      return `${who} waits`;
    case 'turn.failed':
      return `${who} failed, attempt ${said['attempt']}: ${said['code']}`;
    case 'turn.stuck':
      return `${who} is stuck: its code no longer does what it did`;
    case 'timer.armed':
      return `${who} armed the timer ${said['timer']}`;
    case 'timer.fired':
      return `${who}: the timer ${said['timer']} fired`;
    case 'ring.promoted':
    case 'ring.demoted':
      return `${who} went from ring ${said['from']} to ring ${said['to']}`;
    case 'ring.elevated':
      return `${who} was lifted to ring ${said['ring']} for a while`;
    case 'host.exited':
      return `${who}: the process of ${said['host']} ended: ${said['code']}`;
    default:
      return `${who}: ${type}${verdict}`;
  }
}
