/** `ringmesh policy …`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function policyGroup(program: Command, shell: Shell): void {
  const policy = program.command('policy').description('check policies, and test them');

  policy
    .command('check')
    .argument('<file...>', 'policies in YAML, compiled together as one bundle')
    .description('find what is wrong with policies: unknown keys, wrong types, rules that can never match')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (files, options) => (await import('./check-policies.ts')).checkPolicies(shell, files, options));

  policy
    .command('test')
    .argument('<file...>', 'tables of tests in YAML, each with the policies that it names')
    .description('run tables of what is given and what is expected')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (files, options) => (await import('./run-tables.ts')).runTables(shell, files, options));
}
