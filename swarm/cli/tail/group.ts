/** `ringmesh tail`: what can be said on the command line, and which file does it. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Shell } from '../shell.ts';

export function tailCommand(program: Command, shell: Shell): void {
  program
    .command('tail')
    .argument('<dir>', 'the directory of the log')
    .description('tell what happens in a log, in words, while another process writes it; Ctrl-C ends it')
    .option('--agent <name>', 'only what concerns this agent; "audit/*" for all whose names begin so')
    .option('--type <type...>', 'only events of these types; "action.*" for all that begin so')
    .option('--since <index>', 'from this index on (default: the last ten events)', index)
    .option('--follow', 'go on when the end is reached (the default)')
    .option('--no-follow', 'end there')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (directory, options) => (await import('./tail.ts')).tail(shell, directory, options));
}

function index(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('expected a whole number, 0 or more.');
}
