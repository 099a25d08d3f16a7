import { lifecycle } from '../../../runtime/actor/lifecycle.machine.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { diagramOf, type Machine } from '../../../runtime/core/machine.ts';
import { ringMachine } from '../../../runtime/kernel/ring.machine.ts';
import type { Shell } from '../shell.ts';

const MACHINES: ReadonlyMap<string, Machine> = new Map(
  [lifecycle as Machine, ringMachine as Machine].map((one) => [one.id, one]),
);

/** `machine show`: what a machine may do, from its own definition. */
export async function showMachine(shell: Shell, name: string | undefined): Promise<void> {
  const names = [...MACHINES.keys()].join('\n');
  const machine = name === undefined ? undefined : MACHINES.get(name);
  if (name !== undefined && machine === undefined) {
    throw new CodedError('machine.not_found', `expected one of ${names.replaceAll('\n', ', ')}; found ${name}`);
  }
  await shell.out.write(machine === undefined ? `${names}\n` : diagramOf(machine));
}
