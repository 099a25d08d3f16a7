/**
 * A bundle as the kernel's policy gate: an action becomes a request, a decision becomes the gate's answer.
 *
 * G1. What the host cannot do, it must not be asked to: an obligation outside `honours` is a denial. What has come back can
 *     be redacted; it cannot be consumed, or approved by anybody.
 * G2. What a decision consumes is looked at when it is made and taken when the permit is, in the same tick, so that two
 *     actions cannot both have the last one, and what another gate refuses takes nothing.
 * G3. The bundle is asked for anew each time: a permit that was made under another one is worthless to the kernel.
 */
import type { Action } from '../../runtime/kernel/action.ts';
import type { Gate, GateAnswer, GateRequest, Returned } from '../../runtime/kernel/gate.ts';
import type { Bundle } from '../bundle/bundle.ts';
import { decide, decideReturned } from '../bundle/decide.ts';
import { denial, type PolicyDecision } from '../decision/decision.ts';
import { type Consume, type Obligation, type ObligationKind, unsupported } from '../decision/obligation.ts';
import type { Point, PolicyRequest, Subject } from '../decision/request.ts';
import { type Buckets, bucketKey } from './buckets.ts';
import type { FactMonitors } from './fact-monitors.ts';

/** What the gate has to be told of the world, as values of this moment. */
export type PolicyHost = {
  readonly bundle: () => Bundle | undefined;
  /** Who acts, by the host's own knowledge: ring, trust, tenant. Never from what the agent says. */
  readonly subjectOf: (action: Action, at: number) => Omit<Subject, 'id' | 'name'>;
  /** What was counted before, for the bundle in force. Without it every fact is unknown. */
  readonly facts?: () => Pick<FactMonitors, 'read' | 'count'>;
  /** The rest of the request that the host can fill in: flow, task, context. */
  readonly surroundings?: (request: GateRequest) => Partial<Pick<PolicyRequest, Surrounding>>;
  /** Needed for rules that limit rates; without it what they limit is denied. */
  readonly buckets?: Buckets;
  /** What the host does of itself when asked: `label`, `notify`. Asking people, counting, recording and redacting are the
   *  kernel's, and need not be named. */
  readonly honours?: readonly ObligationKind[];
};

type Surrounding = 'resource' | 'task' | 'flow' | 'context' | 'notes';

export interface PolicyGate extends Gate {
  /** The whole decision, with obligations and rules: what an approval gate or a report needs. Takes nothing. */
  decide(request: GateRequest): PolicyDecision;
  requestOf(request: GateRequest): PolicyRequest;
}

export function policyGate(host: PolicyHost): PolicyGate {
  const afterwards = new Set<ObligationKind>(['redact', 'log', ...(host.honours ?? [])]);
  const honoured = new Set<ObligationKind>([...afterwards, 'approve']);
  if (host.buckets !== undefined) honoured.add('consume');

  const bareRequestOf = ({ action, at, ...rest }: GateRequest): PolicyRequest => ({
    v: 1,
    id: action.key,
    point: POINT_OF[action.verb],
    at,
    subject: { ...host.subjectOf(action, at), id: action.actor, name: action.agent },
    action: {
      tool: action.target,
      verb: action.verb,
      risk: action.risk,
      class: action.effect,
      ...(action.scope === undefined ? {} : { scope: action.scope }),
    },
    args: action.input,
    ...host.surroundings?.({ action, at, ...rest }),
  });
  const requestOf = (asked: GateRequest): PolicyRequest => {
    const request = bareRequestOf(asked);
    return host.facts === undefined ? request : { ...request, facts: host.facts().read(request) };
  };
  const decideHonoured = (request: PolicyRequest): PolicyDecision =>
    honouring(decide(host.bundle(), request), honoured);
  const consumedBy = ({ obligations }: PolicyDecision): readonly Consume[] =>
    obligations.filter((obligation): obligation is Consume => obligation.kind === 'consume');

  const gate = {
    get policy() {
      return host.bundle()?.digest;
    },
    honours: honoured,
    decide: (asked: GateRequest) => decideHonoured(requestOf(asked)),
    requestOf,
    check(asked: GateRequest): GateAnswer {
      const request = requestOf(asked);
      const decision = decideHonoured(request);
      const { verdict, code, message } = decision;
      if (verdict === 'deny') return { verdict, code, message, ...ruleOf(decision) };
      const asks = consumedBy(decision);
      const retryAfterMs = asks.length === 0 ? 0 : (host.buckets?.waitMs(asks, request) ?? 0);
      const rest = { ...ruleOf(decision), ...obligationsOf(decision, request) };
      if (retryAfterMs > 0) {
        const why = `expected ${request.action.tool} less often, and again in ${retryAfterMs} ms`;
        return { verdict: 'deny', code: 'policy.rate_exceeded', message: why, retryAfterMs, ...rest };
      }
      return verdict === 'escalate' ? { verdict, code, message, ...rest } : { verdict, ...rest };
    },
    checkOutput(asked: GateRequest, { point, value }: Returned): GateAnswer {
      const request: PolicyRequest = { ...requestOf(asked), point, output: value };
      const decided = decideReturned(host.bundle(), request);
      const decision = decided.verdict === 'escalate' ? decided : honouring(decided, afterwards);
      const { verdict, code, message } = decision;
      if (verdict !== 'allow') return { verdict, code, message, ...ruleOf(decision) };
      return { verdict, ...ruleOf(decision), ...obligationsOf(decision, request) };
    },
    hold(asked: GateRequest): Disposable {
      const request = requestOf(asked);
      const asks = consumedBy(decideHonoured(request));
      if (asks.length > 0) host.buckets?.take(asks, request); // G2
      host.facts?.().count(request);
      return { [Symbol.dispose]: () => undefined }; // what was used stays used
    },
  };
  return gate as PolicyGate; // without a bundle its digest is undefined, which the kernel reads as none
}

/** A decision that asks for something that nobody does is a denial (G1). */
function honouring(decision: PolicyDecision, honoured: ReadonlySet<ObligationKind>): PolicyDecision {
  const [first] = unsupported(decision.obligations, honoured);
  if (first === undefined) return decision;
  const { determining, evaluated, bundle } = decision;
  return denial('policy.obligation_unsupported', `expected a host that can ${first.kind}, found none`, {
    determining,
    evaluated,
    ...(bundle === undefined ? {} : { bundle }),
  });
}

/** What is owed, as the kernel and the record have it: each bucket by its key. */
function obligationsOf({ obligations }: PolicyDecision, request: PolicyRequest): Pick<GateAnswer, 'obligations'> {
  if (obligations.length === 0) return {};
  const owed = obligations.map(
    (obligation): Obligation =>
      obligation.kind === 'consume' ? { ...obligation, key: bucketKey(obligation, request) } : obligation,
  );
  return { obligations: owed };
}

const POINT_OF: Readonly<Record<Action['verb'], Point>> = {
  use: 'pre_tool',
  ask: 'agent_message',
  tell: 'agent_message',
  spawn: 'spawn',
  stop: 'shutdown',
};

function ruleOf({ determining }: PolicyDecision): { readonly rule?: string } {
  const [first] = determining;
  return first === undefined ? {} : { rule: first.rule };
}
