/**
 * What stands between a node's agents and the world, put together: rings, rates, and the policy bundle in force.
 *
 * V1. Where the log has been, its rings have been, and its rates: they are folded from the recorded acts before the first new
 *     one. A restart promotes nobody and gives nobody a fresh bucket.
 * V2. Every change of ring is recorded, if power was lost before it was, by the next start. A demotion moves the trust epoch: permits that were made before it are worthless.
 * V3. Without a bundle nothing is allowed.
 * V4. A record of a decision says what it was made from: the moment, the ring, the trust and its index, the bundle. The
 *     bundle's bytes are in the log, too (`policy/policy-journal.ts`), so the log alone is enough to decide again.
 * V5. Where there is an authority, rings follow the folded trust: what its own deeds, its sponsor and an endorsement make of
 *     an agent. `trust show` finds the very score that a decision has on record, given its index.
 */

import { trustGate } from '../mesh/trust/gate.ts';
import { advance, NO_TRUST } from '../mesh/trust/projection.ts';
import type { Scored } from '../mesh/trust/score.ts';
import { agentScored, type Required } from '../mesh/trust/trust.ts';
import type { Bundle } from '../policies/bundle/bundle.ts';
import { RateBuckets } from '../policies/gate/buckets.ts';
import type { JsonValue } from '../runtime/codec/json.ts';
import { type LogRecord, parseEventType, parseStreamId } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import type { Clock } from '../runtime/core/clock.ts';
import type { Random } from '../runtime/core/random.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import type { Action, Risk } from '../runtime/kernel/action.ts';
import { ACTION_EVENTS, type ActionDecided, type ActionSettled } from '../runtime/kernel/action-events.ts';
import { type BudgetGate, budgetGate } from '../runtime/kernel/budget-gate.ts';
import { eventIdOf, newEventId } from '../runtime/kernel/event-id.ts';
import type { Basis, Epochs, GateName, GateRequest, Gates } from '../runtime/kernel/gate.ts';
import type { Elevation, Endorsement, Ring } from '../runtime/kernel/ring.ts';
import { type AgentEndorsed, RING_EVENTS, type RingMoved } from '../runtime/kernel/ring-events.ts';
import { type ActKind, isViolation, type RingChange, Rings } from '../runtime/kernel/rings.ts';
import type { EventLog } from '../runtime/log/event-log.ts';
import { jsonOf } from '../runtime/log/upcast.ts';
import type { NodeAuthority } from './authority/node-authority.ts';
import { hostGate, type Standing } from './policy/host-gate.ts';
import { PolicyJournal } from './policy/policy-journal.ts';
import { factsNow, takenBy } from './policy/recorded-decisions.ts';

export type GovernanceParts = {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  /** The bundle in force; asked for at every decision. */
  readonly bundle: () => Bundle | undefined;
  readonly endorsements?: readonly Endorsement[];
  /** What agents were given, and how far they are trusted; default: they need no delegation, and everybody stays new. */
  readonly authority?: NodeAuthority;
};

export type Governance = {
  readonly gates: Gates;
  readonly epochs: () => Epochs;
  readonly rings: Rings;
  /** Puts bundles on record; `policies.load` takes a signed one into service. */
  readonly policies: PolicyJournal;
  /** Lifts an agent for a while, on record. Whoever calls this has made sure that the operator grants it. */
  readonly elevate: (elevation: Elevation) => Result<Elevation, Refusal>;
  /** Tells of every change of ring from now on, for `AgentNode.moved`. */
  readonly onMoved: (listener: (agent: string) => void) => void;
  /** Resolves when what was to be recorded is on disk. */
  readonly recorded: () => Promise<void>;
};

