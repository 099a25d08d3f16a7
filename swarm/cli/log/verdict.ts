/** What a verification found, on stdout; and exit code 5 when it found anything. */
import { CodedError } from '../../../runtime/core/errors.ts';
import type { Problem } from '../../../runtime/log/findings.ts';
import { type Fact, formatFacts } from '../facts.ts';
import type { Shell } from '../shell.ts';
import { Table } from '../table.ts';

export type Verdict = {
  readonly facts: { readonly [name: string]: Fact };
  /** At most the first hundred. */
  readonly problems: readonly Problem[];
  readonly problemCount: number;
};

/** Prints the verdict. @throws {UnsoundError} the first problem's code */
export async function writeVerdict(shell: Shell, verdict: Verdict, isJson: boolean): Promise<void> {
  await shell.out.write(isJson ? jsonOf(verdict) : textOf(verdict));
  const first = headline(verdict.problems);
  if (first !== undefined) throw new UnsoundError(first, verdict.problemCount);
}

/** Something that was verified is wrong: `exit` is 5 whatever the problem's code. */
class UnsoundError extends CodedError {
  override readonly name = 'UnsoundError';
  readonly exit = 5;
  constructor({ code, place, message }: Problem, count: number) {
    super(code, `${place}: ${message}${count === 1 ? '' : ` (one of ${count} problems)`}`);
  }
}

function jsonOf({ facts, problems, problemCount }: Verdict): string {
  const listed = problems as unknown as readonly Fact[];
  const firstBadIndex = firstBad(problems);
  return formatFacts({ ok: problemCount === 0, ...facts, firstBadIndex, problemCount, problems: listed }, true);
}

function textOf({ facts, problems, problemCount }: Verdict): string {
  const sound = problemCount === 0 ? 'yes' : 'no';
  const text = formatFacts({ sound, ...facts, firstBadIndex: firstBad(problems) }, false);
  if (problemCount === 0) return text;
  const table = new Table([{ title: 'PLACE' }, { title: 'CODE' }, { title: 'PROBLEM' }]);
  return `${text}\n${table.format(problems.map(({ place, code, message }) => [place, code, message]))}`;
}

/** The first record that is certainly wrong says more than a range that holds it; a problem of the whole log comes last. */
function headline(problems: readonly Problem[]): Problem | undefined {
  const exact = problems.find(({ index, end }) => index !== undefined && end === undefined);
  return exact ?? problems[0];
}

function firstBad(problems: readonly Problem[]): number | null {
  return headline(problems)?.index ?? null;
}
