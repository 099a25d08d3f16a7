/** Messages that were given up, as the log has them: at the agent that could not answer, or on the way to it. */
import type { Did } from '../codec/did.ts';
import type { JsonValue } from '../codec/json.ts';
import { type EventId, parseEventId } from '../codec/record.ts';
import { unwrap } from '../core/result.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { EventLog } from '../log/event-log.ts';
import { agentOf, agentsIn, factsIn, streamOf } from './agent-stream.ts';
import type { Accepted } from './agent-view.ts';
import type { AgentPayload } from './vocabulary.ts';

export type DeadLetter = {
  readonly message: EventId;
  /** Whom it was for. */
  readonly agent: string;
  /** Who sent it; `null` for the operator. */
  readonly from: string | null;
  /** By which DID, where that is an agent of another node: its name alone would not say who it is. */
  readonly did: Did | null;
  readonly kind: Accepted['kind'];
  readonly name: string;
  readonly body: JsonValue;
  /** Why it was given up, as in docs/ERRORS.md. */
  readonly code: string;
  readonly detail: string;
  /** Failed turns; 0 for what no turn was ever taken for. */
  readonly attempts: number;
  readonly correlation: EventId;
  /** The event that gave it up, and where that stands. */
  readonly event: EventId;
  readonly index: number;
  /** The message that it was put back as. */
  readonly retried: EventId | null;
};

/** What a dead letter is put back as: one message, however often somebody asks. */
export function retryIdOf(agent: string, message: string): EventId {
  return eventIdOf('retry', agent, message);
}

/** Every dead letter, by the stream that has it, in the order of that stream. Reads the agents' streams to their end. */
export function* deadLettersIn(log: EventLog): Generator<DeadLetter> {
  for (const agent of agentsIn(log)) yield* deadLettersOf(log, agent);
}

/** The dead letter of a message, or whether there is such a message at all. */
export function findDeadLetter(log: EventLog, message: string): DeadLetter | 'not_dead' | 'not_found' {
  const sender = senderOf(log, message);
  let found: 'not_dead' | 'not_found' = sender === undefined ? 'not_found' : 'not_dead';
  for (const agent of agentsIn(log)) {
    const isDead = log.find(eventIdOf('dead', agent, message)) !== undefined;
    if (log.find(eventIdOf('accepted', agent, message)) !== undefined) found = 'not_dead';
    if (!isDead && agent !== sender) continue;
    for (const letter of deadLettersOf(log, agent)) if (letter.message === message) return letter;
  }
  return found;
}

/** Whose stream says what became of a message on its way. */
function senderOf(log: EventLog, message: string): string | undefined {
  const index = log.find(eventIdOf('delivered', message));
  const [record] = index === undefined ? [] : [...log.read(index, index + 1)];
  return record === undefined ? undefined : agentOf(record.stream);
}

type Open = Pick<DeadLetter, 'agent' | 'from' | 'did' | 'kind' | 'name' | 'body' | 'correlation'>;

function* deadLettersOf(log: EventLog, agent: string): Generator<DeadLetter> {
  const inbox = new Map<string, Open>();
  const outbox = new Map<string, Open>();
  for (const { id: event, index, type, payload, correlation, principal } of factsIn(log, streamOf(agent))) {
    const dead = (open: Open | undefined, message: string, why: Pick<DeadLetter, 'code' | 'detail' | 'attempts'>) => {
      const retry = retryIdOf(open?.agent ?? agent, message);
      const isRetried = log.find(eventIdOf('accepted', open?.agent ?? agent, retry)) !== undefined;
      const letter = { message: idOf(message), ...why, event, index, retried: isRetried ? retry : null };
      return open === undefined ? [] : [{ ...open, ...letter }];
    };
    switch (type) {
      case 'message.accepted': {
        const { message, from, kind, name, body } = payload as AgentPayload<'message.accepted'>;
        const open = { agent, from, did: principal ?? null, kind, name, body };
        inbox.set(message, { ...open, correlation: correlation ?? idOf(message) });
        break;
      }
      case 'message.sent': {
        const { message, to, name, body, turn } = payload as AgentPayload<'message.sent'>;
        outbox.set(message, { agent: to, from: agent, did: null, kind: 'tell', name, body, correlation: idOf(turn) });
        break;
      }
      case 'turn.committed':
        inbox.delete((payload as AgentPayload<'turn.committed'>).turn);
        break;
      case 'turn.woken':
        inbox.delete((payload as AgentPayload<'turn.woken'>).signal ?? '');
        break;
      case 'message.dead_lettered': {
        const { message, code, detail, attempts } = payload as AgentPayload<'message.dead_lettered'>;
        yield* dead(inbox.get(message), message, { code, detail, attempts });
        inbox.delete(message);
        break;
      }
      case 'message.delivered': {
        const { message, type: end, code } = payload as AgentPayload<'message.delivered'>;
        const open = outbox.get(message);
        outbox.delete(message);
        if (end === 'accepted') break;
        const why = { code: code ?? 'message.undeliverable', detail: `never accepted by ${open?.agent}`, attempts: 0 };
        yield* dead(open, message, why);
        break;
      }
    }
  }
}

function idOf(message: string): EventId {
  return unwrap(parseEventId(message), 'a message id');
}
