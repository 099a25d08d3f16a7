/** `ringmesh mesh …`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function meshGroup(program: Command, shell: Shell): void {
  const mesh = program.command('mesh').description('look at the nodes of a realm while they run');

  mesh
    .command('ls')
    .description('list the nodes of a realm: who answers, with which agents, under what load; all by their own word')
    .requiredOption('--server <host:port>', 'the realm’s broker')
    .requiredOption('--realm-folder <dir>', 'the realm’s folder, with the operator’s keys')
    .option('--wait <ms>', 'how long to wait for who does not answer', '2000')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (options) => (await import('./list.ts')).listNodes(shell, options));

  mesh
    .command('mailboxes')
    .description(
      'make a mailbox for every node of a realm, where others leave letters while it is away; needs JetStream',
    )
    .requiredOption('--server <host:port>', 'the realm’s broker')
    .requiredOption('--realm-folder <dir>', 'the realm’s folder, with the operator’s keys')
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (options) => (await import('./mailboxes.ts')).makeMailboxes(shell, options));
}
