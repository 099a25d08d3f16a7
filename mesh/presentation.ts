/**
 * Showing statements to another node: the content of an envelope of kind `present` is signed statements, one to a line, each
 * after what it builds on. Whoever receives them takes in what holds and says what did not.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { concat, utf8, view } from '../runtime/core/bytes.ts';
import { err, type Refusal, type Result } from '../runtime/core/result.ts';
import type { Directory, Learned } from './directory.ts';
import { BODY_BYTES_MAX, PRESENTED_MAX } from './limits.ts';
import type { NodeToken } from './subject.ts';

/** The media type of such a content. */
export const PRESENTATION_MEDIA = 'application/vnd.ringmesh.statements';

export function writePresentation(statements: readonly Uint8Array[]): Uint8Array {
  assert(statements.length <= PRESENTED_MAX, 'writePresentation: at most PRESENTED_MAX statements');
  const content = concat(...statements.flatMap((statement) => [statement, NEWLINE]));
  assert(content.length <= BODY_BYTES_MAX, 'writePresentation: at most BODY_BYTES_MAX bytes');
  return content;
}

/** What each line taught, in order; `from`: the node that shows them. A line that is refused does not keep the next from being taken. */
export function learnPresentation(
  content: Uint8Array,
  directory: Directory,
  at: Millis,
  from?: NodeToken,
): readonly Result<Learned, Refusal>[] {
  const lines = view(content).toString('latin1').split('\n');
  if (lines.pop() !== '' || lines.length > PRESENTED_MAX) {
    const message = `expected at most ${PRESENTED_MAX} lines, each with its end`;
    return [err({ code: 'statement.malformed', message })];
  }
  return lines.map((line) => directory.learn(Buffer.from(line, 'latin1'), at, from));
}

const NEWLINE = utf8('\n');
