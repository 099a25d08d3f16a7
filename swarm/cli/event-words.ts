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
  const text = (name: string): string => {
    const value = said[name];
    return value === undefined ? '?' : typeof value === 'string' ? value : JSON.stringify(value);
  };
  switch (type) {
    case 'agent.started':
      return `${who} began to live, instance ${text('instance')}`;
    case 'agent.exited':
      return `${who} ended: ${text('why')}${said['returns'] === true ? ', and returns' : ''}`;
    case 'agent.suspended':
      return `${who} was suspended: ${text('why')}`;
    case 'agent.resumed':
      return `${who} goes on`;
    case 'agent.emitted':
      return `${who} recorded ${text('name')}`;
    case 'agent.endorsed':
      return `${who} was endorsed for ring ${text('ring')}`;
    case 'message.accepted':
      return `${who} accepted ${text('kind')} ${text('name')} from ${said['from'] === null ? 'outside' : text('from')}`;
    case 'message.sent':
      return `${who} sent ${text('name')} to ${text('to')}${verdict}`;
    case 'message.dead_lettered':
      return `${who} gave a message up: ${text('code')}`;
    case 'action.decided':
      return `${who} wanted to ${text('verb')} ${text('target')}${verdict}`;
    case 'action.settled':
      return `${who}: the attempt ended ${text('status')}`;
    case 'action.abandoned':
      return `${who} did not attempt it after all: ${text('code')}`;
    case 'turn.committed':
      return `${who} answered`;
    case 'turn.parked':
      return `${who} waits`;
    case 'turn.failed':
      return `${who} failed, attempt ${text('attempt')}: ${text('code')}`;
    case 'turn.stuck':
      return `${who} is stuck: its code no longer does what it did`;
    case 'timer.armed':
      return `${who} armed the timer ${text('timer')}`;
    case 'timer.fired':
      return `${who}: the timer ${text('timer')} fired`;
    case 'ring.promoted':
    case 'ring.demoted':
      return `${who} went from ring ${text('from')} to ring ${text('to')}`;
    case 'ring.elevated':
      return `${who} was lifted to ring ${text('ring')} for a while`;
    case 'host.exited':
      return `${who}: the process of ${text('host')} ended: ${text('code')}`;
    default:
      return `${who}: ${type}${verdict}`;
  }
}
