/**
 * Asking again where the answer was not about what was asked: too fast for one's ring (it says for how long), or allowed
 * and then overtaken by somebody's demotion, which makes every permit of before it worthless.
 */
import type { Outcome } from 'ringmesh/runtime';

/**
 * Ring 2 has twenty requests in a second, which all turns of an agent share: of those that wait for the next one, one gets it.
 * Whoever does not waits longer each time, so that they come one by one; all in all for half a minute at least.
 */
const TRIES_MAX = 60;
const LONGER_MS = 20;

export async function patiently<T>(
  ctx: { readonly sleep: (ms: number) => Promise<void> },
  attempt: () => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await attempt();
    if (tries === TRIES_MAX) return outcome;
    if (outcome.type === 'busy') await ctx.sleep(Math.max(outcome.retryAfterMs, (tries - 1) * LONGER_MS));
    else if (outcome.type !== 'denied' || outcome.code !== 'permit.stale') return outcome;
  }
}
