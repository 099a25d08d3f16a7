/** `npm run up`: audits the dependencies of an npm project. `--help` says how, and what the exit codes mean. */
import { homedir } from 'node:os';
import { CodedError, hasCode, systemClock, systemRandom, thisProcess } from 'ringmesh/runtime';
import { runAudit } from './audit.ts';
import { HELP, parseOptions } from './options.ts';
import { ProgressLine } from './progress-line.ts';
import { exitCodeOf, formatSummary } from './summary.ts';

const interrupt = new AbortController();
let interruptedBy: NodeJS.Signals | undefined;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => {
    interruptedBy = name; // a second one ends the process at once
    interrupt.abort(new CodedError('audit.interrupted', `${name}: run it again to go on`));
  });
}

// The clock's timers keep no process alive, and between two requests an audit may wait on nothing else.
const alive = setInterval(() => undefined, 60_000);
try {
  process.exitCode = await main();
} catch (caught) {
  // A tool that cannot be made says why.
  const error = hasCode(caught, 'swarm.module_unusable') && hasCode(caught.cause) ? caught.cause : caught;
  process.stderr.write(`${hasCode(error) ? `${error.code}: ` : ''}${error instanceof Error ? error.message : error}\n`);
  process.exitCode = hasCode(error) && /^(usage|lock|file|npm)\./.test(error.code) ? 2 : 1;
} finally {
  clearInterval(alive);
}
// Whoever waits for us learns that a signal ended us, as if it had not been caught.
if (interruptedBy !== undefined) process.kill(process.pid, interruptedBy);

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), { cwd: process.cwd(), home: homedir(), env: process.env });
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const { stderr } = process;
  stderr.write(`audit: ${options.lock}, log in ${options.log}\n`);
  const line = new ProgressLine({
    columns: stderr.isTTY ? stderr.columns : undefined,
    write: (text) => void stderr.write(text),
  });
  const ports = {
    clock: systemClock,
    random: systemRandom,
    identity: thisProcess(),
    searchPath: process.env['PATH'],
    execArgv: process.execArgv, // how this process finds modules is how its children do
    onProgress: line.show.bind(line),
    printed: (who: string, text: string) => void stderr.write(`${who}: ${text}`),
  };
  const summary = await runAudit(options, ports, interrupt.signal).finally(() => line.end());
  process.stdout.write(formatSummary(summary, options.isJson));
  return exitCodeOf(summary, options.failOn);
}
