/** What an agent asks the kernel for: one act upon the world, described completely before anything happens. */

import type { Did } from '../codec/did.ts';
import { type Digest, sha256 } from '../codec/digest.ts';
import { canonicalJson, type JsonValue } from '../codec/json.ts';
import type { Cause, EventId, StreamId } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';

/**
 * What may be done about an attempt whose outcome nobody knows:
 * `pure` compute again · `idempotent` try again with the same key · `reconcile` ask the world (probe) · `unsafe` tell the author.
 */
export type EffectClass = 'pure' | 'idempotent' | 'reconcile' | 'unsafe';

/** 0 harmless … 4 catastrophic. */
export type Risk = 0 | 1 | 2 | 3 | 4;

export type Action = {
  /** The idempotency key: the same act, however often it is attempted. `<turn>/<ordinal>` for what a turn does. */
  readonly key: string;
  /** The agent that acts, by name and by identity, and the stream that records it. */
  readonly agent: string;
  readonly actor: Did;
  readonly stream: StreamId;
  /** On whose behalf. */
  readonly principal?: Did;
  readonly verb: 'use' | 'ask' | 'tell' | 'spawn' | 'stop';
  /** The tool's name; for messages `<contract>.<message>@<agent>`. */
  readonly target: string;
  readonly effect: EffectClass;
  readonly risk: Risk;
  readonly scope?: string;
  readonly input: JsonValue;
  /** What whoever is addressed wants its callers to have, beside what the risk takes. */
  readonly needs?: { readonly trust?: number; readonly ring?: number };
  /** The approval that it stands under, by the event that granted it. */
  readonly under?: EventId;
  /** It comes from another node, which has decided it before, and what it says of itself was verified. */
  readonly isArrival?: boolean;
  /** How long one attempt may take. */
  readonly withinMs: number;
  readonly correlation?: EventId;
  readonly cause?: Cause;
  /** What else the records of this action say, for whoever folds them; asked for with each record. */
  readonly note?: () => { readonly [name: string]: JsonValue };
};

/** What an action does, without when and for which turn: what a permit is bound to and an approval names.
 *  @throws {AssertionError} `assert.failed`: an input that is not JSON data; whoever builds an action has checked it. */
export function actionDigest(action: Action): Digest {
  const { actor, verb, target, effect, risk, input } = action;
  const scope = action.scope ?? null;
  // In the order of their names: what is sorted is written natively.
  const named = { actor, effect, input, risk, scope, target, verb };
  return sha256(utf8(unwrap(canonicalJson(named), 'an action is data')));
}
