/** `policy explain`: one recorded decision in words, and whether it comes out the same when it is made again. */
import type { Bundle } from '../../../policies/bundle/bundle.ts';
import type { DigestText, LogRecord } from '../../../runtime/codec/record.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import { type DecisionReport, explainDecided } from '../../policy/explanation.ts';
import { recordedBundles } from '../../policy/policy-journal.ts';
import { type Decided, isReadable, recordedDecision } from '../../policy/recorded-decisions.ts';
import { findEvent } from '../find-event.ts';
import { oneLine } from '../report.ts';
import type { Shell } from '../shell.ts';
import { readBundle } from './bundle-input.ts';

type ExplainOptions = { readonly bundle?: readonly string[]; readonly json?: boolean };

/** @throws `event.not_found` · `input.not_a_decision` · `policy.other_bundle` · `replay.diverged` after telling it */
export async function explainDecision(
  shell: Shell,
  directory: string,
  event: string,
  options: ExplainOptions,
): Promise<void> {
  await using log = await openReader(directory, systemClock);
  const decided = decidedOf(log, decisionOf(log, findEvent(log, event)));
  const report = explainDecided(log, decided, await bundlesOf(shell, log, decided, options.bundle ?? []));
  await shell.out.write(options.json === true ? `${JSON.stringify(report)}\n` : inWords(report));
  if (report.again.type === 'different') throw diverged(report);
}

/** The record of the decision: the event itself, or for an outcome what brought it about. */
function decisionOf(log: EventLog, record: LogRecord): LogRecord {
  const { cause, origin } = record;
  if (record.decision !== undefined) return record;
  const isOutcome = record.type === 'action.settled' || record.type === 'action.abandoned';
  const [before] =
    isOutcome && cause !== undefined && cause.origin === origin ? [...log.read(cause.index, cause.index + 1)] : [];
  if (before?.decision !== undefined) return before;
  const message = `expected an event that records a decision, found ${record.type} at index ${record.index}`;
  throw new CodedError('input.not_a_decision', message);
}

function decidedOf(log: EventLog, record: LogRecord): Decided {
  const decided = record.decision === undefined ? undefined : recordedDecision(log, record, record.decision);
  if (decided !== undefined && isReadable(decided)) return decided;
  const found = `found ${decided?.code ?? 'none'} at index ${record.index}`;
  throw new CodedError('input.not_a_decision', `expected a decision that can be read back, ${found}`);
}

/** The log's own bundles; with files, those, if they are the bundle that decided: they know lines. */
async function bundlesOf(
  shell: Shell,
  log: EventLog,
  { decision }: Decided,
  files: readonly string[],
): Promise<(digest: DigestText) => Bundle | undefined> {
  const recorded = recordedBundles(log);
  if (files.length === 0 || decision.policy === undefined) return recorded;
  const version = recorded(decision.policy)?.version ?? 1;
  const given = await readBundle(shell, { bundle: files }, 'any', version);
  if (given.digest === decision.policy) return () => given;
  const message = `expected the bundle that decided, ${decision.policy}, found ${given.digest}`;
  throw new CodedError('policy.other_bundle', message);
}

function diverged({ event, again }: DecisionReport): CodedError {
  if (again.type !== 'different') throw new Error('expected a difference');
  const [was, is] = [again.recorded, again.again];
  const told = `expected ${was.verdict} (${was.code}, ${was.rule ?? 'no rule'}) as recorded at index ${event.index}`;
  return new CodedError('replay.diverged', `${told}, found ${is.verdict} (${is.code}, ${is.rule ?? 'no rule'})`);
}

function inWords(report: DecisionReport): string {
  const { event, verdict, code, request, basis, bundle, told } = report;
  const { subject, action, args, at } = request;
  const lines = [
    `${verdict}  ${code}  event ${event.index}  ${new Date(at).toISOString()}`,
    `${subject.name} wanted to ${action.verb} ${action.tool} with ${short(args)}`,
    `in ring ${basis.ring} with trust ${basis.trust}${basis.asOf === null ? '' : ` as of ${basis.asOf} events`}${basis.exact ? '' : ', as the log said before'}`,
    bundle === null
      ? 'under no bundle'
      : `under the bundle ${bundle.digest}${bundle.version === null ? '' : `, version ${bundle.version}`}${bundle.since === null ? '' : `, in force since event ${bundle.since}`}`,
    `decided by the ${report.gate} gate`,
    ...(typeof told?.['message'] === 'string' ? [`  ${told['message']}`] : []),
    ...numbers(report),
    ...report.determining.map(
      (rule) =>
        `  ${rule.rule}  ${place(rule)}${rule.because === 'unknown' ? '  (its condition is unknown here)' : ''}`,
    ),
    ...(report.rules.length === 0 ? [] : ['every rule that concerns it:']),
    ...report.rules.flatMap((rule) => [
      `  ${rule.holds.padEnd(7)}  ${rule.effect.padEnd(8)}  ${rule.rule}  ${place(rule)}`,
      ...rule.parts.map(
        (part) =>
          `             ${part.holds.padEnd(7)}  ${part.text}${part.values.map(({ path, value }) => `; ${path} was ${short(value)}`).join('')}`,
      ),
    ]),
    again(report),
  ];
  return lines.map((line) => `${oneLine(line)}\n`).join('');
}

function place({
  layer,
  file,
  line,
}: {
  readonly layer: string;
  readonly file?: string;
  readonly line?: number;
}): string {
  return file === undefined ? layer : `${layer}  ${file}:${line}`;
}

/** The numbers of a gate that is not policy. */
function numbers({ limits }: DecisionReport): readonly string[] {
  if (limits === null) return [];
  if (limits.gate === 'ring') {
    const opens = Object.entries(limits.opens).map(([ring, line]) => `ring ${ring} from ${line}`);
    return [`  the agent stood in ring ${limits.ring} with trust ${limits.trust}; ${opens.join(', ')}`];
  }
  const { requests, ring, recordedInPeriod: recorded, retryAfterMs: wait, effectsAtOnce: slots } = limits;
  return [
    ...(requests === null
      ? []
      : [
          `  ring ${ring} may ask ${requests.count} times in ${requests.periodMs} ms, ${requests.burst} at once; the log has ${recorded} allowed in that time before`,
        ]),
    ...(slots === null ? [] : [`  ring ${ring} may have ${slots} effects under way at once`]),
    ...(wait === null ? [] : [`  it was told to ask again after ${wait} ms`]),
  ];
}

function again({ again: found }: DecisionReport): string {
  switch (found.type) {
    case 'same':
      return 'decided again from the log: the same';
    case 'not_asked':
      return `not decided again: the policy was not asked (${found.by})`;
    case 'not_replayable':
      return `not decided again: ${found.why}`;
    case 'different':
      return `decided again from the log: ${found.again.verdict} (${found.again.code}), not as recorded`;
  }
}

const SHORT_MAX = 200;

function short(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= SHORT_MAX ? text : `${text.slice(0, SHORT_MAX).toWellFormed()}…`;
}
