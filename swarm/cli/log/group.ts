/** `ringmesh log …`: what can be said on the command line, and which file does it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Shell } from '../shell.ts';

export function logGroup(program: Command, shell: Shell): void {
  const log = program.command('log').description('keep a log, prove what is in it, and check it');

  writing(log.command('append'))
    .description('append events from JSON lines on stdin; one JSON line out for each, once it is on disk')
    .addHelpText('after', APPEND_HELP)
    .action(async (directory, options) => (await import('./append.ts')).append(shell, directory, options));

  keyed(json(log.command('check-export').argument('<dir>', 'what "log export" wrote')))
    .description('check an export, with nothing but the log’s verifier key')
    .action(async (directory, options) => (await import('./check-export.ts')).checkExport(shell, directory, options));

  keyed(json(log.command('check-proof').argument('<file>', 'a C2SP tlog-proof; - for stdin')))
    .description('check a proof that "log prove" printed, with nothing but the log’s verifier key')
    .option('--record <file>', 'the bytes of the record, for a proof that does not carry them')
    .action(async (file, options) => (await import('./check-proof.ts')).checkProof(shell, file, options));

  writing(log.command('export'))
    .description('write the log as static files that a third party can serve and verify: C2SP tlog-tiles')
    .requiredOption('--out <dir>', 'a missing or empty directory')
    .option('--signed', 'up to the newest checkpoint there is, beside a writer; default: sign one over everything')
    .action(async (directory, options) => (await import('./export.ts')).exportTiles(shell, directory, options));

  anchored(json(log.command('init')).argument('<dir>', 'an empty or missing directory'))
    .description('make a log and its key')
    .option('--realm <name>', 'the first part of its origin (default: local)')
    .option('--node <name>', 'the second part (default: taken from the key)')
    .action(async (directory, options) => (await import('./init.ts')).init(shell, directory, options));

  writing(log.command('prove'))
    .description(
      'print a proof that an event is in the log, as C2SP tlog-proof: it carries the record and a checkpoint',
    )
    .argument('<index>', 'which event', count)
    .option('--size <n>', 'against the checkpoint that was signed at this size (default: the newest)', count)
    .action(async (directory, index, options) => (await import('./prove.ts')).prove(shell, directory, index, options));

  reading(log.command('replay'))
    .description('fold every stream again and compare states with the recorded ones; exit 5 at the first difference')
    .option('--agents <module...>', 'modules that export implementations; without them states are not compared')
    .option('--at <index>', 'only the events before this one', count)
    .option('--agent <name>', 'print the state of this agent')
    .action(async (directory, options) => (await import('./replay.ts')).replay(shell, directory, options));

  reading(log.command('show'))
    .description('print events: a table, or JSON lines')
    .option('--stream <name>', 'only events of this stream')
    .option('--type <type>', 'only events of this type; "orders.*" for all that begin so')
    .option('--from <index>', 'from this index on', count)
    .option('--to <index>', 'up to and without this index', count)
    .option('--limit <n>', 'at most this many', count)
    .option('--payload', 'print payloads that are kept beside the log, not only their digests')
    .action(async (directory, options) => (await import('./show.ts')).show(shell, directory, options));

  reading(log.command('stats'))
    .description('print how much is in the log')
    .action(async (directory, options) => (await import('./stats.ts')).stats(shell, directory, options));

  anchored(reserved(json(log.command('succeed').argument('<dir>', 'the directory of the log'))))
    .description('begin the next epoch of a log that can no longer be proved complete')
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--takeover', TAKEOVER)
    .action(async (directory, options) => (await import('./succeed.ts')).succeed(shell, directory, options));

  reading(log.command('why'))
    .argument('<event>', 'its index or its id')
    .description('print what led to an event, each cause under what it caused')
    .action(async (directory, event, options) => (await import('./why.ts')).why(shell, directory, event, options));

  keyed(anchored(json(log.command('verify').argument('<dir...>', 'the directory of the log, or of several'))))
    .description(
      'verify every record and all that is derived from it, the checkpoints, the keys and the anchor; several logs against one another, too',
    )
    .action(async (directories, options) => (await import('./verify.ts')).verify(shell, directories, options));
}

const APPEND_HELP = `
Each line: {"stream": "orders-7", "type": "import.recorded", "data": …}
  "id"     a UUID in lower case: the same event twice is recorded once (default: a new one)
  "actor"  the DID of who acted (default: the log's own)
Types that begin with "log." are the log's own. A bad line ends the run; what was acknowledged stays.`;

const TAKEOVER = 'take the log from a writer that may be alive';

function json(command: Command): Command {
  return command.option('--json', 'JSON on stdout; errors as JSON on stderr');
}

function reading(command: Command): Command {
  return json(command.argument('<dir>', 'the directory of the log'));
}

function writing(command: Command): Command {
  return reserved(anchored(reading(command)))
    .option('--takeover', TAKEOVER)
    .option('--new-anchor', 'go on although the anchor of a log that has signed is missing');
}

function keyed(command: Command): Command {
  return command
    .option('--vkey <key>', 'the verifier key that you trust: <origin>+<id>+<key>')
    .option('--vkey-file <file>', 'a file with that key, such as log.vkey');
}

function anchored(command: Command): Command {
  return command.addOption(
    new Option('--anchor <dir>', 'where the last checkpoint is kept (default: $XDG_STATE_HOME/ringmesh/anchors)').env(
      'RINGMESH_ANCHOR',
    ),
  );
}

function reserved(command: Command): Command {
  return command.option('--reserve <bytes>', 'disk to keep aside (default: 64 MiB)', count);
}

function count(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('expected a whole number, 0 or more.');
}
