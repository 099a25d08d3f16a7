/** The tree of commands, flat: at each place, the words that may come next. */
import { type Command, Help } from 'commander';

export type Word = { readonly name: string; readonly description: string };

export type Branch = {
  /** The names from the first one on, with a space between: `log append`; `''` for the program itself. */
  readonly path: string;
  /** Commands, or what its first argument may be. Where there are none, a file's name is meant. */
  readonly words: readonly Word[];
  /** As they are written in full, `--json`. */
  readonly options: readonly Word[];
};

/** Every command that `--help` shows, parents first. */
export function branchesOf(program: Command): readonly Branch[] {
  const help = new Help();
  const walk = (command: Command, path: string): readonly Branch[] => {
    const below = help.visibleCommands(command);
    const words = below.map((one) => ({ name: one.name(), description: one.summary() || one.description() }));
    const choices = command.registeredArguments[0]?.argChoices ?? [];
    const options = help.visibleOptions(command).flatMap(({ long, description }): Word[] => {
      return long === undefined || long === null ? [] : [{ name: long, description }];
    });
    const own = { path, words: [...words, ...choices.map((name) => ({ name, description: '' }))], options };
    return [own, ...below.flatMap((one) => walk(one, `${path} ${one.name()}`.trim()))];
  };
  return walk(program, '');
}

/** How scripts find out where they are: `<path> <word>` for each command, by which they go one further. */
export function stepsIn(branches: readonly Branch[]): readonly string[] {
  return branches
    .map(({ path }) => path)
    .filter((path) => path !== '')
    .map((path) => (path.includes(' ') ? path : ` ${path}`));
}
