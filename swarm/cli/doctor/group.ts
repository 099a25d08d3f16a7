/** `ringmesh doctor`: what can be said on the command line, and which file does it. */
import { type Command, Option } from 'commander';
import type { Shell } from '../shell.ts';

export function doctorCommand(program: Command, shell: Shell): void {
  program
    .command('doctor')
    .description('look whether this machine can run a node, and say what to mend; exit 1 when something fails')
    .option('--log <dir>', 'a log too: its disk, its tail, its anchor')
    .option('--keys <dir>', 'a folder of keys too, or a realm’s: who else could read or change them')
    .option('--broker <url>', 'a NATS server that runs, instead of a program to spawn: nats://host:port')
    .option('--cgroup <dir...>', 'the control groups that nodes are given, to see what they enforce')
    .addOption(
      new Option('--anchor <dir>', 'where anchors are kept (default: $XDG_STATE_HOME/ringmesh/anchors)').env(
        'RINGMESH_ANCHOR',
      ),
    )
    .option('--json', 'JSON on stdout; errors as JSON on stderr')
    .action(async (options) => (await import('./doctor.ts')).doctor(shell, options));
}
