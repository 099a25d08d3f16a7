/** `ringmesh up`: what can be said on the command line, and which file does it. */
import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

export function upGroup(program: Command, shell: Shell): void {
  configured(program.command('up'))
    .description('run a swarm from its file: each step on stderr, at the end a summary, and the log verified')
    .option('--otel', 'spans by the OpenTelemetry SDK, configured by its OTEL_… variables; those ask for it, too')
    .option('--json', 'the summary, and errors, as JSON')
    .action(async (file, options) => (await import('./up.ts')).up(shell, file, options));
}

/** The file, and what overrides what it says. */
export function configured(command: Command): Command {
  return command
    .argument('<file>', 'a swarm file')
    .option('--log <dir>', 'the directory of the log (RINGMESH_LOG)')
    .option('--anchor <dir>', 'the directory of the log’s anchor (RINGMESH_ANCHOR)')
    .option('--keys <dir>', 'the realm’s folder of keys (RINGMESH_KEYS)')
    .option('--only <role>', 'run one role of the file, as a node of its own (RINGMESH_ONLY)')
    .option('--broker <host:port>', 'the broker of the realm, or spawn (RINGMESH_BROKER)')
    .option('--drain <time>', 'how long turns may take to come to an end, such as 10s (RINGMESH_DRAIN)')
    .option(
      '--health <port>',
      '/healthz, /readyz, /metrics on this port of 127.0.0.1, or on address:port (RINGMESH_HEALTH)',
    )
    .option('--set <name=value...>', 'a setting of the file; never a secret (RINGMESH_SET_NAME)');
}
