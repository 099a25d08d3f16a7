/**
 * `log verify`: every record, tile, index, blob and checkpoint of every epoch, the keys and the anchor; in a child process, so
 * that a file which crashes its reader is found damaged and not merely unreadable.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseVerifierKey, type Verifier } from '../../../runtime/codec/note.ts';
import { equalBytes } from '../../../runtime/core/bytes.ts';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import type { Problem } from '../../../runtime/log/findings.ts';
import type { LogReport } from '../../../runtime/log/fsck.ts';
import { verifyInChild } from '../../../runtime/log/verify-child.ts';
import { type Fact, formatFacts } from '../facts.ts';
import { progressOn } from '../progress-bar.ts';
import type { Shell } from '../shell.ts';
import { Table } from '../table.ts';
import { anchorsOf } from './place.ts';
import { verifierOf } from './verifier.ts';

type VerifyOptions = {
  readonly anchor?: string;
  readonly vkey?: string;
  readonly vkeyFile?: string;
  readonly json?: boolean;
};

export async function verify(shell: Shell, directory: string, options: VerifyOptions): Promise<void> {
  const trusted = await verifierOf(shell, options);
  const report = await verified(shell, directory, anchorsOf(options, shell.env));
  const otherKey = trusted === undefined ? undefined : await keyProblem(directory, trusted, report);
  const problems = [...(otherKey === undefined ? [] : [otherKey]), ...report.problems];
  const count = report.problemCount + (otherKey === undefined ? 0 : 1);
  await shell.out.write(options.json === true ? jsonOf(report, problems, count) : textOf(report, problems));
  const first = headline(problems);
  if (first !== undefined) throw new UnsoundError(first, count);
}

/** The report's `exit` is 5 whatever the first problem's code: something that was verified is wrong. */
class UnsoundError extends CodedError {
  override readonly name = 'UnsoundError';
  readonly exit = 5;
  constructor({ code, place, message }: Problem, count: number) {
    super(code, `${place}: ${message}${count === 1 ? '' : ` (one of ${count} problems)`}`);
  }
}

async function verified(shell: Shell, directory: string, anchors: string): Promise<LogReport> {
  const progress = progressOn(shell.notes);
  try {
    return await verifyInChild(directory, { anchors, progress: progress.show });
  } finally {
    progress.clear();
  }
}

/** A log that is sound under its own key may still be somebody else's. */
async function keyProblem(directory: string, trusted: Verifier, { origin }: LogReport): Promise<Problem | undefined> {
  const own = parseVerifierKey(await lineOf(join(directory, 'log.vkey')));
  const isSameLog = withoutEpoch(trusted.name) === withoutEpoch(origin);
  if (isSameLog && own.ok && equalBytes(own.value.key.bytes, trusted.key.bytes)) return undefined;
  const message = `expected the key that you trust, of ${trusted.name}, found another, of ${origin || 'an unknown log'}`;
  return { code: 'log.other_key', place: 'log.vkey', message };
}

function withoutEpoch(origin: string): string {
  return origin.slice(0, origin.lastIndexOf('/'));
}

async function lineOf(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trimEnd();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}

function jsonOf({ problemCount: _, ...report }: LogReport, problems: readonly Problem[], count: number): string {
  const facts = {
    ok: count === 0,
    ...report,
    firstBadIndex: firstBad(problems) ?? null,
    problemCount: count,
    problems,
  };
  return formatFacts(facts as unknown as { readonly [name: string]: Fact }, true);
}

function textOf(report: LogReport, problems: readonly Problem[]): string {
  const { origin, size, root = null, checkpoints, anchor, epochs } = report;
  const verdict = problems.length === 0 ? 'yes' : 'no';
  const facts = {
    sound: verdict,
    origin,
    size,
    root,
    checkpoints,
    anchor,
    epochs,
    firstBadIndex: firstBad(problems) ?? null,
  };
  const table = new Table([{ title: 'PLACE' }, { title: 'CODE' }, { title: 'PROBLEM' }]);
  const rows = problems.map(({ place, code, message }) => [place, code, message]);
  return formatFacts(facts, false) + (rows.length === 0 ? '' : `\n${table.format(rows)}`);
}

/** The first record that is certainly wrong says more than a range that holds it; a problem of the whole log comes last. */
function headline(problems: readonly Problem[]): Problem | undefined {
  const exact = problems.find(({ index, end }) => index !== undefined && end === undefined);
  return exact ?? problems[0];
}

function firstBad(problems: readonly Problem[]): number | undefined {
  return headline(problems)?.index;
}
