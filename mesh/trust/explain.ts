/** Why a score is what it is: every event that moved it, with what it weighed and where it left the agent. */
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { LogRecord } from '../../runtime/codec/record.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { GRAINS_PER_UNIT, QUARTERS_PER_UNIT } from './decay.ts';
import { advance, NO_TRUST, type TrustState } from './projection.ts';
import { type Tier, TRUST_FORMULA } from './rules.ts';
import { type Scored, score } from './score.ts';
import { take } from './shelf.ts';
import { type Evidence, NEWCOMER, type Subject, sponsorOf, weightOf } from './standing.ts';

/** What one event did to one agent's score. */
export type TrustChange = {
  readonly subject: Subject;
  /** The event: its index, and when it happened. */
  readonly index: number;
  readonly at: number;
  /** `sponsor`: a violation by another agent of the same sponsor, for which he is liable. */
  readonly why: Evidence['type'] | 'sponsor';
  readonly capability: string | null;
  /** In quarters of a unit; what a daily bound cut off included. */
  readonly weightQuarters: number;
  /** The score that the change before it left, and what time made of that until now. */
  readonly left: number;
  readonly from: number;
  readonly to: Scored;
};

/** Follows a log and tells what each event changes for the agents that `isAsked` names (default: all). */
export function* explainTrust(
  log: EventLog,
  isAsked: (subject: Subject) => boolean = () => true,
  to = log.size,
): Generator<TrustChange, TrustState> {
  let state = NO_TRUST;
  const left = new Map<Subject, number>();
  for (const record of log.read(0, to)) {
    const before = state;
    const { state: after, evidence } = advance(before, record, log);
    state = after;
    if (evidence === undefined || after.ledger === before.ledger) continue;
    for (const subject of touched(evidence, left.keys())) {
      if (!isAsked(subject)) continue;
      const change = changeOf(subject, { before, after, evidence, record });
      if (subject !== evidence.subject && change.from === change.to.score) continue;
      yield { ...change, left: left.get(subject) ?? change.from };
      left.set(subject, change.to.score);
    }
  }
  return state;
}

export type Step = {
  readonly before: TrustState;
  readonly after: TrustState;
  readonly evidence: Evidence;
  readonly record: Pick<LogRecord, 'index' | 'wallMs'>;
};

/** What one event did to one agent's score. */
export function changeOf(subject: Subject, { before, after, evidence, record }: Step): TrustChange {
  const at = record.wallMs;
  const from = score(before.ledger, { subject, at }).score;
  const isOwn = subject === evidence.subject;
  return {
    subject,
    index: record.index,
    at,
    why: isOwn ? evidence.type : 'sponsor',
    capability: isOwn && evidence.type !== 'endorsed' ? evidence.capability : null,
    weightQuarters: isOwn ? weightOf(evidence, take(before.ledger.agents, subject) ?? NEWCOMER) : 0,
    left: from,
    from,
    to: score(after.ledger, { subject, at }),
  };
}

/** Whom a piece of evidence can move: its subject, and when it is a violation or mends one, those of the same sponsor. */
function touched(evidence: Evidence, known: Iterable<Subject>): readonly Subject[] {
  const { subject, type } = evidence;
  if (type !== 'policy' && type !== 'scope') return [subject];
  const sponsor = sponsorOf(subject);
  const others = [...known].filter((one) => one !== subject && sponsor !== null && sponsorOf(one) === sponsor);
  return [subject, ...others];
}

/** The payload of a `trust.changed` event. */
export function trustChanged({ subject, index, why, weightQuarters, left, from, to }: TrustChange): JsonValue {
  return {
    formula: TRUST_FORMULA,
    subject,
    by: index,
    why,
    weight_quarters: weightQuarters,
    left,
    from,
    score: to.score,
    tier: to.tier satisfies Tier,
    own: to.own,
    floor: to.floor,
    limit: to.limit,
    strikes: to.strikes,
  };
}

/** Quarters as people read them: `0.25`, `4`, `160`. */
export function inUnits(quarters: number): string {
  const whole = Math.floor(quarters / QUARTERS_PER_UNIT);
  return `${whole}${['', '.25', '.5', '.75'][quarters % QUARTERS_PER_UNIT] ?? ''}`;
}

/** Grains as whole units and hundredths. */
export function grainsInUnits(grains: number): string {
  const hundredths = Math.floor((grains * 100) / GRAINS_PER_UNIT);
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
}
