/** `ringmesh config …`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';
import { configured } from '../up/group.ts';

export function configGroup(program: Command, shell: Shell): void {
  const config = program.command('config').description('how a swarm would run');
  configured(config.command('show'))
    .description('print what flags, environment, swarm file and defaults come to; of secrets, only where they are')
    .option('--origin', 'tell where each value is from')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (file, options) => (await import('./show.ts')).show(shell, file, options));
}
