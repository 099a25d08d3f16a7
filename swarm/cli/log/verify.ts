/**
 * `log verify`: every record, tile, index, blob and checkpoint of every epoch, the keys and the anchor; in a child process, so
 * that a file which crashes its reader is found damaged and not merely unreadable. Several logs are then held against one
 * another.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseVerifierKey, type Verifier } from '../../../runtime/codec/note.ts';
import { equalBytes } from '../../../runtime/core/bytes.ts';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import type { Problem } from '../../../runtime/log/findings.ts';
import type { LogReport } from '../../../runtime/log/fsck.ts';
import { verifyInChild } from '../../../runtime/log/verify-child.ts';
import { crossCheckLogs } from '../../cross-check/cross-check-logs.ts';
import { progressOn } from '../progress-bar.ts';
import type { Shell } from '../shell.ts';
import { anchorsOf } from './place.ts';
import { type LogVerdict, type VerifiedLog, writeVerdict, writeVerdicts } from './verdict.ts';
import { verifierOf } from './verifier.ts';

type VerifyOptions = {
  readonly anchor?: string;
  readonly vkey?: string;
  readonly vkeyFile?: string;
  readonly json?: boolean;
};

export async function verify(shell: Shell, directories: readonly string[], options: VerifyOptions): Promise<void> {
  const trusted = await verifierOf(shell, options);
  const anchors = anchorsOf(options, shell.env);
  const [directory, ...others] = directories;
  if (directory === undefined) return;
  if (others.length === 0) {
    const verdict = verdictOf(await verified(shell, directory, anchors));
    const otherKey = trusted && (await keyProblem(directory, trusted, verdict.facts.origin));
    await writeVerdict(shell, otherKey === undefined ? verdict : withProblem(verdict, otherKey), options.json === true);
    return;
  }
  if (trusted !== undefined) throw new CodedError('usage.invalid', 'expected one log with the key that it must have');
  const logs: VerifiedLog[] = [];
  for (const each of directories) {
    logs.push({ directory: each, ...verdictOf(await verified(shell, each, anchors)) });
  }
  const readable = logs.filter(isReadable).map((log) => log.directory);
  await writeVerdicts(shell, { logs, cross: await crossCheckLogs(readable, systemClock) }, options.json === true);
}

function verdictOf(report: LogReport): LogVerdict {
  const { problems, problemCount, origin, size, root = null, checkpoints, anchor, epochs } = report;
  return { facts: { origin, size, root, checkpoints, anchor, epochs }, problems, problemCount };
}

function withProblem(verdict: LogVerdict, problem: Problem): LogVerdict {
  return { ...verdict, problems: [problem, ...verdict.problems], problemCount: verdict.problemCount + 1 };
}

/** What is inside is sound, whatever the anchor says of it: it can be read, and the others may tell what it lacks. */
function isReadable({ problems }: LogVerdict): boolean {
  return problems.every(({ code }) => ABOUT_ANCHORS.has(code));
}

const ABOUT_ANCHORS: ReadonlySet<string> = new Set([
  'anchor.damaged',
  'anchor.missing',
  'log.forked',
  'log.rolled_back',
]);

async function verified(shell: Shell, directory: string, anchors: string): Promise<LogReport> {
  const progress = progressOn(shell.notes);
  try {
    return await verifyInChild(directory, { anchors, progress: progress.show });
  } finally {
    progress.clear();
  }
}

/** A log that is sound under its own key may still be somebody else's. */
async function keyProblem(directory: string, trusted: Verifier, origin: string): Promise<Problem | undefined> {
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
