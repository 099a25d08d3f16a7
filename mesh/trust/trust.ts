/**
 * Trust at work: the fold of a node's own log, kept at its end, and the question whether somebody is trusted enough.
 *
 * T1. Every answer is as of everything durable in the log, and says so by an index: whoever has the log finds the same.
 * T2. Nobody's word for a score is taken: not a peer's, not a sponsor's.
 */
import type { Did } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { type Folded, fold, keep } from '../../runtime/log/projection.ts';
import { type OpenAct, subjectOfDid } from './evidence.ts';
import { changeOf, type TrustChange } from './explain.ts';
import { advance, type TrustState, trustProjection } from './projection.ts';
import { RISK_GATES, STAKES, tierOf } from './rules.ts';
import { exposureMax, type Scored, score } from './score.ts';
import { take } from './shelf.ts';
import { type Risk, type Subject, sponsorOf, subjectOf } from './standing.ts';

export type Required = {
  /** The score that it takes, or the risk class of the act, which says the score and the stake. */
  readonly required?: number;
  readonly risk?: Risk;
  /** The kind of work. Without it, all that is known of the agent counts. */
  readonly capability?: string;
  /** The trust ceilings of the delegation chain. */
  readonly ceilings?: readonly number[];
  /** The key of the act: one that is tried again is at stake once. */
  readonly act?: string;
  readonly at: Millis;
};

/** A score and the size of the log that it was folded from: what `RecordedDecision.trust` holds. */
export type Verified = Scored & { readonly asOf: number };

/** `onTier` hears of each event from now on that moved its agent to another tier, when the fold comes to it. It may record
 *  that (`trustChanged`), but not wait: it is told in the middle of a decision. */
export class Trust {
  readonly #log: EventLog;
  readonly #onTier: ((change: TrustChange) => void) | undefined;
  #folded: Folded<TrustState>;

  constructor(log: EventLog, onTier?: (change: TrustChange) => void) {
    this.#log = log;
    this.#onTier = onTier;
    this.#folded = fold(log, trustProjection);
  }

  /** The fold of everything durable (T1). */
  get state(): TrustState {
    return this.#caughtUp().state;
  }

  /** How many events the answers of this moment stand for. */
  get asOf(): number {
    return this.#caughtUp().size;
  }

  /** For rings: the score of an agent that this node hosts, all its work together. */
  scoreOf(agent: string, at: Millis): number {
    return this.scoredOf(agent, at).score;
  }

  /** The same, with what it was made of. */
  scoredOf(agent: string, at: Millis): Scored {
    return agentScored({ state: this.state, node: this.#log.did, agent, at });
  }

  /** Whether somebody is trusted enough. `trust.unsponsored` · `trust.too_low` · `trust.too_exposed` */
  verifyPeer(did: Did, required: Required): Result<Verified, Refusal> {
    const { state, size: asOf } = this.#caughtUp();
    return verify({ state, asOf, subject: subjectOfDid(state.roster, did), open: [] }, required);
  }

  /** The same for an agent that this node hosts, by its name. */
  verifyAgent(agent: string, required: Required): Result<Verified, Refusal> {
    const { state, size: asOf } = this.#caughtUp();
    return verify(
      { state, asOf, subject: this.subjectOfAgent(agent), open: take(state.roster.hosted, agent)?.open ?? [] },
      required,
    );
  }

  /** A newcomer is known by the DID that its node acts under. */
  subjectOfAgent(agent: string): Subject {
    return subjectOfAgent(this.state, agent, this.#log.did);
  }

  /** Keeps a snapshot for the next start. Losing it costs time and nothing else. */
  keep(): void {
    keep(this.#log, trustProjection, this.#caughtUp());
  }

  #caughtUp(): Folded<TrustState> {
    const { size } = this.#log;
    if (this.#folded.size === size) return this.#folded;
    const { state: start, size: from } = this.#folded;
    const changes: TrustChange[] = [];
    let state = start;
    for (const record of this.#log.read(from, size)) {
      const before = state;
      const { state: after, evidence } = advance(before, record, this.#log);
      state = after;
      if (this.#onTier === undefined || evidence === undefined) continue;
      const change = changeOf(evidence.subject, { before, after, evidence, record });
      if (tierOf(change.from) !== change.to.tier) changes.push(change);
    }
    this.#folded = { state, size };
    for (const change of changes) this.#onTier?.(change);
    return this.#folded;
  }
}

/** The score of an agent that a node hosts, in any state of the fold: what rings were told when they are folded again. */
export function agentScore(asked: AgentAsked): number {
  return agentScored(asked).score;
}

export type AgentAsked = {
  readonly state: TrustState;
  /** The DID of the node's log. */
  readonly node: Did;
  readonly agent: string;
  readonly at: Millis;
};

/** The same, with what it was made of. */
export function agentScored({ state, node, agent, at }: AgentAsked): Scored {
  return score(state.ledger, { subject: subjectOfAgent(state, agent, node), at });
}

/** Whom it is about, as of which state, and what it has under way here. */
export type About = {
  readonly state: TrustState;
  readonly asOf: number;
  readonly subject: Subject;
  readonly open: readonly OpenAct[];
};

/** Pure: the verdict that follows from a state of the fold. */
export function verify(
  { state, asOf, subject, open }: About,
  { required = 0, risk = 0, at, capability, ceilings, act }: Required,
): Result<Verified, Refusal> {
  const asked = {
    subject,
    at,
    ...(capability === undefined ? {} : { capability }),
    ...(ceilings === undefined ? {} : { ceilings }),
  };
  const scored = score(state.ledger, asked);
  const needed = Math.max(required, RISK_GATES[risk] ?? Number.POSITIVE_INFINITY);
  const isEnough = scored.score >= needed; // what is no number is more than anybody has
  if (!isEnough) {
    const code = sponsorOf(subject) === null ? 'trust.unsponsored' : 'trust.too_low';
    return err({ code, message: `expected a score of ${needed} or more for ${subject}, found ${scored.score}` });
  }
  if (risk > 0) {
    const others = open.filter(({ key, risk: held }) => key !== act && held > 0);
    const stake = others.reduce((sum, { risk: held }) => sum + STAKES[held], 0);
    const most = exposureMax(state.ledger, asked);
    if (stake + STAKES[risk] > most) {
      const message = `expected ${subject} to have at most ${most} at stake, found ${stake} open and ${STAKES[risk]} more`;
      return err({ code: 'trust.too_exposed', message });
    }
  }
  return ok({ ...scored, asOf });
}

function subjectOfAgent(state: TrustState, agent: string, node: Did): Subject {
  return take(state.roster.hosted, agent)?.subject ?? subjectOf(agent, node);
}
