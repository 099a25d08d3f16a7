/** One run of the command line: arguments in, exit code out. Every error of every command ends here. */
import { Command, CommanderError } from 'commander';
import { CodedError, hasCode } from '../../runtime/core/errors.ts';
import { version } from '../version.ts';
import { askCommand } from './ask/group.ts';
import { chaosGroup } from './chaos/group.ts';
import { completionCommand } from './completion/group.ts';
import { configGroup } from './config/group.ts';
import { delegationGroup } from './delegation/group.ts';
import { doctorCommand } from './doctor/group.ts';
import { EXIT_CODES } from './exit-code.ts';
import { explainCommand } from './explain/group.ts';
import { initCommand } from './init/group.ts';
import { keysGroup } from './keys/group.ts';
import { logGroup } from './log/group.ts';
import { machineGroup } from './machine/group.ts';
import { meshGroup } from './mesh/group.ts';
import { natsGroup } from './nats/group.ts';
import { policyGroup } from './policy/group.ts';
import { psCommand } from './ps/group.ts';
import { formatReport, reportOf } from './report.ts';
import { Interrupted, type Shell } from './shell.ts';
import { tailCommand } from './tail/group.ts';
import { trustGroup } from './trust/group.ts';
import { upGroup } from './up/group.ts';

/** The groups of commands, in the order of `--help`. A group adds its commands to the program, and loads no command's code. */
const GROUPS: readonly ((program: Command, shell: Shell) => void)[] = [
  askCommand,
  chaosGroup,
  configGroup,
  completionCommand,
  delegationGroup,
  doctorCommand,
  explainCommand,
  initCommand,
  keysGroup,
  logGroup,
  machineGroup,
  meshGroup,
  natsGroup,
  policyGroup,
  psCommand,
  tailCommand,
  trustGroup,
  upGroup,
];

/** The exit code, and the signal that ended the run, if one did. Writes to the shell; never throws. */
export async function run(
  args: readonly string[],
  shell: Shell,
): Promise<{ readonly code: number; readonly signal?: NodeJS.Signals }> {
  try {
    await programFor(shell).parseAsync(args, { from: 'user' });
    return { code: 0 };
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return { code: 0 }; // --help, --version
    if (thrown instanceof Interrupted) return { code: INTERRUPTED_BASE + signalNumber(thrown), signal: thrown.signal };
    const { text, exit } = reportedText(fromCommander(thrown), args, shell.env);
    const isHelp = thrown instanceof CommanderError && thrown.code.startsWith('commander.help');
    if (!isHelp && !hasCode(thrown, 'output.closed')) await shell.notes.write(text).catch(() => undefined);
    return { code: exit };
  }
}

/** What is said of an error, and the exit code; before it, for who asks, the stack. */
export function reportedText(
  thrown: unknown,
  args: readonly string[],
  env: Shell['env'],
): { readonly text: string; readonly exit: number } {
  const report = reportOf(thrown);
  const stack = env['RINGMESH_DEBUG'] === '1' ? `${stackOf(thrown)}\n` : '';
  return { text: stack + formatReport(report, isJson(args)), exit: report.exit };
}

function programFor(shell: Shell): Command {
  const program = new Command('ringmesh')
    .description('An event-sourced runtime for meshes of AI agents. stdout is data, stderr is the rest.')
    .version(version(), '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void shell.out.write(text).catch(() => undefined),
      writeErr: (text) => void shell.notes.write(text).catch(() => undefined),
      outputError: () => undefined, // `run` reports it
    })
    .addHelpText('afterAll', `\n${EXIT_CODES}`);
  for (const addTo of GROUPS) addTo(program, shell);
  return program;
}

/** Commander's own words, on one line and under one code of ours. */
function fromCommander(thrown: unknown): unknown {
  if (!(thrown instanceof CommanderError)) return thrown;
  return new CodedError('usage.invalid', thrown.message.replace(/^error: /, ''), { cause: thrown });
}

function isJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? undefined : end).includes('--json');
}

/** Shells report 128 and the number of the signal. */
const INTERRUPTED_BASE = 128;

function signalNumber({ signal }: Interrupted): number {
  return { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }[signal as 'SIGHUP' | 'SIGINT' | 'SIGTERM'] ?? 0;
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
