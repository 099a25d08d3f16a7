/**
 * `log verify`: every record, tile, index, blob and checkpoint of every epoch, the keys and the anchor; in a child process, so
 * that a file which crashes its reader is found damaged and not merely unreadable.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseVerifierKey, type Verifier } from '../../../runtime/codec/note.ts';
import { equalBytes } from '../../../runtime/core/bytes.ts';
import { hasCode } from '../../../runtime/core/errors.ts';
import type { Problem } from '../../../runtime/log/findings.ts';
import type { LogReport } from '../../../runtime/log/fsck.ts';
import { verifyInChild } from '../../../runtime/log/verify-child.ts';
import { progressOn } from '../progress-bar.ts';
import type { Shell } from '../shell.ts';
import { anchorsOf } from './place.ts';
import { writeVerdict } from './verdict.ts';
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
  const otherKey = trusted && (await keyProblem(directory, trusted, report));
  const { problems: found, problemCount: count, origin, size, root = null, checkpoints, anchor, epochs } = report;
  const problems = otherKey === undefined ? found : [otherKey, ...found];
  const problemCount = otherKey === undefined ? count : count + 1;
  const facts = { origin, size, root, checkpoints, anchor, epochs };
  await writeVerdict(shell, { facts, problems, problemCount }, options.json === true);
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
