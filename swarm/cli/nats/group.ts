/** `ringmesh nats …`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';
import { withBroker } from './broker-options.ts';

export function natsGroup(program: Command, shell: Shell): void {
  const nats = program.command('nats').description('prepare a NATS server for a realm');

  withBroker(nats.command('config'))
    .description('print a configuration for nats-server: one user per node, each with no more rights than it needs')
    .requiredOption('--realm <name>', 'the realm, 1 to 32 of a-z 0-9 and inner hyphens')
    .requiredOption('--node <node...>', 'a node’s folder of keys, or its public keys: did:key:…=U…')
    .option('--controller <node...>', 'the same, for nodes that may use the control lane')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (options) => (await import('./config.ts')).config(shell, options));
}
