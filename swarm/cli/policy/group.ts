/** `ringmesh policy …`: what can be said on the command line, and which file does it. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Shell } from '../shell.ts';

export function policyGroup(program: Command, shell: Shell): void {
  const policy = program
    .command('policy')
    .description('check policies, test them, serve them, and explain what they decided');

  policy
    .command('check')
    .argument('<file...>', 'policies in YAML, compiled together as one bundle')
    .description('find what is wrong with policies: unknown keys, wrong types, rules that can never match')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (files, options) => (await import('./check-policies.ts')).checkPolicies(shell, files, options));

  policy
    .command('explain')
    .argument('<dir>', 'the directory of the log')
    .argument('<event>', 'the decision, or its outcome, by index or id')
    .description('tell why a recorded decision is what it is; exit 5 if it comes out otherwise when made again')
    .option('--bundle <file...>', 'the policies that decided, so that rules are told with file and line')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (directory, event, options) =>
      (await import('./explain-decision.ts')).explainDecision(shell, directory, event, options),
    );

  policy
    .command('replay')
    .argument('<dir>', 'the directory of the log')
    .description('make every recorded decision again from the log alone; exit 5 at a difference')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (directory, options) => (await import('./replay-decisions.ts')).replayAll(shell, directory, options));

  policy
    .command('serve')
    .description('decide for programs in any language: AuthZEN Authorization API 1.0 over HTTP')
    .requiredOption('--bundle <file...>', BUNDLE)
    .option('--key <name=did...>', KEY)
    .option('--quorum <n>', 'how many of the keys must have signed (default: 1)', count)
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .option('--port <n>', 'the port (default: one that is free)', count)
    .option('--allow-remote', 'listen on an address that is not loopback: plain HTTP, put TLS and a login before it')
    .option('--name <host...>', 'names besides localhost that clients may call it by')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (options) => (await import('./serve.ts')).serve(shell, options));

  policy
    .command('test')
    .argument('<file...>', 'tables of tests in YAML, each with the policies that it names')
    .description('run tables of what is given and what is expected')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (files, options) => (await import('./run-tables.ts')).runTables(shell, files, options));

  policy
    .command('what-if')
    .argument('<dir>', 'the directory of the log')
    .description('decide what was recorded under another bundle, and tell what would be answered otherwise')
    .requiredOption('--bundle <file...>', BUNDLE)
    .option('--key <name=did...>', KEY)
    .option('--fail-if-laxer', 'exit 1 if anything would be answered more freely')
    .option('--limit <n>', 'tell at most this many differences (default: 20)', count)
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (directory, options) => (await import('./what-if.ts')).whatIfUnder(shell, directory, options));
}

const BUNDLE = 'policies in YAML, or one signed bundle';
const KEY = 'who may sign a bundle, as name=did:key:…';

function count(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('expected a whole number, 0 or more.');
}
