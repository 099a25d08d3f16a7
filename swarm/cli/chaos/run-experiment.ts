/** `chaos run`: reads an experiment, runs it on this machine, and tells what became of it. */
import { writeFile } from 'node:fs/promises';
import { formatFault } from '../../../policies/document/fault.ts';
import { parseYaml } from '../../../policies/document/yaml-source.ts';
import { unreachable } from '../../../runtime/core/assert.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock, thisProcess } from '../../../runtime/core/system.ts';
import { type Experiment, parseExperiment } from '../../../sre/chaos/experiment.ts';
import { type ActivityResult, type Journal, verdictOf } from '../../../sre/chaos/journal.ts';
import { type Phase, run } from '../../../sre/chaos/run.ts';
import { formatFacts } from '../facts.ts';
import { readInput } from '../read-input.ts';
import { oneLine } from '../report.ts';
import { catchInterrupts, type Shell } from '../shell.ts';
import { executor } from './executor.ts';
import { LogWriters } from './log-writers.ts';

type RunOptions = { readonly journal?: string; readonly json?: boolean };

/** @throws `file.not_found` · `input.malformed` after telling each fault · `chaos.deviated` · `chaos.failed` ·
 *  `chaos.aborted` · {Interrupted} */
export async function runExperiment(shell: Shell, file: string, options: RunOptions): Promise<void> {
  const experiment = await experimentIn(shell, file);
  using interrupts = catchInterrupts();
  const { signal } = interrupts;
  const journal = await perform(shell, experiment, signal);
  const text = `${JSON.stringify(journal)}\n`;
  if (options.journal !== undefined) await writeFile(options.journal, text);
  await shell.out.write(options.json === true ? text : formatFacts(factsOf(experiment, journal), false));
  signal.throwIfAborted();
  mustBeWell(journal);
}

async function experimentIn(shell: Shell, file: string): Promise<Experiment> {
  const source = parseYaml(Buffer.from(await readInput(shell, file)).toString('utf8'), file);
  const experiment = source.ok ? parseExperiment(source.value, shell.env) : source;
  if (experiment.ok) return experiment.value;
  await shell.notes.write(`${experiment.error.map(formatFault).join('\n\n')}\n\n`);
  const { length } = experiment.error;
  const found = length === 1 ? 'one fault' : `${length} faults`;
  throw new CodedError('input.malformed', `expected an experiment without faults, found ${found}`);
}

async function perform(shell: Shell, experiment: Experiment, signal: AbortSignal): Promise<Journal> {
  await using nodes = new LogWriters({ clock: systemClock, identity: thisProcess() });
  // The clock's timers keep no process alive, and a pause may be all there is.
  const alive = setInterval(() => undefined, 60_000);
  try {
    const told = (phase: Phase, name: string, result?: ActivityResult): void => {
      void shell.notes.write(`${lineOf(phase, name, result)}\n`).catch(() => undefined);
    };
    const execute = executor({ env: shell.env, clock: systemClock });
    return await run(experiment, { clock: systemClock, execute, nodes, told }, signal);
  } finally {
    clearInterval(alive);
  }
}

function lineOf(phase: Phase, name: string, result?: ActivityResult): string {
  const line = `${phase.padEnd(15)}  ${oneLine(name)}`;
  if (result === undefined) return `${line} …`;
  const { status, tolerance_met, duration, output, exception } = result;
  const exit = output !== null && 'status' in output ? `, exit status ${output.status}` : '';
  const hit = output !== null && 'pid' in output ? `, process ${output.pid}` : '';
  const why = exception === undefined ? '' : `: ${oneLine(exception.join(' '))}`;
  const how = tolerance_met === false ? 'NOT TOLERATED' : status === 'failed' ? 'FAILED' : 'ok';
  return `${line}  ${how} after ${duration.toFixed(1)} s${exit}${hit}${why}`;
}

function factsOf({ title }: Experiment, journal: Journal) {
  const { duration, faults, run: steps, rollbacks } = journal;
  return {
    experiment: title,
    verdict: verdictOf(journal),
    seconds: duration,
    steps: steps.length,
    rollbacks: rollbacks.length,
    faults: faults.map(({ name, fired }) => `${name} (${fired ? 'fired' : 'not seen'})`),
  };
}

/** What is not well is an exit code, with the first reason. */
function mustBeWell(journal: Journal): void {
  const verdict = verdictOf(journal);
  const { steady_states: states, run: steps, rollbacks, faults } = journal;
  const probes = Object.values(states).flatMap((state) => state?.probes ?? []);
  const names = (bad: (result: ActivityResult) => boolean): string =>
    [...new Set([...probes, ...steps, ...rollbacks].filter(bad).map(nameOf))].join(', ');
  switch (verdict) {
    case 'completed':
    case 'interrupted': // it ends as the signal says
      return;
    case 'aborted':
      throw new CodedError('chaos.aborted', `expected a steady state to begin with: ${names(isBad)}`);
    case 'deviated':
      throw new CodedError('chaos.deviated', `expected all to be well afterwards: ${names(isBad)}`);
    case 'failed': {
      const unseen = faults.filter(({ fired }) => !fired).map(({ name }) => name);
      const what =
        unseen.length > 0 ? `every fault to be seen: ${unseen.join(', ')}` : `every step to be done: ${names(isBad)}`;
      throw new CodedError('chaos.failed', `expected ${what}`);
    }
    default:
      unreachable(verdict);
  }
}

function isBad({ status, tolerance_met }: ActivityResult): boolean {
  return status === 'failed' || tolerance_met === false;
}

function nameOf({ activity }: ActivityResult): string {
  return (activity as { readonly name: string }).name;
}
