/**
 * Showing a chain to another node before a message names it: the content of an envelope of kind `present` whose media type is
 * the one below, tokens one to a line, root first. The envelope says who shows it; what a token is worth, it says itself.
 */
import { assert } from '../../runtime/core/assert.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { utf8, view } from '../../runtime/core/bytes.ts';
import { err, type Refusal, type Result } from '../../runtime/core/result.ts';
import { BODY_BYTES_MAX, PRESENTED_MAX } from '../limits.ts';
import type { Delegation } from './delegation.ts';
import type { Delegations } from './delegations.ts';

export const DELEGATIONS_MEDIA = 'application/vnd.ringmesh.delegations';

export function writeDelegations(chain: readonly Delegation[]): Uint8Array {
  assert(chain.length <= PRESENTED_MAX, 'writeDelegations: at most PRESENTED_MAX tokens');
  const content = utf8(chain.map(({ token }) => `${token}\n`).join(''));
  assert(content.length <= BODY_BYTES_MAX, 'writeDelegations: at most BODY_BYTES_MAX bytes');
  return content;
}

/** As many contents as are needed. */
export function writeAllDelegations(links: readonly Delegation[]): readonly Uint8Array[] {
  const contents: Uint8Array[] = [];
  for (let from = 0; from < links.length; from += PRESENTED_MAX) {
    contents.push(writeDelegations(links.slice(from, from + PRESENTED_MAX)));
  }
  return contents;
}

/** What each line taught, in order. News is for the caller to record (`grantedPayload`). A line that is refused keeps no other
 *  from being taken, but what hangs below it will be refused, too. */
export async function learnDelegations(
  content: Uint8Array,
  delegations: Delegations,
  at: Millis,
): Promise<readonly Result<{ readonly delegation: Delegation; readonly isNews: boolean }, Refusal>[]> {
  const lines = view(content).toString('latin1').split('\n');
  if (content.length > BODY_BYTES_MAX || lines.pop() !== '' || lines.length > PRESENTED_MAX) {
    const message = `expected at most ${PRESENTED_MAX} tokens, each with its end`;
    return [err({ code: 'jwt.malformed', message })];
  }
  const learned = [];
  for (const line of lines) learned.push(await delegations.learn(line, at));
  return learned;
}
