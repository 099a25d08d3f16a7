/** `policy replay`: every recorded decision made again from the log alone. */
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import { type DecisionReplay, replayDecisions } from '../../policy/decide-again.ts';
import { recordedBundles } from '../../policy/policy-journal.ts';
import { type Fact, formatFacts } from '../facts.ts';
import type { Shell } from '../shell.ts';

/** @throws `replay.diverged` after telling each difference */
export async function replayAll(shell: Shell, directory: string, options: { readonly json?: boolean }): Promise<void> {
  await using log = await openReader(directory, systemClock);
  const replay = replayDecisions(log, recordedBundles(log));
  const { different, ...counts } = replay;
  const schema = 'ringmesh.policy-replay/v1';
  if (options.json === true) await shell.out.write(`${JSON.stringify({ schema, ...replay })}\n`);
  else await shell.out.write(formatFacts(counts, false));
  if (different.length > 0) throw divergence(replay);
}

/** What was recorded and what is found instead, if a log's decisions do not come out the same. */
export function mustAgree(log: EventLog): { readonly [name: string]: Fact } {
  const replay = replayDecisions(log, recordedBundles(log));
  if (replay.differences > 0) throw divergence(replay);
  const { same, notAsked, notReplayable } = replay;
  return { same, notAsked, notReplayable };
}

function divergence({ differences, different }: DecisionReplay): CodedError {
  const [first] = different;
  if (first === undefined) throw new Error('expected a difference');
  const { index, recorded: was, again: is } = first;
  const told = `expected ${was.verdict} (${was.code}, ${was.rule ?? 'no rule'}) as recorded at index ${index}`;
  const found = `found ${is.verdict} (${is.code}, ${is.rule ?? 'no rule'})`;
  return new CodedError('replay.diverged', `${told}, ${found}; ${differences} in all`);
}
