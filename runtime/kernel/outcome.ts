/**
 * What became of an action, as its author sees it. Never thrown: a denial is a value and crashes nobody.
 * `event` is the id of the event that explains it; absent only where refusals are so many that they are counted instead.
 */
import type { JsonValue } from '../codec/json.ts';
import type { EventId } from '../codec/record.ts';

export type Outcome<T = JsonValue> = Ok<T> | NotOk;

export type Ok<T = JsonValue> = { readonly type: 'ok'; readonly value: T; readonly event?: EventId };

/** Policy, or another gate, said no; or the agent that was asked did. */
export type Denied = Explained & { readonly type: 'denied'; readonly code: string; readonly message: string };
/** Not now: the other side is at its bound. */
export type Busy = Explained & { readonly type: 'busy'; readonly retryAfterMs: number };
/** No answer in time. Whether it happened is unknown. */
export type Timeout = Explained & { readonly type: 'timeout'; readonly withinMs: number };
/** Whoever was to answer has stopped, or does not exist. */
export type Died = Explained & { readonly type: 'died'; readonly message: string };
/** The input, or the answer, was not what its schema says. */
export type Invalid = Explained & { readonly type: 'invalid'; readonly code: string; readonly message: string };
/** It was tried and did not work. */
export type Failed = Explained & { readonly type: 'failed'; readonly code: string; readonly message: string };
/** An attempt that may or may not have happened, of an effect that must not be repeated. Somebody has to look. */
export type Unknown = Explained & { readonly type: 'unknown'; readonly message: string };

export type NotOk = Denied | Busy | Timeout | Died | Invalid | Failed | Unknown;

type Explained = { readonly event?: EventId };

/** What an attempt leaves behind for good: `unknown` is never silently turned into anything else. */
export function statusOf(outcome: Outcome<unknown>): 'ok' | 'failed' | 'unknown' {
  if (outcome.type === 'ok') return 'ok';
  return outcome.type === 'timeout' || outcome.type === 'unknown' || outcome.type === 'died' ? 'unknown' : 'failed';
}
