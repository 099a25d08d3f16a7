/**
 * What a call carries of the calls around it: who waits for its answer, and how much time is left.
 *
 * C1. An agent that already waits in the chain is not asked again: it could only wait for itself. The refusal names the path.
 * C2. A nested deadline never outlives the outer one.
 * C3. A chain has at most `CHAIN_AGENTS_MAX` agents: deeper is a loop with changing names.
 */
import type { Millis } from '../core/brand.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';

export const CHAIN_AGENTS_MAX = 32;

/** Less than this is not worth a message: the answer would come too late. */
const BUDGET_MS_MIN = 1;

export type Call = {
  /** Outermost first; the caller itself is the last. */
  readonly chain: readonly string[];
  readonly deadline: Millis;
};

/** The call that `caller` makes to `callee` while it answers `outer` (or on its own account), at `at`. */
export function nest(
  outer: Call | undefined,
  caller: string,
  callee: string,
  time: { readonly at: Millis; readonly withinMs: number },
): Result<Call, Refusal<'ask.cycle' | 'ask.too_deep' | 'ask.no_time'>> {
  const chain = [...(outer?.chain ?? []), caller];
  if (chain.includes(callee)) {
    const path = [...chain.slice(chain.indexOf(callee)), callee].join(' → ');
    return err({ code: 'ask.cycle', message: `expected no agent to wait for itself, found ${path}` });
  }
  if (chain.length >= CHAIN_AGENTS_MAX) {
    const message = `expected at most ${CHAIN_AGENTS_MAX} agents in a chain of calls, found one more`;
    return err({ code: 'ask.too_deep', message });
  }
  const own = time.at + time.withinMs;
  const deadline = Math.min(own, outer?.deadline ?? own) as Millis;
  if (deadline - time.at < BUDGET_MS_MIN) {
    return err({ code: 'ask.no_time', message: 'expected time left for an answer, found none' });
  }
  return ok({ chain, deadline });
}
