/**
 * Runs an experiment: steady state, method, steady state, rollbacks, steady state; and tells all of it in a journal. What it
 * does to the world it does through ports.
 *
 * R1. Without a steady state before it nothing of the method is done, and nothing needs to be rolled back.
 * R2. Once the method has begun the rollbacks are run, whatever fails and whoever interrupts; one that fails stops none.
 * R3. A fault counts when it was seen to fire. One that did not makes the run `failed`: nothing was learnt.
 * R4. A fault is armed no longer than the method lasts: when every step and every program of it has ended, what still
 *     waits for its moment is disarmed.
 * R5. A step that could not be done (no such program, out of time, an action that exits with another status than 0) ends the
 *     method. A tolerance that is not met is a deviation, in the method as in a hypothesis, and the method goes on.
 */
import { unreachable } from '../../runtime/core/assert.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError, hasCode, messageOf } from '../../runtime/core/errors.ts';
import type { Activity, Experiment, Fault, Program } from './experiment.ts';
import type { ActivityResult, FaultOutput, Journal, SteadyState } from './journal.ts';
import { type Ended, isTolerated } from './tolerance.ts';

/** A program without a `timeout` gets as long as this. */
const PROGRAM_SECONDS = 600;

/** So many events of a type in a log. */
export type Moment = { readonly log: string; readonly event: string; readonly count: number };

/** The nodes, each named by the directory of its log. */
export type Nodes = {
  /** Resolves once so many events of the type were appended after the call, to a log that may be there only later. */
  readonly seen: (moment: Moment, signal: AbortSignal) => Promise<void>;
  /** Each resolves when it was seen to have happened. @throws `chaos.no_node` · `chaos.not_fired` */
  readonly kill: (log: string) => Promise<FaultOutput>;
  readonly stop: (log: string, forMs: number) => Promise<FaultOutput>;
  readonly resume: (log: string) => Promise<FaultOutput>;
};

export type Phase = 'before' | 'method' | 'after' | 'rollback' | 'after rollbacks';

export type Ports = {
  readonly clock: Clock;
  /** Runs a program to its end; aborted, it ends the program and rejects with the reason. @throws `chaos.no_program` */
  readonly execute: (program: Pick<Program, 'path' | 'arguments'>, signal: AbortSignal) => Promise<Ended>;
  readonly nodes: Nodes;
  /** Told as it happens: what begins, and with a result what has ended. */
  readonly told: (phase: Phase, name: string, result?: ActivityResult) => void;
};

export async function run(experiment: Experiment, ports: Ports, signal: AbortSignal): Promise<Journal> {
  return new Run(experiment, ports).journal(signal);
}

class Run {
  readonly #experiment: Experiment;
  readonly #ports: Ports;

  constructor(experiment: Experiment, ports: Ports) {
    this.#experiment = experiment;
    this.#ports = ports;
  }

  async journal(signal: AbortSignal): Promise<Journal> {
    const { hypothesis, rollbacks, document } = this.#experiment;
    const elapsed = this.#stopwatch();
    const before = await this.#steadyState('before', signal);
    const isBegun = !signal.aborted && before?.steady_state_met !== false; // R1
    const ended = isBegun ? await this.#method(signal) : [];
    const after = isBegun ? await this.#steadyState('after', signal) : undefined;
    const undone: ActivityResult[] = [];
    const { signal: uninterrupted } = new AbortController(); // R2: each has its own bound
    for (const activity of isBegun ? rollbacks : [])
      undone.push(await this.#perform('rollback', activity, uninterrupted));
    const again =
      undone.length > 0 && hypothesis.length > 0 ? await this.#steadyState('after rollbacks', signal) : undefined;

    const run = ended.filter((result) => result !== undefined);
    const faults = this.#faults(ended);
    const deviated =
      [after, again].some((state) => state?.steady_state_met === false && !signal.aborted) ||
      run.some(({ tolerance_met }) => tolerance_met === false);
    const isWhole =
      !deviated &&
      [...run, ...undone].every(({ status }) => status === 'succeeded') &&
      faults.every(({ fired }) => fired);
    return {
      experiment: document,
      status: signal.aborted ? 'interrupted' : isBegun ? (isWhole ? 'completed' : 'failed') : 'aborted',
      deviated,
      ...elapsed(),
      steady_states: {
        ...(before && { before }),
        ...(after && { after }),
        ...(again && { after_rollbacks: again }),
      },
      run,
      rollbacks: undone,
      faults,
    };
  }

  /** Up to the first probe that is not within its tolerance; `undefined` where nothing is supposed, or nobody waits. */
  async #steadyState(phase: Phase, signal: AbortSignal): Promise<SteadyState | undefined> {
    const { hypothesis } = this.#experiment;
    if (hypothesis.length === 0 || signal.aborted) return undefined;
    const probes: ActivityResult[] = [];
    for (const probe of hypothesis) {
      const result = await this.#perform(phase, probe, signal);
      probes.push(result);
      if (result.tolerance_met !== true) return { steady_state_met: false, probes };
    }
    return { steady_state_met: true, probes };
  }