/** The gates of a node. */
export function govern(parts: GovernanceParts): Governance {
  const { log, clock, endorsements = [], authority } = parts;
  let writing: Promise<unknown> = Promise.resolve();
  let isLive = false;
  const policies = new PolicyJournal(log);
  const inForce = (): Bundle | undefined => policies.inForce(parts.bundle()); // V4
  const record = (
    agent: string,
    type: string,
    payload: RingMoved | AgentEndorsed | Elevation,
    id = newEventId(clock, parts.random),
  ): void => {
    const stream = unwrap(parseStreamId(`ring/${agent}`), 'an agent name makes a stream');
    const event = {
      id,
      type: unwrap(parseEventType(type), 'an event type in the source'),
      actor: log.did,
      payload: { type: 'json', value: payload as JsonValue },
    } as const;
    if (type === RING_EVENTS.endorsed && authority !== undefined) {
      authority.recordOf(agent, stream, event); // trust knows an endorsed agent by its identity
      return;
    }
    // A log that refuses this refuses the next act, too: whoever asks for that hears of it.
    writing = Promise.allSettled([writing, log.append([{ stream, expected: 'any', events: [event] }])]);
  };
  const listeners: ((agent: string) => void)[] = [];
  let lived = NO_TRUST; // while the log is folded: trust as it was then
  const scoredOf = (agent: string, at: Millis): Scored | undefined =>
    isLive ? authority?.trust.scoredOf(agent, at) : agentScored({ state: lived, node: log.did, agent, at });
  const trusted = {
    scoreOf: (agent: string, at: Millis) => scoredOf(agent, at)?.score ?? 0,
    limitOf: (agent: string, at: Millis) => scoredOf(agent, at)?.limit ?? 0,
  };
  const rings = new Rings({
    endorsements,
    ...(authority === undefined ? {} : trusted), // V5
    kindOf: (action) => kindOf(action, inForce()),
    onChange: (change) => {
      if (!isLive) return;
      record(change.agent, RING_EVENTS[change.direction], movedBy(change)); // V2
      for (const moved of listeners) moved(change.agent);
    },
  });
  const budget = budgetGate({ ringOf: (agent) => rings.ringOf(agent) });
  const buckets = new RateBuckets();
  const facts = factsNow(log);
  const told = new Map<string, Ring>(); // where the log last says that an agent stands
  for (const past of log.read()) {
    if (authority !== undefined) lived = advance(lived, past, log).state;
    relive(rings, past, log); // V1
    reliveRates(past, log, budget, buckets);
    if (past.type === RING_EVENTS.promoted || past.type === RING_EVENTS.demoted) {
      const { agent, to } = jsonOf(past, log) as unknown as RingMoved;
      told.set(agent, to);
    }
  }
  isLive = true;
  for (const agent of rings.agents) {
    const [from, to] = [told.get(agent) ?? 3, rings.ringOf(agent)];
    if (from === to) continue;
    const score = rings.scoreOf(agent, clock.now());
    record(agent, RING_EVENTS[to > from ? 'demoted' : 'promoted'], { agent, from, to, score }); // V2
  }
  for (const { agent, ring, trustFloor, expiresAt } of endorsements) {
    const did = authority?.didOf(agent);
    const floor = { agent, ring, trust_floor: trustFloor, expires_at: expiresAt };
    const payload = did === undefined ? floor : { ...floor, did };
    record(agent, RING_EVENTS.endorsed, payload, eventIdOf('endorsed', agent, ring, trustFloor, expiresAt));
  }
  inForce();
  const standingOf = ({ agent }: Action, at: number): Standing => ({
    ring: rings.ringOf(agent),
    trust: rings.scoreOf(agent, at as Millis),
  });
  const basis = ({ action, at }: GateRequest): Basis => {
    const { ring, trust } = standingOf(action, at);
    return { ring, trust: { score: trust, asOf: log.size } };
  };
  return {
    rings,
    policies,
    onMoved: (listener) => void listeners.push(listener),
    elevate(elevation) {
      const lifted = rings.elevate(elevation, clock.now());
      if (lifted.ok) record(elevation.agent, RING_EVENTS.elevated, elevation);
      return lifted;
    },
    epochs: () => ({ trust: rings.epoch, revocation: authority?.revocations.epoch ?? 0, kill: 0 }),
    gates: {
      ring: rings.gate(),
      budget,
      ...(authority === undefined ? {} : { delegation: authority.gate }),
      trust: trustGate({
        verify: (agent, required) =>
          authority?.trust.verifyAgent(agent, required) ?? verifyRung(rings, agent, required),
        vouchedFor: (agent, at) => rings.vouchedFor(agent, at),
        riskOf: (action) => riskOf(action, inForce()),
      }),
      policy: Object.assign(
        hostGate(inForce, standingOf, () => facts(inForce()), buckets),
        { basis },
      ), // V4
    },
    recorded: async () => void (await Promise.all([writing, policies.recorded(), authority?.recorded()])),
  };
}

