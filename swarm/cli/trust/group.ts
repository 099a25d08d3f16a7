/** `ringmesh trust …`: what can be said on the command line, and which file does it. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Shell } from '../shell.ts';

export function trustGroup(program: Command, shell: Shell): void {
  const trust = program.command('trust').description('how far each agent is trusted, and why');

  asked(trust.command('ls'))
    .description('print every agent’s score as the log has it, highest first')
    .action(async (directory, options) => (await import('./list.ts')).list(shell, directory, options));

  asked(trust.command('show'))
    .argument('<agent>', 'its name or DID')
    .option('--class <name>', 'only this class of capability at the end: a family of tools, or a contract')
    .description('explain a score event by event: what happened, what it weighed, where it left the agent')
    .action(async (directory, agent, options) => (await import('./show.ts')).show(shell, directory, agent, options));
}

function asked(command: Command): Command {
  return command
    .argument('<dir>', 'the directory of the log')
    .option('--at <time>', 'the moment, as 2026-11-21T10:00:00Z or "now" (default: of the last event)', moment)
    .option('--json', 'JSON on stdout; errors as JSON on stderr');
}

function moment(text: string): number {
  const at = text === 'now' ? Date.now() : Date.parse(text);
  if (Number.isSafeInteger(at) && at >= 0) return at;
  throw new InvalidArgumentError('expected a moment such as 2026-11-21T10:00:00Z, or "now".');
}
