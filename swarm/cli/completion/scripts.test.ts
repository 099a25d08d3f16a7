import { Argument, Command, Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { bashScript } from './bash.ts';
import { branchesOf, stepsIn } from './branches.ts';
import { fishScript } from './fish.ts';
import { zshScript } from './zsh.ts';

function program(): Command {
  const all = new Command('ringmesh').description('everything');
  const log = all.command('log').description("a log's commands");
  log.command('show').argument('<dir>').option('--json', "it's JSON").addOption(new Option('--secret').hideHelp());
  log.command('hidden', { hidden: true });
  all.command('paint').addArgument(new Argument('<colour>').choices(['red', 'blue']));
  return all;
}

describe('the tree of commands, flat', () => {
  test('has every visible command with what may come next', () => {
    const branches = branchesOf(program());

    expect(branches.map(({ path, words }) => [path, words.map(({ name }) => name)])).toEqual([
      ['', ['log', 'paint', 'help']],
      ['log', ['show', 'help']],
      ['log show', []],
      ['log help', []],
      ['paint', ['red', 'blue']],
      ['help', []],
    ]);
    expect(branches.find(({ path }) => path === 'log show')?.options.map(({ name }) => name)).toEqual([
      '--json',
      '--help',
    ]);
    expect(stepsIn(branches)).toEqual([' log', 'log show', 'log help', ' paint', ' help']);
  });
});

describe('descriptions that hold quotes', () => {
  const branches = branchesOf(program());

  test('stay one word for zsh', () => {
    expect(zshScript(branches)).toContain("'--json:it'\\''s JSON'");
  });

  test('stay one word for fish', () => {
    expect(fishScript(branches)).toContain("-l 'json' -d 'it\\'s JSON'");
  });

  test('are not in the script for bash', () => {
    expect(bashScript(branches)).not.toContain('JSON');
  });
});
