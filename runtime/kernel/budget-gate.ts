/**
 * How fast: the request rate of an agent's ring, the rate of a tool, and how many effects may be under way at once.
 *
 * B1. What is refused takes nothing. What is allowed takes its place when the permit is made, in the tick of the decision,
 *     so that two acts decided together cannot both have the last place.
 * B2. A rate is per (agent, tool) or per agent; a bucket that has drained is forgotten.
 * B3. A restart gives nobody a fresh bucket: whoever starts a node tells `relive` of every recorded act that was allowed, in
 *     the order of the log, the agents' rings being as they were then.
 */
import type { Millis } from '../core/brand.ts';
import type { Action } from './action.ts';
import type { Gate, GateAnswer } from './gate.ts';
import { type ArrivalUs, admitAt, type Rate, taken } from './rate.ts';
import type { Ring } from './ring.ts';
import { RING_LIMITS } from './ring.ts';

export type BudgetParts = {
  readonly ringOf: (agent: string) => Ring;
  /** The tool's own limit per agent, from its manifest. */
  readonly rateOf?: (act: Act) => Rate | undefined;
};

/** Whose act upon what: all that a rate is counted by. */
type Act = Pick<Action, 'agent' | 'target'>;

export interface BudgetGate extends Gate {
  /** Takes what an allowed act took when it was decided (B3). */
  relive(act: Act, at: Millis): void;
}

/** Buckets remembered; past it those that have drained are dropped, and they are as good as new. */
const BUCKETS_MAX = 100_000;

export function budgetGate(parts: BudgetParts): BudgetGate {
  const arrivals = new Map<string, ArrivalUs>();
  const underWay = new Map<string, number>();

  const ratesOf = (action: Act): readonly (readonly [string, Rate])[] => {
    const ring = RING_LIMITS[parts.ringOf(action.agent)].requests;
    const tool = parts.rateOf?.(action);
    return [
      ...(ring === undefined ? [] : [[`agent ${action.agent}`, ring] as const]),
      ...(tool === undefined ? [] : [[`tool ${action.target} ${action.agent}`, tool] as const]),
    ];
  };

  const take = (act: Act, at: Millis): void => {
    for (const [bucket, rate] of ratesOf(act)) arrivals.set(bucket, taken(arrivals.get(bucket) ?? 0, rate, at));
    if (arrivals.size > BUCKETS_MAX) forgetDrained(arrivals, at);
  };

  return {
    relive: take,
    check({ action, at }): GateAnswer {
      for (const [bucket, rate] of ratesOf(action)) {
        const answer = admitAt(arrivals.get(bucket) ?? 0, rate, at);
        if (!answer.isAllowed) {
          const message = `expected at most ${rate.count} in ${rate.periodMs} ms for ${bucket}`;
          return { verdict: 'deny', code: 'budget.too_fast', message, retryAfterMs: answer.retryAfterMs };
        }
      }
      const most = RING_LIMITS[parts.ringOf(action.agent)].concurrentEffectsMax ?? Number.POSITIVE_INFINITY;
      if (action.verb !== 'use' || (underWay.get(action.agent) ?? 0) < most) return { verdict: 'allow' };
      const message = `expected at most ${most} effects of ${action.agent} at once`;
      return { verdict: 'deny', code: 'budget.too_many_at_once', message, retryAfterMs: RETRY_MS };
    },
    hold({ action, at }): Disposable {
      take(action, at);
      if (action.verb !== 'use') return { [Symbol.dispose]: () => undefined };
      underWay.set(action.agent, (underWay.get(action.agent) ?? 0) + 1);
      return {
        [Symbol.dispose]() {
          const left = (underWay.get(action.agent) ?? 1) - 1;
          if (left === 0) underWay.delete(action.agent);
          else underWay.set(action.agent, left);
        },
      };
    },
  };
}

/** There is no telling when an effect ends; this is when to ask again. */
const RETRY_MS = 100;

function forgetDrained(arrivals: Map<string, ArrivalUs>, at: Millis): void {
  for (const [bucket, arrival] of arrivals) if (arrival <= at * 1_000) arrivals.delete(bucket);
}
