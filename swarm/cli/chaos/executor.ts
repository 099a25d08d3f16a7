/** Programs of an experiment: each leads a process group, so that it can be ended with all that it has started. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';
import type { Clock } from '../../../runtime/core/clock.ts';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import type { Program } from '../../../sre/chaos/experiment.ts';
import type { Ports } from '../../../sre/chaos/run.ts';
import type { Shell } from '../shell.ts';

/** What is kept of each stream: its end. */
const OUTPUT_CHARACTERS_MAX = 64 * 1024;
/** An audit of several nodes closes its logs in as many seconds, at most. */
const STOP_MS_MAX = 30_000;

/** Runs programs with this process's environment. `node` is the Node that runs this process, whatever the PATH says. */
export function executor({ env, clock }: { readonly env: Shell['env']; readonly clock: Clock }): Ports['execute'] {
  const PATH = [dirname(process.execPath), env['PATH'] ?? ''].join(delimiter);
  return async (program, signal) => {
    signal.throwIfAborted();
    const child = spawn(program.path, argumentsOf(program), {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...env, PATH },
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] = (output[name] + text).slice(-OUTPUT_CHARACTERS_MAX);
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    child.on('error', (cause) => {
      reject(new CodedError('chaos.no_program', `expected a program ${program.path}: ${cause.message}`, { cause }));
    });
    child.on('close', (code, by) => resolve(code ?? SIGNALS_FROM + constants.signals[by ?? 'SIGKILL']));
    using stack = new DisposableStack();
    const end = (): void => {
      toGroup(child.pid, 'SIGTERM');
      stack.use(clock.after(STOP_MS_MAX, () => toGroup(child.pid, 'SIGKILL')));
    };
    signal.addEventListener('abort', end, { once: true });
    stack.defer(() => signal.removeEventListener('abort', end));
    const status = await promise;
    signal.throwIfAborted();
    return { status, ...output };
  };
}

/** As shells tell it: 128 and the signal's number. */
const SIGNALS_FROM = 128;

function argumentsOf({ arguments: given = [] }: Pick<Program, 'arguments'>): readonly string[] {
  if (Array.isArray(given)) return given.map(String);
  return Object.entries(given).flatMap(([name, value]) => (value === '' ? [name] : [name, String(value)]));
}

function toGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
