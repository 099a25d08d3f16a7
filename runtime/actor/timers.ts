/** Timers of agents and the ends of their waits: from the log into the alarms, and from there into mailboxes. */
import { eventIdOf } from '../kernel/event-id.ts';
import { type AgentView, isParked } from './agent-view.ts';
import type { Alarms } from './alarms.ts';
import { arrivingOf, type Live } from './live.ts';
import type { NewAgentEvent } from './segment-events.ts';
import type { Shell, TimerValue } from './shell.ts';
import type { AgentPayload } from './vocabulary.ts';

/** A mailbox that was full when a timer fired. */
const TIMER_AGAIN_MS = 1_000;

/** Arms everything that an agent waits for. */
export function armAll(alarms: Alarms<TimerValue>, agent: string, view: AgentView): void {
  for (const { timer, at } of view.timers.values())
    alarms.arm(`${agent} ${timer}`, at, { type: 'timer', agent, timer });
  for (const [turn, memory] of view.turns) {
    if (isParked(memory)) armWaits(alarms, agent, turn, memory.parked?.waits ?? []);
  }
}

/** Arms the waits of a parked turn that end by themselves. */
export function armWaits(
  alarms: Alarms<TimerValue>,
  agent: string,
  turn: string,
  waits: AgentPayload<'turn.parked'>['waits'],
): void {
  for (const { ordinal, name, digest, event, until } of waits) {
    if (until === null) continue;
    const wait = { ordinal, name, digest };
    alarms.arm(`${agent} wait ${turn} ${ordinal}`, until, { type: 'wait', agent, turn, wait, event });
  }
}

/** What is to be done at the time of a timer. */
export async function ring(shell: Shell, value: TimerValue): Promise<void> {
  const known = shell.roster.get(value.agent);
  if (known?.isAlive !== true) return;
  const live = shell.waking.awaken(known);
  if (value.type === 'timer') await fire(shell, live, value.timer);
  else endWait(shell, live, value);
}

async function fire(shell: Shell, live: Live, timer: string): Promise<void> {
  const { alarms, inbox, parts, records } = shell;
  const armed = live.view.timers.get(timer);
  if (armed === undefined) return;
  const now = parts.clock.now();
  const { agent } = live.known;
  const missed = armed.every_ms === null ? 0 : Math.floor((now - armed.at) / armed.every_ms);
  const next = armed.every_ms === null ? null : armed.at + armed.every_ms * (missed + 1);
  const payload = { timer, late_ms: Math.max(0, now - armed.at), next_at: next };
  const fired: NewAgentEvent = { id: eventIdOf('fired', agent, timer, armed.at), type: 'timer.fired', payload };
  const message = eventIdOf('timer', agent, timer, armed.at);
  const arriving = {
    ...arrivingOf(message, 'timer', armed.name, armed.body),
    from: agent,
    cause: records.causeOf(armed.index),
  };
  const arm = (atMs: number): void => alarms.arm(`${agent} ${timer}`, atMs, { type: 'timer', agent, timer });
  const answer = await inbox.accept(agent, arriving, [records.of(agent, [fired])]);
  if (answer.type !== 'accepted') return arm(now + TIMER_AGAIN_MS);
  if (next === null) live.view.timers.delete(timer);
  else {
    live.view.timers.set(timer, { ...armed, at: next });
    arm(next);
  }
}

function endWait({ turns }: Shell, live: Live, { turn, wait, event }: TimerValue & { readonly type: 'wait' }): void {
  const memory = live.view.turns.get(turn);
  if (memory === undefined || !isParked(memory) || live.due.has(turn)) return;
  const parked = memory.parked?.waits.find(({ ordinal }) => ordinal === wait.ordinal);
  if (parked === undefined) return;
  const withinMs = Math.max(0, (parked.until ?? 0) - (memory.parked?.at ?? 0));
  const outcome = event === null ? ({ type: 'ok', value: null } as const) : ({ type: 'timeout', withinMs } as const);
  turns.wake(live, turn, { wait, outcome, signal: null });
}
