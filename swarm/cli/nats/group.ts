/** `ringmesh nats …`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';
import { withBroker } from './broker-options.ts';

export function natsGroup(program: Command, shell: Shell): void {
  const nats = program.command('nats').description('prepare a NATS server for a realm');

  withBroker(nats.command('config'))
    .description('print a configuration for nats-server: one user per node, each with no more rights than it needs')
    .option('--realm <name>', 'the realm, 1 to 32 of a-z 0-9 and inner hyphens')
    .option('--node <node...>', 'a node’s folder of keys, or its public keys: did:key:…=U…')
    .option('--controller <node...>', 'the same, for nodes that may use the control lane')
    .option('--operator <keys...>', 'an operator and the login of his tools, by their public keys: did:key:…=U…')
    .option('--callout <dir>', 'the folder of a realm: the server asks `nats callout` who may log in, by its roster')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (options) => (await import('./config.ts')).config(shell, options));

  nats
    .command('callout')
    .description(
      'answer a server that asks who may log in: the nodes and the operator of a realm, as its roster is then',
    )
    .requiredOption(
      '--server <host:port>',
      'the realm’s broker: nats-server 2.10 or newer, after `nats config --callout`',
    )
    .requiredOption('--realm-folder <dir>', 'the realm’s folder')
    .option('--mailboxes', 'nodes may use their mailboxes (the broker has JetStream)')
    .option('--for <minutes>', 'how long a login lasts before the server asks again, 1 to 1440', '60')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (options) => (await import('./callout.ts')).serveLogins(shell, options));
}
