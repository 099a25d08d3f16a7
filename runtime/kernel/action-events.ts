/**
 * The four events that an action leaves in its agent's stream.
 *
 * `action.decided` is intent and verdict in one record, flushed before anything is attempted. `action.settled` is what
 * became of it. `action.abandoned` says that the permit was worthless when it was to be spent: nothing was attempted.
 * `action.refused_many` counts what would have flooded the log. An action that was decided with `allow` and is neither
 * settled nor abandoned is in doubt.
 */
import type { JsonValue } from '../codec/json.ts';
import type { Action, EffectClass, Risk } from './action.ts';
import type { Obligation } from './obligation.ts';
import type { NotOk, Outcome } from './outcome.ts';
import type { Withheld } from './review.ts';

export const ACTION_EVENTS = {
  decided: 'action.decided',
  settled: 'action.settled',
  abandoned: 'action.abandoned',
  refusedMany: 'action.refused_many',
} as const;

export type ActionDecided = {
  readonly key: string;
  readonly verb: Action['verb'];
  readonly target: string;
  readonly effect: EffectClass;
  readonly risk: Risk;
  readonly scope: string | null;
  /** Digest of what is done (`actionDigest`), base64url. */
  readonly digest: string;
  /** What the executor was given: redacted, if the policy wants it so. */
  readonly input: JsonValue;
  /** What was owed for the yes; absent where nothing was. */
  readonly owed?: readonly Obligation[];
  /** The moment that the gates decided by, and the agent's ring then; `null` where the policy knows no rings. */
  readonly at: number;
  readonly ring: number | null;
  /** From 1; more than 1 only where an attempt in doubt is repeated under the same key. */
  readonly attempt: number;
  /** Which gate refused, and what the author was told; `null` where the record's decision allows. */
  readonly refused: { readonly gate: string; readonly outcome: NotOk } | null;
  readonly note: { readonly [name: string]: JsonValue };
};

/** How an act was judged that is its own record (a message sent, or accepted from elsewhere): what that says of it, beside the
 *  decision, so that it can be counted again after a restart, and decided again. */
export type Judged = Pick<ActionDecided, 'at' | 'ring' | 'risk'> & { readonly owed: readonly Obligation[] };

export type ActionSettled = {
  readonly key: string;
  readonly status: 'ok' | 'failed' | 'unknown';
  /** What the author was told. */
  readonly outcome: Outcome;
  /** Of a result that the author may not see; the status says what became of the act itself. */
  readonly withheld?: Withheld;
  /** The places of the result that were replaced, as JSON pointers. */
  readonly redacted?: readonly string[];
  readonly note: { readonly [name: string]: JsonValue };
};

export type ActionAbandoned = {
  readonly key: string;
  readonly code: string;
  readonly note: { readonly [name: string]: JsonValue };
};

/** What the author of an abandoned action is told. */
export const ABANDONED = 'authority changed between the decision and the attempt';
