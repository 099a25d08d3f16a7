/** `ringmesh machine …`: the state machines of the house, for people who want to see them. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function machineGroup(program: Command, shell: Shell): void {
  program
    .command('machine')
    .description('show the state machines that the log is read by')
    .command('show')
    .argument('[name]', 'which one; without it, their names')
    .description('print a machine as a Mermaid state diagram')
    .action(async (name) => (await import('./show-machine.ts')).showMachine(shell, name));
}
