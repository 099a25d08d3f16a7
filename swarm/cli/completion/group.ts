/** `ringmesh completion`: what can be said on the command line, and which file does it. */
import { Argument, type Command } from 'commander';
import type { Shell } from '../shell.ts';

export function completionCommand(program: Command, shell: Shell): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'for which shell').choices(['bash', 'zsh', 'fish']))
    .description('print a script that completes commands and options')
    .addHelpText('after', HELP)
    .action(async (which) => (await import('./completion.ts')).completion(shell, program, which));
}

const HELP = `
bash: eval "$(ringmesh completion bash)"                                            in ~/.bashrc
zsh:  eval "$(ringmesh completion zsh)"                                             in ~/.zshrc, after compinit
fish: ringmesh completion fish > ~/.config/fish/completions/ringmesh.fish`;
