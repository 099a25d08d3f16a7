/** `ringmesh ask`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function askCommand(program: Command, shell: Shell): void {
  program
    .command('ask')
    .argument('<agent>', 'an agent by name')
    .argument('<message>', 'a message of its contract')
    .argument('[json]', 'what it is given, as JSON; - for stdin', '{}')
    .description(
      'ask an agent of a swarm that runs on this machine, as its operator: decided by its policy, and on record',
    )
    .option('--of <path>', 'the swarm file, or the directory of the log of its node', 'swarm.yaml')
    .option('--within <time>', 'how long to wait for the answer, such as 30s', '30s')
    .option('--json', 'the outcome, and errors, as JSON')
    .action(async (agent, message, json, options) =>
      (await import('./ask.ts')).ask(shell, { agent, message, json }, options),
    );
}
