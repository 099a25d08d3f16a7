/**
 * The events of delegation: what a node came to know and what was spent where no action of its own records it. One sample
 * of every version is kept for ever under `golden/`.
 *
 * `delegation.granted` and `authority.revoked` hold the very tokens and statements, so that a restart verifies them anew;
 * they stand in the stream `authority`. `budget.debited` stands beside what was paid for.
 */
import type { JsonValue } from '../../runtime/codec/json.ts';
import { cid, line } from '../fields.ts';
import { DELEGATION_CHAIN_MAX, JWT_CHARACTERS_MAX, STATEMENT_BYTES_MAX } from '../limits.ts';
import { list, type Of, object, optional, type Shape, text } from '../strict-json.ts';
import { amount } from './amount.ts';

export const DELEGATION_EVENTS = {
  /** A delegation became known here, whoever minted it. */
  'delegation.granted': {
    1: object({ delegation: cid, token: text('a token', (found) => found.length <= JWT_CHARACTERS_MAX) }),
  },
  /** A revocation became known here. */
  'authority.revoked': {
    1: object({
      reason: line,
      statement: text('a signed statement', (found) => found.length <= STATEMENT_BYTES_MAX),
      target: line,
    }),
  },
  /** A revocation that was handed in here was not taken. `by` and `target` are there if its signatures hold. */
  'authority.revocation_refused': {
    1: object({ by: optional(line), code: line, detail: line, target: optional(line) }),
  },
  /** A message was obeyed under a chain, root first, and paid for; `key` is the message. Once per key. */
  'budget.debited': { 1: object({ amount, delegations: list(cid, DELEGATION_CHAIN_MAX), key: line }) },
} as const;

export type DelegationEventType = keyof typeof DELEGATION_EVENTS;
export type DelegationPayload<T extends DelegationEventType> = Of<(typeof DELEGATION_EVENTS)[T][1]>;

export const AUTHORITY_STREAM = 'authority';

/** The payload, if it is one of the newest version. */
export function parsePayload<T extends DelegationEventType>(
  type: T,
  value: JsonValue,
): DelegationPayload<T> | undefined {
  const shape = DELEGATION_EVENTS[type][1] as Shape<DelegationPayload<T>>;
  return shape.faultIn(value, '') === undefined ? (value as DelegationPayload<T>) : undefined;
}
