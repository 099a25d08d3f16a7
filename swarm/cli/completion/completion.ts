/** `completion`: a script for a shell, from the commands themselves, so that it never names what is not there. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';
import { bashScript } from './bash.ts';
import { branchesOf } from './branches.ts';
import { fishScript } from './fish.ts';
import { zshScript } from './zsh.ts';

export async function completion(shell: Shell, program: Command, which: 'bash' | 'zsh' | 'fish'): Promise<void> {
  const script = { bash: bashScript, zsh: zshScript, fish: fishScript }[which];
  await shell.out.write(script(branchesOf(program)));
}
