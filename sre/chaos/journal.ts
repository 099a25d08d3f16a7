/**
 * What became of an experiment, in the form of the Chaos Toolkit's journal ("Experiment Journal"), with `faults` besides.
 *
 * As in its library a deviation is a flag: the status of a run that deviated is `failed`.
 */
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { Ended } from './tolerance.ts';

export type ActivityResult = {
  /** As the document has it: what it took from the environment is not told. */
  readonly activity: JsonValue;
  readonly status: 'succeeded' | 'failed';
  /** RFC 3339, UTC. */
  readonly start: string;
  readonly end: string;
  /** Seconds. */
  readonly duration: number;
  readonly output: Ended | FaultOutput | null;
  /** Where a tolerance was given. */
  readonly tolerance_met?: boolean;
  readonly exception?: readonly string[];
};

/** Whom a fault hit. */
export type FaultOutput = { readonly pid: number };

export type SteadyState = { readonly steady_state_met: boolean; readonly probes: readonly ActivityResult[] };

export type Journal = {
  readonly experiment: JsonValue;
  /** `aborted`: there was no steady state to begin with, and nothing was done. */
  readonly status: 'completed' | 'failed' | 'aborted' | 'interrupted';
  readonly deviated: boolean;
  readonly start: string;
  readonly end: string;
  readonly duration: number;
  /** `after_rollbacks` only where there are any: they may have broken what was sound (chaostoolkit-lib#94). */
  readonly steady_states: { readonly [When in 'before' | 'after' | 'after_rollbacks']?: SteadyState };
  readonly run: readonly ActivityResult[];
  readonly rollbacks: readonly ActivityResult[];
  /** Every fault of the method, and whether it was seen to fire. */
  readonly faults: readonly { readonly name: string; readonly fired: boolean }[];
};

export type Verdict = Journal['status'] | 'deviated';

export function verdictOf({ status, deviated }: Journal): Verdict {
  return deviated && status === 'failed' ? 'deviated' : status;
}
