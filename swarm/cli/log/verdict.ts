/** What a verification found, on stdout; and exit code 5 when it found anything. */
import { CodedError } from '../../../runtime/core/errors.ts';
import type { Problem } from '../../../runtime/log/findings.ts';
import type { CrossReport, Disagreement } from '../../cross-check/cross-check.ts';
import { type Fact, formatFacts } from '../facts.ts';
import type { Shell } from '../shell.ts';
import { Table } from '../table.ts';

export type Verdict<F extends Facts = Facts> = {
  readonly facts: F;
  /** At most the first hundred. */
  readonly problems: readonly Problem[];
  readonly problemCount: number;
};

type Facts = { readonly [name: string]: Fact };

/** Of a whole log. */
export type LogVerdict = Verdict<{
  readonly origin: string;
  readonly size: number;
  readonly root: string | null;
  readonly checkpoints: number;
  readonly anchor: string;
  readonly epochs: readonly number[];
}>;

export type VerifiedLog = LogVerdict & { readonly directory: string };

/** Of several logs: each, and whether those that can be read agree. */
export type Verdicts = { readonly logs: readonly VerifiedLog[]; readonly cross: CrossReport };

/** Prints the verdict. @throws {UnsoundError} the first problem's code */
export async function writeVerdict(shell: Shell, verdict: Verdict, isJson: boolean): Promise<void> {
  await shell.out.write(isJson ? jsonOf(verdict) : textOf(verdict));
  const first = headline(verdict.problems);
  if (first !== undefined) throw new UnsoundError(first, verdict.problemCount);
}

/** Prints the verdicts. @throws {UnsoundError} the first problem's code: a log's own before one between logs */
export async function writeVerdicts(shell: Shell, { logs, cross }: Verdicts, isJson: boolean): Promise<void> {
  await shell.out.write(isJson ? jsonOfSeveral({ logs, cross }) : textOfSeveral({ logs, cross }));
  const count = logs.reduce((sum, { problemCount }) => sum + problemCount, cross.faultCount);
  for (const { problems, directory } of logs) {
    const first = headline(problems);
    if (first !== undefined) throw new UnsoundError({ ...first, place: `${directory}: ${first.place}` }, count);
  }
  const [fault] = cross.faults;
  if (fault !== undefined) throw new UnsoundError({ ...fault, place: placeOf(fault) }, count);
}

/** Something that was verified is wrong: `exit` is 5 whatever the problem's code. */
class UnsoundError extends CodedError {
  override readonly name = 'UnsoundError';
  readonly exit = 5;
  constructor({ code, place, message }: Pick<Problem, 'code' | 'place' | 'message'>, count: number) {
    super(code, `${place}: ${message}${count === 1 ? '' : ` (one of ${count} problems)`}`);
  }
}

function jsonOf(verdict: Verdict): string {
  return formatFacts(factsOf(verdict), true);
}

function factsOf({ facts, problems, problemCount }: Verdict): Facts {
  const listed = problems as unknown as readonly Fact[];
  return { ok: problemCount === 0, ...facts, firstBadIndex: firstBad(problems), problemCount, problems: listed };
}

function jsonOfSeveral({ logs, cross }: Verdicts): string {
  const ok = cross.faultCount === 0 && logs.every(({ problemCount }) => problemCount === 0);
  const each = logs.map((log) => ({ directory: log.directory, ...factsOf(log) }));
  const { agreed, faults, ...counts } = cross;
  return formatFacts(
    { ok, logs: each, agreement: { ...counts, agreed, faults: faults as unknown as readonly Fact[] } },
    true,
  );
}

function textOfSeveral({ logs, cross }: Verdicts): string {
  const columns = [
    { title: 'DIRECTORY' },
    { title: 'ORIGIN' },
    { title: 'EVENTS', align: 'right' },
    { title: 'ANCHOR' },
    { title: 'SOUND' },
  ] as const;
  const rows = logs.map(({ directory, facts: { origin, size, anchor }, problemCount }) => [
    directory,
    origin,
    String(size),
    anchor,
    problemCount === 0 ? 'yes' : 'no',
  ]);
  const { agreed, inFlight, elsewhere, faultCount, logs: compared } = cross;
  const counts = { agree: faultCount === 0 ? 'yes' : 'no', compared, ...agreed, inFlight, elsewhere };
  const problems = logs.flatMap(({ directory, problems: found }) =>
    found.map(({ place, code, message }) => [`${directory}: ${place}`, code, message]),
  );
  const found = [...problems, ...cross.faults.map((fault) => [placeOf(fault), fault.code, fault.message])];
  const text = `${new Table(columns).format(rows)}\n${formatFacts(counts, false)}`;
  return found.length === 0 ? text : `${text}\n${problemTable(found)}`;
}

/** Both sides: who says it in which event, and of which event or size of whose log. */
function placeOf({ by, about }: Disagreement): string {
  const what = about.index === undefined ? (about.size === undefined ? '' : ` at ${about.size}`) : `#${about.index}`;
  return `${by.log}#${by.index} on ${about.log}${what}`;
}

function textOf({ facts, problems, problemCount }: Verdict): string {
  const sound = problemCount === 0 ? 'yes' : 'no';
  const text = formatFacts({ sound, ...facts, firstBadIndex: firstBad(problems) }, false);
  if (problemCount === 0) return text;
  return `${text}\n${problemTable(problems.map(({ place, code, message }) => [place, code, message]))}`;
}

function problemTable(rows: readonly (readonly string[])[]): string {
  return new Table([{ title: 'PLACE' }, { title: 'CODE' }, { title: 'PROBLEM' }]).format(rows);
}

/** The first record that is certainly wrong says more than a range that holds it; a problem of the whole log comes last. */
function headline(problems: readonly Problem[]): Problem | undefined {
  const exact = problems.find(({ index, end }) => index !== undefined && end === undefined);
  return exact ?? problems[0];
}

function firstBad(problems: readonly Problem[]): number | null {
  return headline(problems)?.index ?? null;
}
