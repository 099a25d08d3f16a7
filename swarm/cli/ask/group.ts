/** `ringmesh ask`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function askCommand(program: Command, shell: Shell): void {
  program
    .command('ask')
    .argument('<agent>', 'an agent by name')
    .argument('<message>', 'a message of its contract')
    .argument('[json]', 'what it is given, as JSON; - for stdin', '{}')
    .description('ask an agent of a swarm that runs, as its operator: decided by its policy, and on record')
    .option('--of <path>', 'the swarm file, or the directory of the log of its node', 'swarm.yaml')
    .option('--server <host:port>', 'the broker of a realm, to ask an agent of any of its nodes; with --realm-folder')
    .option('--realm-folder <dir>', 'the realm’s folder, with the operator’s keys')
    .option('--node <name>', 'the agent’s node, where the realm does not say it')
    .option('--passphrase-file <file>', 'opens the operator’s key; - for stdin')
    .option('--within <time>', 'how long to wait for the answer, such as 30s', '30s')
    .option('--json', 'the outcome, and errors, as JSON')
    .action(async (agent, message, json, options) =>
      (await import('./ask.ts')).ask(shell, { agent, message, json }, options),
    );
}
