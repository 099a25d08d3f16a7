/** `ringmesh delegate`, `ringmesh revoke` and `ringmesh delegation …`: what can be said on the command line, and which file does it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Shell } from '../shell.ts';

export function delegationGroup(program: Command, shell: Shell): void {
  known(locked(json(program.command('delegate'))))
    .description('sign a delegation; prints the chain, root first, one token to a line')
    .requiredOption('--from <folder>', 'the keys of who gives: an operator or an agent')
    .requiredOption('--to <did>', 'who is given it: a DID, or a folder of keys')
    .requiredOption(
      '--command <path>',
      'what: /tool/mail/send, /tool/mail for all below it, /quote/price for a message',
    )
    .option('--where <predicate>', WHERE, many, [])
    .option('--parent <file>', 'the chain that gave it to who gives; - for stdin (default: a root of its own)')
    .option('--for <span>', 'how long: 90s, 15m, 8h, 30d (default: 15m, or what is left of the parent)')
    .option('--depth <n>', 'how many links may follow', count, 0)
    .option('--ceiling <n>', 'the trust that counts for it at most, 0 to 1000', count)
    .option('--calls <n>', 'how many calls', count)
    .option('--cents <n>', 'how much money', count)
    .option('--ms <n>', 'how much time', count)
    .option('--tokens <n>', 'how many tokens of a model', count)
    .option('--context <id>', 'only within this session, task or correlation')
    .addHelpText('after', WHERE_HELP)
    .action(async (options) => (await import('./delegate.ts')).delegate(shell, options));

  locked(json(program.command('revoke').argument('<target>', 'a delegation’s or certificate’s content id, or a DID')))
    .description('sign a revocation, and hand it to nodes that run, or print it. There is no way back')
    .requiredOption('--by <folder>', 'the keys of who revokes: an operator or an agent')
    .addOption(
      new Option('--as <purpose>', 'with which key of an operator')
        .choices(['operator', 'sponsor'])
        .default('operator'),
    )
    .requiredOption('--reason <text>', 'why, in one line, for everybody to read')
    .option('--of <path>', 'hand it to the nodes of this swarm file that run here, or to the one with this log')
    .option('--server <host:port>', 'hand it to a realm over its broker; with --realm-folder')
    .option('--realm-folder <dir>', 'the realm’s folder, with the operator’s keys')
    .option('--node <name>', 'to which node of the realm (default: the one that keeps its revocations)')
    .option('--wait <ms>', 'how long to wait for the node’s report', '5000')
    .action(async (target, options) => (await import('./revoke.ts')).revoke(shell, target, options));

  const delegation = program.command('delegation').description('look at delegations');

  known(json(delegation.command('show').argument('<file>', 'a chain, as "delegate" prints it; - for stdin')))
    .description('say who gave what to whom, and what is left; exit 5 if it does not hold')
    .option('--root <did>', 'who may begin a chain: a DID, or a folder of keys (default: anybody)', many, [])
    .option('--revocations <file>', 'statements that "revoke" printed, one to a line')
    .option('--log <dir>', 'a node’s log: what was spent there')
    .action(async (file, options) => (await import('./show.ts')).showDelegation(shell, file, options));
}

const WHERE = 'with which arguments; may be given more than once, and all must hold';
const WHERE_HELP = `
Predicates: 'name = left-pad' · 'name in left-pad, ms' · 'name like @acme/*' · 'cents <= 500' · 'path under /data'.
An argument within another is 'order.cents', every item of a list 'names.*'. A missing argument satisfies nothing.`;

function json(command: Command): Command {
  return command.option('--json', 'JSON on stdout; errors as JSON on stderr');
}

function locked(command: Command): Command {
  return command.option('--passphrase-file <file>', 'what the keys are encrypted under: the first line; - for stdin');
}

function known(command: Command): Command {
  return command.option('--known <folder>', 'the folder of an agent whose history is needed', many, []);
}

function many(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function count(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('expected a whole number, 0 or more.');
}
