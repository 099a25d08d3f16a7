/**
 * The recorded decisions of a node under another bundle.
 *
 * What other gates refused is left out: the policy was not asked. Rates are left out, too, on both sides: they are the state
 * of a moment. After the first difference of a turn, what followed in it is not compared (`policies/bundle/what-if.ts`).
 */
import type { Bundle } from '../../policies/bundle/bundle.ts';
import { type Asked, compareAnswers, type WhatIf } from '../../policies/bundle/what-if.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { answerUnder, endedBefore, recordedAnswer } from './decide-again.ts';
import { type Decided, isReadable, recordedDecisions } from './recorded-decisions.ts';

export type Reconsidered = WhatIf & {
  readonly decisions: number;
  /** Decisions that are not compared, by the reason. */
  readonly left: Readonly<Record<string, number>>;
  /** Compared with a ring and a moment that the record does not say, but the log before it does. */
  readonly inexact: number;
};

export function reconsider(log: EventLog, bundle: Bundle): Reconsidered {
  const left = new Map<string, number>();
  let [decisions, inexact] = [0, 0];

  function* asked(): Generator<Asked & { readonly decided: Decided }> {
    for (const decided of recordedDecisions(log)) {
      decisions++;
      const why = isReadable(decided) ? reasonToLeave(decided) : decided.code;
      if (why !== undefined) left.set(why, (left.get(why) ?? 0) + 1);
      if (why !== undefined || !isReadable(decided)) continue;
      if (!decided.isExact) inexact++;
      const { request, record } = decided;
      yield { request, before: recordedAnswer(decided), group: turnOf(decided), index: record.index, decided };
    }
  }
  const found = compareAnswers(asked(), ({ decided }) => answerUnder(bundle, decided));
  return { ...found, decisions, left: Object.fromEntries(left), inexact };
}

function reasonToLeave(decided: Decided): string | undefined {
  if (!decided.isWhole) return 'the input was redacted';
  if (decided.decision.code === 'policy.rate_exceeded') return 'policy.rate_exceeded';
  return endedBefore(decided);
}

/** A key is `<turn>/<ordinal>`; turns of different agents have different ones, and so have nodes without turns. */
function turnOf({ request: { id }, record: { stream } }: Decided): string | undefined {
  const end = id.lastIndexOf('/');
  return end === -1 ? undefined : `${stream} ${id.slice(0, end)}`;
}
