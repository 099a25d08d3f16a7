/** `ringmesh init`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function initCommand(program: Command, shell: Shell): void {
  program
    .command('init')
    .argument('<dir>', 'an empty or missing directory')
    .description('make a project with one governed agent that runs at once, its policy and its tests')
    .option(
      '--ringmesh <spec>',
      'where npm gets this package from, such as file:../ringmesh.tgz (default: its version)',
    )
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (directory, options) => (await import('./init.ts')).init(shell, directory, options));
}