/** Where acts of agents elsewhere are on record: what arrived from them and was refused. */
const SENDERS = 'sender/';

/** What a tool's manifest says about taking an act back; without one, or in doubt, it cannot be. */
function kindOf(action: Action, bundle: Bundle | undefined): ActKind {
  if (action.effect === 'pure') return 'pure';
  const manifest = bundle?.tools.get(action.target);
  if (manifest === undefined) return 'irreversible';
  if (manifest.effects.every((effect) => effect === 'read')) return 'read';
  return manifest.reversibility === 'irreversible' ? 'irreversible' : 'reversible';
}

/** The risk class of a tool: its own word, or its manifest's, whichever is worse. */
function riskOf({ verb, target, risk }: Action, bundle: Bundle | undefined): Risk {
  return verb === 'use' ? (Math.max(risk, bundle?.tools.get(target)?.risk ?? 0) as Risk) : risk;
}

/** Without an authority nobody's deeds are folded: what counts is the score that its ring goes by. */
function verifyRung(rings: Rings, agent: string, { required = 0, at }: Required): Result<number, Refusal> {
  const score = rings.scoreOf(agent, at);
  if (score >= required) return ok(score);
  return err({
    code: 'trust.too_low',
    message: `expected a score of ${required} or more for ${agent}, found ${score}`,
  });
}

function movedBy({ agent, from, to, score }: RingChange): RingMoved {
  return { agent, from, to, score };
}

/** What a recorded act means for its agent's ring: the same as when it happened. */
function relive(rings: Rings, past: LogRecord, log: EventLog): void {
  const agent = past.stream.slice(past.stream.indexOf('/') + 1);
  const at: Millis = past.wallMs;
  if (past.type === 'agent.started') {
    const { parent } = jsonOf(past, log) as { readonly parent: string | null };
    rings.enter(agent, at, parent ?? undefined);
    return;
  }
  if (past.type === RING_EVENTS.elevated) {
    rings.elevate(jsonOf(past, log) as unknown as Elevation, at);
    return;
  }
  if (past.type === 'message.accepted' && past.decision !== undefined) {
    const { from } = jsonOf(past, log) as { readonly from: string | null };
    if (from === null) return;
    rings.welcome(from, at);
    rings.assess(from, at);
    return;
  }
  if (past.type !== ACTION_EVENTS.decided && past.type !== ACTION_EVENTS.settled) return;
  if (past.stream.startsWith(SENDERS)) rings.welcome(agent, at);
  else rings.enter(agent, at);
  if (past.type === ACTION_EVENTS.settled) {
    const { status } = jsonOf(past, log) as unknown as ActionSettled;
    rings.observe(agent, status === 'ok' ? 'clean' : 'failed', at);
    return;
  }
  const { refused } = jsonOf(past, log) as unknown as ActionDecided;
  if (refused === null || past.decision === undefined) return;
  const { verdict, code } = past.decision;
  if (isViolation({ verdict, code, gate: refused.gate as GateName })) rings.observe(agent, 'violated', at);
}

/** What an allowed act took of its rates, taken again as it was then. A message sent is an act, too, and so is one that came
 *  from another node: its sender's. */
function reliveRates(past: LogRecord, log: EventLog, budget: BudgetGate, buckets: RateBuckets): void {
  const taken = takenBy(past, log);
  if (taken === undefined) return;
  budget.relive(taken, taken.at);
  buckets.relive({ ...taken, refused: null });
}
