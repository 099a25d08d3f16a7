/**
 * The gates that every action passes, in one order, and how their answers make a decision.
 *
 * G1. The order is `GATES`; a gate that is not given passes, except policy: no policy denies everything.
 * G2. `deny < escalate < allow`: the first denial ends the walk; an escalation stands unless the approval gate lifts it.
 * G3. A gate that throws denies. Gates neither wait nor write.
 * G4. What the gates ask for adds up. What nobody sees to, and a place to be redacted that the input does not have, denies.
 */
import type { Digest } from '../codec/digest.ts';
import type { JsonValue } from '../codec/json.ts';
import type { DigestText, EventId } from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';
import { messageOf } from '../core/errors.ts';
import type { Refusal } from '../core/result.ts';
import type { Action } from './action.ts';
import { type Obligation, redact } from './obligation.ts';

export const GATES = ['kill', 'ring', 'breaker', 'budget', 'delegation', 'trust', 'policy', 'approval'] as const;
export type GateName = (typeof GATES)[number];

/** Counters that move when authority is withdrawn. A permit of an earlier epoch is worthless. */
export type Epochs = { readonly trust: number; readonly revocation: number; readonly kill: number };

/** Where nothing was ever withdrawn. */
export const NO_EPOCHS: Epochs = { trust: 0, revocation: 0, kill: 0 };

/** All that a gate may know: values, as of one moment. */
export type GateRequest = {
  readonly action: Action;
  readonly digest: Digest;
  readonly at: Millis;
  readonly epochs: Epochs;
  /** What an earlier gate wants a human for. Only the approval gate finds anything here. */
  readonly escalated?: GateAnswer & { readonly verdict: 'escalate' };
};

/** A value that came back, and where on its way it is: from a tool, or out of an agent. */
export type Returned = { readonly point: 'post_tool' | 'output'; readonly value: JsonValue };

export type GateAnswer =
  | {
      readonly verdict: 'allow';
      readonly rule?: string;
      readonly approval?: EventId;
      /** The delegation chain that allows it, root first: content ids, for the record. */
      readonly delegations?: readonly string[];
      readonly obligations?: readonly Obligation[];
    }
  | {
      readonly verdict: 'deny' | 'escalate';
      readonly code: string;
      readonly message: string;
      readonly rule?: string;
      readonly retryAfterMs?: number;
      /** Of an escalation: what is owed if somebody agrees. */
      readonly obligations?: readonly Obligation[];
    };

/** What an act came to: tried, refused by which gate and why, or allowed and never begun. */
export type Ending =
  | { readonly type: 'settled'; readonly status: 'ok' | 'failed' | 'unknown' }
  | { readonly type: 'refused'; readonly verdict: 'deny' | 'escalate'; readonly gate: GateName; readonly code: string }
  | { readonly type: 'abandoned' };

/** What a decision was made from, besides the action: the agent's ring, and its trust as folded from the log up to an
 *  index. With it, what was decided can be decided again. */
export type Basis = { readonly ring: number; readonly trust: { readonly score: number; readonly asOf: number } };

export interface Gate {
  check(request: GateRequest): GateAnswer;
  /** Whether a value that came back may be seen (`review.ts`). A gate without this looks at no values. */
  checkOutput?(request: GateRequest, returned: Returned): GateAnswer;
  /** The kinds of obligation that whoever put this gate here sees to; `redact` the kernel does. */
  readonly honours?: ReadonlySet<string>;
  /** What the act holds from its permit to its end (a place in a rate, a slot): called in the tick of the decision, so that
   *  two acts decided together cannot both have the last place. */
  hold?(request: GateRequest): Disposable;
  /** Whether what it allowed still stands, asked in the tick that starts the effect: for what time alone withdraws, and no
   *  epoch tells of. A code says why not. */
  recheck?(request: GateRequest): Refusal | undefined;
  /** Told what an act came to, once that is on disk, or counted. It may keep count; it may not throw. */
  observe?(request: GateRequest, ending: Ending): void;
  /** The digest of what this gate decides by. A permit made under another one is worthless. */
  readonly policy?: DigestText;
  /** What the policy gate was told, for the record. Asked in the tick of the decision. */
  basis?(request: GateRequest): Basis;
}

