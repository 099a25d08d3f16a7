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

  for (const [verb, what] of Object.entries(ORDERS)) {
    mesh
      .command(verb)
      .argument('[agent]', 'the agent; with --node alone, all agents of that node')
      .description(`${what}; signed with the operator’s key, and answered by the node under its own`)
      .requiredOption('--server <host:port>', 'the realm’s broker')
      .requiredOption('--realm-folder <dir>', 'the realm’s folder, with the operator’s keys')
      .option('--node <name>', 'the node; default: the one that the agent is at')
      .option('--why <line>', 'the reason, for the log', 'by the operator')
      .option('--wait <ms>', 'how long to wait for the node’s report', '5000')
      .option('--passphrase-file <file>', 'opens the operator’s key; - for stdin')
      .option('--json', 'JSON on stdout; errors as JSON on stderr')
      .action(async (agent: string | undefined, options) =>
        (await import('./order.ts')).giveOrder(shell, verb as keyof typeof ORDERS, agent, options),
      );
  }

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

const ORDERS = {
  suspend: 'stop an agent from taking turns until it is resumed; what arrives for it waits',
  resume: 'let an agent that was suspended go on',
  kill: 'end an agent, and its children before it; its supervisor does not start it again',
} as const;
