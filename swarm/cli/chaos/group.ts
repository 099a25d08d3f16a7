/** `ringmesh chaos …`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function chaosGroup(program: Command, shell: Shell): void {
  program
    .command('chaos')
    .description('break something on purpose, and see whether all is well afterwards')
    .command('run')
    .argument('<file>', 'an experiment in the format of the Chaos Toolkit, in YAML or JSON; - for stdin')
    .description('run an experiment: exit 0 when all was well, 6 when not or when a fault was not seen to fire')
    .option('--journal <file>', 'write there what became of each step')
    .option('--json', 'the journal on stdout; errors as JSON on stderr')
    .action(async (file, options) => (await import('./run-experiment.ts')).runExperiment(shell, file, options));
}