export type Gates = Partial<Record<GateName, Gate>>;

export type Decision = {
  readonly verdict: 'allow' | 'deny' | 'escalate';
  readonly code: string;
  readonly message: string;
  /** Which gate had the last word. */
  readonly gate: GateName;
  readonly rule?: string;
  readonly delegations?: readonly string[];
  readonly retryAfterMs?: number;
  /** What is owed, of all gates; empty for a denial. */
  readonly obligations: readonly Obligation[];
};

/** Walks the gates. Pure, total; never throws. */
export function decide(gates: Gates, request: GateRequest): Decision {
  const owed: Obligation[] = [];
  let allowed: Decision = {
    verdict: 'allow',
    code: 'policy.allowed',
    message: 'every gate agreed',
    gate: 'policy',
    obligations: owed,
  };
  let escalated: (GateAnswer & { verdict: 'escalate' }) | undefined;
  let by: GateName = 'policy';
  for (const name of GATES) {
    const gate = gates[name];
    if (name === 'approval' && escalated === undefined) continue;
    if (gate === undefined && name !== 'policy') continue;
    const answer =
      gate === undefined ? NO_POLICY : ask(gate, escalated === undefined ? request : { ...request, escalated });
    if (answer.verdict === 'deny') return { ...answer, verdict: 'deny', gate: name, obligations: [] };
    if (answer.obligations !== undefined) owed.push(...answer.obligations);
    if (redact(request.action.input, owed) === undefined) return { ...UNREDACTABLE, gate: name };
    if (answer.verdict === 'escalate') {
      escalated = { ...answer, verdict: 'escalate' };
      by = name;
      continue;
    }
    if (name === 'approval') escalated = undefined;
    if (answer.rule !== undefined) allowed = { ...allowed, rule: answer.rule, gate: name };
    if (answer.verdict === 'allow' && answer.delegations !== undefined)
      allowed = { ...allowed, delegations: answer.delegations };
  }
  return escalated === undefined ? allowed : { ...escalated, gate: by, obligations: owed };
}

const NO_POLICY: GateAnswer = {
  verdict: 'deny',
  code: 'policy.missing',
  message: 'expected a policy, found none: nothing is allowed',
};

const UNREDACTABLE = {
  verdict: 'deny',
  code: 'gate.obligation_unmet',
  message: 'expected an input with every place that is to be redacted, found one without',
  obligations: [],
} as const;

/** What may be shown of the input of an act that was decided earlier: what the policy of now lets through, were it only slow
 *  enough. `undefined` where it lets nothing through. */
export function shownOf({ policy }: Gates, request: GateRequest): JsonValue | undefined {
  if (policy === undefined) return undefined;
  const { verdict, obligations, ...rest } = ask(policy, request);
  const isTooFast = 'retryAfterMs' in rest && rest.retryAfterMs !== undefined;
  return verdict === 'deny' && !isTooFast ? undefined : redact(request.action.input, obligations ?? []);
}

/** The denial that an answer becomes if it asks for what nobody sees to (G4). */
export function unmet(gate: Gate, { obligations = [] }: GateAnswer): (GateAnswer & { verdict: 'deny' }) | undefined {
  const found = obligations.find(({ kind }) => kind !== 'redact' && gate.honours?.has(kind) !== true);
  if (found === undefined) return undefined;
  const message = `expected a host that can ${found.kind}, found none`;
  return { verdict: 'deny', code: 'gate.obligation_unmet', message };
}

/** Why what was allowed must not begin after all (`Gate.recheck`). A gate that throws denies, now as before. */
export function recheck(gates: Gates, request: GateRequest): Refusal | undefined {
  for (const gate of Object.values(gates)) {
    try {
      const over = gate?.recheck?.(request);
      if (over !== undefined) return over;
    } catch (error) {
      return { code: 'gate.failed', message: `the gate failed: ${messageOf(error)}` };
    }
  }
  return undefined;
}

function ask(gate: Gate, request: GateRequest): GateAnswer {
  try {
    const answer = gate.check(request);
    return unmet(gate, answer) ?? answer;
  } catch (error) {
    return { verdict: 'deny', code: 'gate.failed', message: `the gate failed: ${messageOf(error)}` };
  }
}
