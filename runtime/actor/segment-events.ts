/** What a segment of a turn leaves in the log. Pure but for the verdicts, which are given. */
import { eventIdOf } from '../kernel/event-id.ts';
import type { Verdict } from '../kernel/kernel.ts';
import type { NewEvent } from '../log/event-log.ts';
import type { Entry, Operation } from './protocol.ts';
import type { AgentEvent } from './vocabulary.ts';

/** An agent's event on its way into the log. */
export type NewAgentEvent = AgentEvent &
  Partial<Pick<NewEvent, 'id' | 'cause' | 'correlation' | 'decision' | 'principal'>>;

/** Of a message by its id. */
type Decide = (message: string, operation: Operation) => Said;

/** The verdict on a message, as its record has it. */
export type Said = Pick<Verdict, 'recorded' | 'judged'>;

/** A segment's entries as events, in order. A message that may no longer be sent is a dead letter in the same append. */
export function eventsOf(
  turn: string,
  entries: readonly Entry[],
  now: number,
  decide: Decide,
): readonly NewAgentEvent[] {
  return entries.flatMap((entry) => eventsOfEntry(turn, entry, now, decide));
}

function eventsOfEntry(turn: string, entry: Entry, now: number, decide: Decide): readonly NewAgentEvent[] {
  switch (entry.type) {
    case 'emit':
      return [{ type: 'agent.emitted', payload: { turn, name: entry.name, data: entry.data } }];
    case 'tell': {
      const { message, agent: to, contract, name, input: body, retryForMs } = entry;
      const operation = { verb: 'tell', agent: to, contract, message: name, input: body, retryForMs } as const;
      const { recorded: decision, judged } = decide(message, operation);
      const payload = { turn, message, to, contract, name, body, retry_until: now + retryForMs, judged };
      const sent: NewAgentEvent = { type: 'message.sent', payload, decision };
      if (decision.verdict === 'allow') return [sent];
      const id = eventIdOf('delivered', message);
      return [sent, { id, type: 'message.delivered', payload: { message, type: 'dead', code: decision.code } }];
    }
    case 'arm': {
      const { timer, delayMs, everyMs, message: name, input: body } = entry;
      return [{ type: 'timer.armed', payload: { timer, at: now + delayMs, every_ms: everyMs, name, body } }];
    }
    case 'cancel':
      return [{ type: 'timer.cancelled', payload: { timer: entry.timer } }];
    case 'watch':
      return [{ type: 'watch.begun', payload: { agent: entry.agent, name: entry.message } }];
  }
}