  /** What became of each step, in the order of the method; of those after the one that ended it, nothing. */
  async #method(signal: AbortSignal): Promise<readonly (ActivityResult | undefined)[]> {
    const { method } = this.#experiment;
    const results: (ActivityResult | undefined)[] = method.map(() => undefined);
    const broken = new AbortController();
    const disarmed = new AbortController();
    const programs: Promise<void>[] = [];
    const faults: Promise<void>[] = [];
    for (const [n, step] of method.entries()) {
      if (signal.aborted || broken.signal.aborted) break;
      const isFault = step.provider.type === 'mesh';
      const ends = [signal, broken.signal, ...(isFault ? [disarmed.signal] : [])];
      const ended = this.#perform('method', step, AbortSignal.any(ends)).then((result) => {
        results[n] = result;
        if (result.status === 'failed') broken.abort(notRun()); // R5
      });
      if (step.background === true) (isFault ? faults : programs).push(ended);
      else await ended;
    }
    await Promise.all(programs);
    disarmed.abort(new CodedError('chaos.not_fired', 'the method has ended, and the moment for it had not come')); // R4
    await Promise.all(faults);
    return results;
  }

  #faults(ended: readonly (ActivityResult | undefined)[]): Journal['faults'] {
    return this.#experiment.method.flatMap(
      ({ name, provider }, n) => (provider.type === 'mesh' ? [{ name, fired: ended[n]?.status === 'succeeded' }] : []), // R3
    );
  }

  async #perform(phase: Phase, activity: Activity, signal: AbortSignal): Promise<ActivityResult> {
    const { asWritten, name, pauses, provider } = activity;
    const tolerance = 'tolerance' in activity ? activity.tolerance : undefined;
    this.#ports.told(phase, name);
    const elapsed = this.#stopwatch();
    const attempt = async (): Promise<Pick<ActivityResult, 'status' | 'output' | 'tolerance_met' | 'exception'>> => {
      try {
        await this.#pause(pauses?.before, signal);
        const output =
          provider.type === 'process' ? await this.#execute(provider, signal) : await this.#strike(provider, signal);
        await this.#pause(pauses?.after, signal);
        if (!('status' in output)) return { status: 'succeeded', output };
        if (tolerance !== undefined)
          return { status: 'succeeded', output, tolerance_met: isTolerated(tolerance, output) };
        return { status: activity.type === 'probe' || output.status === 0 ? 'succeeded' : 'failed', output };
      } catch (error) {
        const exception = [hasCode(error) ? `${error.code}: ${error.message}` : messageOf(error)];
        return { status: 'failed', output: null, exception, ...(tolerance !== undefined && { tolerance_met: false }) };
      }
    };
    const ended = await attempt();
    const result = { activity: asWritten, ...ended, ...elapsed() };
    this.#ports.told(phase, name, result);
    return result;
  }

  #execute({ timeout = PROGRAM_SECONDS, ...program }: Program, signal: AbortSignal): Promise<Ended> {
    const late = new CodedError('chaos.timeout', `expected ${program.path} to end within ${timeout} s`);
    return this.#within(timeout, late, signal, (either) => this.#ports.execute(program, either));
  }

  async #strike(fault: Fault, signal: AbortSignal): Promise<FaultOutput> {
    const { nodes } = this.#ports;
    if ('when' in fault && fault.when !== undefined) {
      const { within, event, count, log = fault.log } = fault.when;
      const wanted = `${count} of ${event}`;
      const late = new CodedError('chaos.not_fired', `expected ${wanted} within ${within} s, and it did not come`);
      await this.#within(within, late, signal, (either) => nodes.seen({ log, event, count }, either));
    }
    signal.throwIfAborted();
    switch (fault.action) {
      case 'kill_node':
        return nodes.kill(fault.log);
      case 'stop_node':
        return nodes.stop(fault.log, fault.expires * 1_000);
      case 'resume_node':
        return nodes.resume(fault.log);
      default:
        return unreachable(fault);
    }
  }

  async #pause(seconds: number | undefined, signal: AbortSignal): Promise<void> {
    if (seconds === undefined) return;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    using _ = this.#ports.clock.after(seconds * 1_000, resolve);
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** The work, told to end when its time is over. */
  async #within<T>(
    seconds: number,
    late: Error,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const over = new AbortController();
    using _ = this.#ports.clock.after(seconds * 1_000, () => over.abort(late));
    return await work(AbortSignal.any([signal, over.signal]));
  }

  #stopwatch(): () => Pick<Journal, 'start' | 'end' | 'duration'> {
    const { clock } = this.#ports;
    const [start, from] = [rfc3339(clock.now()), clock.monotonicMs()];
    return () => ({ start, end: rfc3339(clock.now()), duration: Math.round(clock.monotonicMs() - from) / 1_000 });
  }
}

function notRun(): CodedError {
  return new CodedError('chaos.cut_short', 'another step of the method has failed');
}

function rfc3339(at: number): string {
  // biome-ignore lint/style/noRestrictedGlobals: it writes what it is given and reads no clock.
  return new Date(at).toISOString();
}
