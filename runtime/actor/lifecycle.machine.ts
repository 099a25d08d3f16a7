/** The life of an agent, as its own events tell it: for auditors, and for whoever asks the log how an agent is. */
import { setup } from 'xstate';
import { defineMachine, type MachineSnapshot, startMachine, stepMachine } from '../core/machine.ts';
import type { AgentPayload } from './vocabulary.ts';

export type LifecycleState = 'provisioned' | 'active' | 'restarting' | 'retired';

type LifecycleEvent = { readonly type: 'started' } | { readonly type: 'failed' } | { readonly type: 'ended' };

export const lifecycle = defineMachine(
  1,
  setup({ types: { events: {} as LifecycleEvent } }).createMachine({
    id: 'agent-lifecycle',
    initial: 'provisioned',
    states: {
      provisioned: { on: { started: 'active' } },
      active: { on: { failed: 'restarting', ended: 'retired' } },
      restarting: { on: { started: 'active', ended: 'retired' } },
      retired: { on: { started: 'active' } },
    },
  }),
);

/** Where an agent stands after these events of its stream; what says nothing about its life is passed over. */
export function lifecycleOf(events: Iterable<{ readonly type: string; readonly payload: unknown }>): LifecycleState {
  let snapshot: MachineSnapshot<(typeof lifecycle)['logic']> = startMachine(lifecycle).snapshot;
  for (const event of events) {
    const step = stepOf(event);
    if (step !== undefined) ({ snapshot } = stepMachine(lifecycle, snapshot, step));
  }
  return snapshot.value as LifecycleState;
}

function stepOf({ type, payload }: { readonly type: string; readonly payload: unknown }): LifecycleEvent | undefined {
  if (type === 'agent.started') return { type: 'started' };
  if (type !== 'agent.exited') return undefined;
  return { type: (payload as AgentPayload<'agent.exited'>).returns ? 'failed' : 'ended' };
}
