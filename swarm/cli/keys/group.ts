/** `ringmesh keys …`: what can be said on the command line, and which file does it. */
import { type Command, Option } from 'commander';
import { withBroker } from '../nats/broker-options.ts';
import type { Shell } from '../shell.ts';

export function keysGroup(program: Command, shell: Shell): void {
  const keys = program.command('keys').description('make, show and end the keys of operators, nodes and agents');

  const make = keys.command('new').description('make keys in a missing or empty folder');
  for (const kind of ['operator', 'node'] as const) {
    locked(json(make.command(kind).argument('<dir>', 'a missing or empty folder')))
      .description(kind === 'node' ? 'the keys of a node: messages, login, witness' : 'the keys of a human operator')
      .action(async (directory, options) =>
        (await import('./make.ts')).makeKeys(shell, directory, { ...options, kind }),
      );
  }
  sponsored(locked(json(make.command('agent').argument('<dir>', 'a missing or empty folder'))), true)
    .description('the keys of an agent, and its inception, countersigned by its sponsor')
    .requiredOption('--name <name>', '1 to 63 of a-z 0-9 and inner hyphens')
    .action(async (directory, options) => (await import('./make.ts')).makeAgent(shell, directory, options));

  json(withBroker(keys.command('realm').argument('<file>', 'a swarm file')))
    .description(
      'make all that the nodes of a swarm file need before they start: keys, roster, delegations; keep what is there',
    )
    .option('--keys <dir>', 'the realm’s folder of keys (RINGMESH_KEYS)')
    .option('--broker-config <file>', 'write a configuration for nats-server there, too, with a user for each node')
    .action(async (file, options) => (await import('./realm.ts')).makeRealm(shell, file, options));

  json(keys.command('show').argument('<dir>', 'a folder of keys'))
    .description('print whose keys they are and how they are kept; opens none')
    .action(async (directory, options) => (await import('./show.ts')).showKeys(shell, directory, options));

  locked(json(keys.command('rotate').argument('<dir>', 'the folder of an agent')))
    .description('end the key in force and begin the next one; the DID stays')
    .action(async (directory, options) => (await import('./change.ts')).rotateKeys(shell, directory, options));

  sponsored(locked(json(keys.command('revoke').argument('<dir>', 'the folder of an agent'))), false)
    .description('end an agent’s identity for good; there is no way back')
    .requiredOption('--reason <text>', 'why, in one line, for everybody to read')
    .action(async (directory, options) => (await import('./change.ts')).revokeKeys(shell, directory, options));
}

function json(command: Command): Command {
  return command.option('--json', 'JSON on stdout; errors as JSON on stderr');
}

function locked(command: Command): Command {
  return command.option('--passphrase-file <file>', 'what the keys are encrypted under: the first line; - for stdin');
}

function sponsored(command: Command, isNeeded: boolean): Command {
  const sponsor = new Option('--sponsor <file>', 'the sponsor.key of the operator who answers for the agent');
  return command
    .addOption(sponsor.makeOptionMandatory(isNeeded))
    .option('--sponsor-passphrase-file <file>', 'what that key is encrypted under');
}
