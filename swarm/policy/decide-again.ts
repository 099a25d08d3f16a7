/**
 * Decision replay: every recorded decision made again from the log alone, and compared.
 *
 * R1. The same bundle and the same request give the same verdict, code and rule. A difference is told with both sides.
 * R2. What the policy was not asked (another gate refused before it) or cannot be asked again (the bundle or the input is
 *     not in the log) is counted with the reason, never passed over as the same.
 * R3. A rate is the state of a moment and is taken as recorded: that a rule limits the act is checked, how full it was is not.
 */
import type { Bundle } from '../../policies/bundle/bundle.ts';
import type { Answer } from '../../policies/bundle/what-if.ts';
import type { PolicyDecision } from '../../policies/decision/decision.ts';
import type { PolicyRequest } from '../../policies/decision/request.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { hostGate } from './host-gate.ts';
import { type Decided, isReadable, recordedDecisions } from './recorded-decisions.ts';
import { NO_FACTS } from './recorded-facts.ts';

export type Again =
  | { readonly type: 'same' }
  | { readonly type: 'different'; readonly recorded: Answer; readonly again: Answer }
  /** Which gate ended the walk before the policy was asked, or that the node had no such tool. */
  | { readonly type: 'not_asked'; readonly by: string }
  | { readonly type: 'not_replayable'; readonly why: string };

/** Decides again under the bundle that decided, if it is at hand. */
export function decideAgain(decided: Decided, bundleOf: (digest: DigestText) => Bundle | undefined): Again {
  const by = endedBefore(decided);
  if (by !== undefined) return { type: 'not_asked', by };
  const { decision, isExact, isWhole } = decided;
  if (!isExact) return { type: 'not_replayable', why: 'the record says neither the moment nor the ring' };
  if (!isWhole) return { type: 'not_replayable', why: 'the input was redacted' };
  const bundle = decision.policy === undefined ? undefined : bundleOf(decision.policy);
  if (decision.policy !== undefined && bundle === undefined) {
    return { type: 'not_replayable', why: 'the bundle is not in the log' };
  }
  if (decided.record.type === 'message.sent' && (bundle?.facts.size ?? 0) > 0) {
    return { type: 'not_replayable', why: 'what was counted when it was said is not known' }; // its record waits for its turn
  }
  const again = answerUnder(bundle, decided);
  const recorded = recordedAnswer(decided);
  if (decision.code === 'policy.rate_exceeded') {
    const isLimited = again.obligations.some(({ kind }) => kind === 'consume'); // R3
    return again.verdict !== 'deny' && isLimited ? { type: 'same' } : { type: 'different', recorded, again };
  }
  const found = answerOf(again);
  const isSame =
    recorded.verdict === found.verdict &&
    (isPolicys(decided) ? recorded.code === found.code && recorded.rule === found.rule : true);
  return isSame ? { type: 'same' } : { type: 'different', recorded, again: found };
}

/** What the node's policy gate says to the request of a record. */
export function answerUnder(bundle: Bundle | undefined, { asked, facts, standing }: Decided): PolicyDecision {
  return hostGate(
    () => bundle,
    () => standing,
    () => (bundle === undefined ? NO_FACTS : facts(bundle)),
  ).decide(asked);
}

/** What the policy itself said: where another gate wanted people to agree, it had allowed. */
export function recordedAnswer(decided: Decided): Answer {
  const { verdict, code, rule } = decided.decision;
  if (decided.refused?.gate === 'ring') return { verdict: 'allow', code: 'policy.allowed' };
  return { verdict, code, ...(rule === undefined ? {} : { rule }) };
}

/** What ended the walk before the policy was asked. */
export function endedBefore({ decision, refused }: Decided): string | undefined {
  if (decision.code === 'tool.unknown' || decision.code.startsWith('gate.')) return decision.code;
  if (refused === undefined || refused.gate === 'policy' || decision.verdict === 'escalate') return undefined;
  return refused.gate;
}

export type DecisionReplay = {
  readonly decisions: number;
  readonly same: number;
  readonly notAsked: Readonly<Record<string, number>>;
  readonly notReplayable: Readonly<Record<string, number>>;
  readonly differences: number;
  /** The first ones. */
  readonly different: readonly {
    readonly index: number;
    readonly request: PolicyRequest;
    readonly recorded: Answer;
    readonly again: Answer;
  }[];
};

const DIFFERENT_MAX = 100;

/** Every decision of a log, made again. */
export function replayDecisions(log: EventLog, bundleOf: (digest: DigestText) => Bundle | undefined): DecisionReplay {
  const [notAsked, notReplayable] = [new Map<string, number>(), new Map<string, number>()];
  const different: DecisionReplay['different'][number][] = [];
  let [decisions, same, differences] = [0, 0, 0];
  for (const decided of recordedDecisions(log)) {
    decisions++;
    const again: Again = isReadable(decided)
      ? decideAgain(decided, bundleOf)
      : { type: 'not_replayable', why: decided.code };
    switch (again.type) {
      case 'same':
        same++;
        break;
      case 'not_asked':
        add(notAsked, again.by);
        break;
      case 'not_replayable':
        add(notReplayable, again.why);
        break;
      case 'different': {
        differences++;
        if (!isReadable(decided) || different.length === DIFFERENT_MAX) break;
        const { record, request } = decided;
        different.push({ index: record.index, request, recorded: again.recorded, again: again.again });
      }
    }
  }
  return {
    decisions,
    same,
    notAsked: Object.fromEntries(notAsked),
    notReplayable: Object.fromEntries(notReplayable),
    differences,
    different,
  };
}

/** Whether code and rule of the record are the policy's. */
function isPolicys({ refused }: Decided): boolean {
  return refused === undefined || refused.gate === 'policy';
}

function answerOf({ verdict, code, determining }: PolicyDecision): Answer {
  const [first] = determining;
  return { verdict, code, ...(first === undefined ? {} : { rule: first.rule }) };
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
