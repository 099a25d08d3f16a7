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
 * T4. A message is paid for by whoever accepts it: verified once more in the tick that accepts it, and on record in the very
 *     append. So no crash parts what was accepted from what it cost, and what was revoked on the way is not accepted.
 * T5. What is hard to undo is verified once more in the tick that starts it: while its decision was on its way to the disk, the
 *     view of the revocations may have aged, and the chain ended.
 */
import type { Cid } from '../../runtime/codec/cid.ts';
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
import { HARD_TO_UNDO } from '../revocation/freshness.ts';
import { type Amount, UNITS } from './amount.ts';
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

/** An act in the words of a chain, or why no chain can be for it. */
function invocationOf(parts: DelegationGateParts, action: Action, cost: Amount): Result<Invocation, Refusal> {
  const { agentOf = ({ actor }) => actor, trustFor } = parts;
  const command = commandOf(action);
  if (!command.ok) return command;
  const trust = trustFor?.(action);
  return ok({
    agent: agentOf(action),
    command: command.value,
    args: action.input,
    risk: action.risk,
    cost,
    ...(action.correlation === undefined ? {} : { context: action.correlation }),
    ...(trust === undefined ? {} : { trust }),
  });
}

/** The kernel's gate `delegation`, and what accepting a message of one of this node's agents by another takes of the chain
 *  that it was allowed under (T4): the payload of a `budget.debited`, `undefined` where nothing counts it, or why it cannot. */
export function delegationGate(parts: DelegationGateParts): Gate & {
  readonly debit: (action: Action, chain: readonly Cid[], at: Millis) => Debited;
} {
  const { delegations, ledger, mustDelegate = () => true } = parts;
  const grantFor = (action: Action, at: Millis): Result<Grant, Refusal> => {
    const invocation = invocationOf(parts, action, costOf(action));
    return invocation.ok ? delegations.find(invocation.value, at, viewOf(parts)) : invocation;
  };
  /** An act that is tried again has paid already. */
  const costOf = (action: Action): Amount =>
    isPaidFor(action) && !ledger.isOpen(keyOf(action.stream, action.key)) ? ledger.costOf(action) : {};
  return {
    debit(action, chain, at) {
      const cost = ledger.costOf(action);
      const invocation = invocationOf(parts, action, cost);
      if (!invocation.ok) return invocation;
      const grant = delegations.verify(chain, invocation.value, at, viewOf(parts));
      return grant.ok ? ok(take(ledger, grant.value, cost, action.key)) : grant;
    },
    check({ action, at }): GateAnswer {
      if (!mustDelegate(action)) return { verdict: 'allow' };
      if (isPaidFor(action) && ledger.isFull) return BUSY;
      const grant = grantFor(action, at);
      if (!grant.ok) return { verdict: 'deny', ...grant.error };
      return { verdict: 'allow', delegations: grant.value.cids };
    },
    recheck({ action, at }) {
      if (action.risk < HARD_TO_UNDO || !mustDelegate(action)) return undefined; // T5
      const grant = grantFor(action, at);
      return grant.ok ? undefined : grant.error;
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

/** `check` for admission, which spends nothing, and `debit` for whoever then accepts it (T4). */
export function delegationCheck(parts: DelegationCheckParts): {
  readonly check: Check;
  readonly debit: (admitted: Admitted, at: Millis) => Debited;
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
      return ok(take(ledger, verified.value, costOf(admitted), admitted.message));
    },
  };
}

/** The payload of a `budget.debited`; `undefined` where there was nothing to pay for. */
type Debited = Result<DelegationPayload<'budget.debited'> | undefined, Refusal>;

/** Spends what a message costs, where any link of its chain counts that. */
function take(ledger: Ledger, { chain, cids }: Grant, amount: Amount, key: string) {
  const isCounted = chain.some(({ claims }) =>
    UNITS.some((unit) => claims.bud[unit] !== undefined && (amount[unit] ?? 0) > 0),
  );
  if (!isCounted) return undefined;
  ledger.debit(cids, amount);
  return { amount, delegations: cids, key };
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
