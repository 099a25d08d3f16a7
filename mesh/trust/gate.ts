/**
 * Trust where acts are decided: what an act needs follows from one table, by its risk class, whoever acts and wherever.
 *
 * G1. `trustNeeded` is that table, for tools, messages and children alike; a contract may want more of its callers, never
 *     less. A pure computation is of class 0 whatever it says, and so is stopping somebody.
 * G2. The score that counts is the folded one, or what an operator vouches for while he does. The ceilings of the chain are
 *     the delegation gate's to hold against the same need.
 * G3. Class 4 needs a human besides.
 * G4. What arrived from another node was held against its own sender when it was admitted.
 */
import type { Millis } from '../../runtime/core/brand.ts';
import type { Refusal, Result } from '../../runtime/core/result.ts';
import type { Action, Risk } from '../../runtime/kernel/action.ts';
import type { Gate, GateAnswer } from '../../runtime/kernel/gate.ts';
import { RISK_GATES } from './rules.ts';
import type { Required } from './trust.ts';

/** The effective score that an act of this class needs, of callers from whom `wanted` is asked (G1). A class that there is
 *  none of is worse than the worst: nobody has that much. */
export function trustNeeded(risk: Risk, wanted = 0): number {
  return Math.max(RISK_GATES[risk] ?? Number.POSITIVE_INFINITY, wanted);
}

/** The class that counts (G1). */
export function classOf({ verb, effect }: Pick<Action, 'verb' | 'effect'>, risk: Risk): Risk {
  return verb === 'stop' || (verb === 'use' && effect === 'pure') ? 0 : risk;
}

export type TrustGateParts = {
  /** Whether the agent is trusted enough: `Trust.verifyAgent`. */
  readonly verify: (agent: string, required: Required) => Result<unknown, Refusal>;
  /** The score that an operator vouches for (G2). Default: none. */
  readonly vouchedFor?: (agent: string, at: Millis) => number;
  /** The risk class of an act, where more is known of it than it says itself. */
  readonly riskOf?: (action: Action) => Risk;
};

/** The kernel's gate `trust`. */
export function trustGate({ verify, vouchedFor = () => 0, riskOf = ({ risk }) => risk }: TrustGateParts): Gate {
  return {
    check({ action, at }): GateAnswer {
      const risk = classOf(action, riskOf(action));
      const required = trustNeeded(risk, action.needs?.trust);
      const isFree = required === 0 || action.isArrival === true; // G4
      const isVouchedFor = vouchedFor(action.agent, at) >= required;
      if (!isFree && !isVouchedFor) {
        const verified = verify(action.agent, { required, risk, at, act: action.key });
        if (!verified.ok) return { verdict: 'deny', ...verified.error };
      }
      if (risk < CATASTROPHIC) return { verdict: 'allow' };
      const message = `expected an approval for ${action.target}, of risk class ${risk}`;
      return { verdict: 'escalate', code: 'trust.needs_approval', message }; // G3
    },
  };
}

const CATASTROPHIC: Risk = 4;
