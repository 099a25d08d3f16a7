/** `ringmesh explain`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function explainCommand(program: Command, shell: Shell): void {
  program
    .command('explain')
    .argument('[code]', 'what stands after "ringmesh: " in an error; without it, every code')
    .description('say what an error code means, and what to do about it')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (code, options) => (await import('./explain.ts')).explain(shell, code, options));
}
