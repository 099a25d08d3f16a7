/**
 * Delegation where acts are decided: before an agent of this node does something (the kernel's gate), and before a message of
 * another's is obeyed (a check of admission).
 *
 * T1. What no chain of the acting agent allows is denied. There is no way around a chain: who is to act freely has one from
 *     an operator.
 * T2. The gate reserves in the tick of the decision what the act may cost (`ledger.ts` B2), under the very chain that was
 *     recorded with it.
 * T3. A message names its chain; no other is looked for. Its arguments are read once, from the bytes that were signed, and a text
 *     that could be read in two ways is refused.
 */
import type { Did } from '../../runtime/codec/did.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { scanJson } from '../../runtime/codec/json-scan.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { view } from '../../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import type { Action, Risk } from '../../runtime/kernel/action.ts';
import type { Gate, GateAnswer } from '../../runtime/kernel/gate.ts';
import type { Admitted, Check } from '../admit.ts';
import { isAnswer } from '../head.ts';
import type { Amount } from './amount.ts';
import type { Authority, DelegationView, Grant, Invocation } from './chain.ts';
import { commandOf } from './command.ts';
import type { Delegations } from './delegations.ts';
import { isPaidFor, keyOf, type Ledger } from './ledger.ts';
import type { DelegationPayload } from './vocabulary.ts';

/** What both sides of a node decide by. */
export type DelegationParts = {
  readonly authority: Authority;
  readonly delegations: Delegations;
  readonly ledger: Ledger;
  /** When the revocations were last known to be complete. A realm of one node knows its own: `() => clock.now()`. */
  readonly heardAt: () => Millis;
};

export type DelegationGateParts = DelegationParts & {
  /** The identity under which an agent was given something; default: the action's actor. */
  readonly agentOf?: (action: Action) => Did;
  /** Whether an action needs a chain; default: every one does (T1). */
  readonly mustDelegate?: (action: Action) => boolean;
  /** The trust that an action needs, where some is needed. */
  readonly trustFor?: (action: Action) => number | undefined;
};

/** The kernel's gate `delegation`. */
export function delegationGate(parts: DelegationGateParts): Gate {
  const { delegations, ledger, mustDelegate = () => true, agentOf = ({ actor }) => actor } = parts;
  const grantFor = (action: Action, at: Millis): Result<Grant, Refusal> => {
    const command = commandOf(action);
    if (!command.ok) return command;
    const trust = parts.trustFor?.(action);
    const invocation: Invocation = {
      agent: agentOf(action),
      command: command.value,
      args: action.input,
      risk: action.risk,
      cost: costOf(action),
      ...(action.correlation === undefined ? {} : { context: action.correlation }),
      ...(trust === undefined ? {} : { trust }),
    };
    return delegations.find(invocation, at, viewOf(parts));
  };
  /** An act that is tried again has paid already. */
  const costOf = (action: Action): Amount =>
    isPaidFor(action) && !ledger.isOpen(keyOf(action.stream, action.key)) ? ledger.costOf(action) : {};
  return {
    check({ action, at }): GateAnswer {
      if (!mustDelegate(action)) return { verdict: 'allow' };
      if (isPaidFor(action) && ledger.isFull) return BUSY;
      const grant = grantFor(action, at);
      if (!grant.ok) return { verdict: 'deny', ...grant.error };
      return { verdict: 'allow', delegations: grant.value.cids };
    },
    hold({ action, at }): Disposable {
      const grant = isPaidFor(action) && mustDelegate(action) ? grantFor(action, at) : undefined;
      if (grant?.ok === true) ledger.reserve(keyOf(action.stream, action.key), grant.value.cids, ledger.costOf(action)); // T2
      return HELD;
    },
    observe({ action }, ending) {
      if (ending.type === 'refused') return;
      ledger.settle(keyOf(action.stream, action.key), ending.type === 'settled' ? ending.status : 'abandoned');
    },
  };
}

export type DelegationCheckParts = DelegationParts & {
  /** The risk of obeying a message; `undefined` where any admitted agent may ask for it without a chain. */
  readonly riskOf: (asked: Asked) => Risk | undefined;
  /** What obeying it costs; default: one call. */
  readonly costOf?: (admitted: Admitted) => Amount;
  /** The trust that it takes, for the ceilings of its chain. */
  readonly trustFor?: (asked: Asked) => number | undefined;
};

/** A message's command, and the agent that it is for. */
export type Asked = Pick<Admitted['claims'], 'command' | 'to'>;

/** `check` for admission, which spends nothing, and `debit` for whoever then obeys: in the same tick, with its payload for a
 *  `budget.debited` beside `message.accepted`. `undefined`: there was nothing to pay for. */
export function delegationCheck(parts: DelegationCheckParts): {
  readonly check: Check;
  readonly debit: (admitted: Admitted, at: Millis) => Result<DelegationPayload<'budget.debited'> | undefined, Refusal>;
} {
  const { delegations, ledger, riskOf, costOf = () => ({ calls: 1 }), trustFor } = parts;
  const verify = (admitted: Admitted, at: Millis): Result<Grant | undefined, Refusal> => {
    const { command, delegation, correlation, from } = admitted.claims;
    const risk = riskOf(admitted.claims);
    if (!isCommand(admitted) || (risk === undefined && delegation.length === 0)) return ok(undefined);
    const args = argumentsOf(admitted);
    if (!args.ok) return args;
    const trust = trustFor?.(admitted.claims);
    const invocation: Invocation = {
      agent: from,
      command,
      args: args.value,
      risk: risk ?? 0,
      cost: costOf(admitted),
      context: correlation,
      ...(trust === undefined ? {} : { trust }),
    };
    return delegations.verify(delegation, invocation, at, viewOf(parts)); // T3
  };
  return {
    check(admitted, at) {
      const verified = verify(admitted, at);
      return verified.ok ? undefined : verified.error;
    },
    debit(admitted, at) {
      const verified = verify(admitted, at);
      if (!verified.ok) return verified;
      if (verified.value === undefined) return ok(undefined);
      const [amount, { cids }] = [costOf(admitted), verified.value];
      ledger.debit(cids, amount);
      return ok({ amount, delegations: cids, key: admitted.message });
    },
  };
}

/** What is known at this moment, for rules that ask for it. */
function viewOf({ authority, ledger, heardAt }: DelegationParts): DelegationView {
  return { ...authority, heardAt: heardAt(), spent: (delegation) => ledger.spent(delegation) };
}

function isCommand({ head }: Admitted): boolean {
  return !isAnswer(head.kind) && head.kind !== 'present';
}

/** T3: JSON of one meaning, or nothing at all. */
function argumentsOf({ claims, content }: Admitted): Result<JsonValue, Refusal> {
  if (claims.body.media !== 'application/json') return ok(null); // no predicate holds of it
  const text = view(content).toString('utf8');
  if (scanJson(text, DEPTH_MAX).fault !== undefined) {
    return err({ code: 'delegation.args_unreadable', message: 'expected JSON in which no name stands twice' });
  }
  return ok(JSON.parse(text) as JsonValue);
}

const DEPTH_MAX = 64;
const RETRY_MS = 100;
const BUSY: GateAnswer = {
  verdict: 'deny',
  code: 'delegation.busy',
  message: 'expected room for one more reservation',
  retryAfterMs: RETRY_MS,
};
const HELD: Disposable = { [Symbol.dispose]: () => undefined };
