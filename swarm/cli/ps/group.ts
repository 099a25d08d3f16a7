/** `ringmesh ps`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function psCommand(program: Command, shell: Shell): void {
  program
    .command('ps')
    .argument('[path...]', 'a swarm file, or directories of logs', ['swarm.yaml'])
    .description('list the agents of a swarm on this machine: ring, trust, mailbox, restarts, what each is at')
    .option('--all', 'those, too, that have ended')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (paths, options) => (await import('./ps.ts')).ps(shell, paths, options));
}
