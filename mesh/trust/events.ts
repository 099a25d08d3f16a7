/** The two events that trust adds to the log. `identity.learned` is evidence; `trust.changed` only tells what follows. */
import type { JsonValue } from '../../runtime/codec/json.ts';
import { fromBase64url, toBase64url } from '../../runtime/core/bytes.ts';

export const TRUST_EVENTS = { learned: 'identity.learned', changed: 'trust.changed' } as const;

/** The payload of `identity.learned`: a signed inception as it came, so that the fold takes nobody's word for a sponsor. */
export function identityLearned(inception: Uint8Array): JsonValue {
  return { inception: toBase64url(inception) };
}

/** The statement in such a payload. */
export function inceptionIn(payload: JsonValue): Uint8Array | undefined {
  const { inception } = (payload ?? {}) as { readonly inception?: unknown };
  return typeof inception === 'string' ? fromBase64url(inception) : undefined;
}
