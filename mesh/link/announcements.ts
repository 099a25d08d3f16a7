/**
 * Announcements: what a node hosts, said to all on the lane of heartbeats.
 *
 *     "IATA" ‖ 1 ‖ signed statements, one to a line, as they are presented (`presentation.ts`)
 *
 * Nothing in one is signed by the node, and nothing needs to be: each agent's own certificate names the node that hosts it,
 * and its card what it answers. An announcement of another node's agents is worth nothing, since the carrier's word on who
 * speaks must be the node in the certificate. An old one says nothing that was not signed, and ends within the hour.
 */
import { Buffer } from 'node:buffer';
import { concat, view } from '../../runtime/core/bytes.ts';
import { BODY_BYTES_MAX, PRESENTED_MAX } from '../limits.ts';
import { writePresentation } from '../presentation.ts';
import type { Shown } from './desk.ts';

/** As many as are needed; the statements of one agent stay together. */
export function writeAnnouncements(agents: readonly Shown[]): readonly Uint8Array[] {
  return inGroups(agents).map((statements) => concat(MAGIC, writePresentation(statements)));
}

/** The statements of these agents, in contents of presentations. */
export function writePresentations(agents: readonly Shown[]): readonly Uint8Array[] {
  return inGroups(agents).map(writePresentation);
}

/** The statements in an announcement, if it is one by its first bytes. */
export function readAnnouncement(bytes: Uint8Array): Uint8Array | undefined {
  const isAnnouncement = view(bytes).subarray(0, MAGIC.length).equals(MAGIC);
  return isAnnouncement && bytes.length <= MAGIC.length + BODY_BYTES_MAX ? bytes.subarray(MAGIC.length) : undefined;
}

const MAGIC = Buffer.from('IATA\u0001', 'latin1');

function inGroups(agents: readonly Shown[]): readonly (readonly Uint8Array[])[] {
  const groups: Uint8Array[][] = [];
  let bytes = 0;
  for (const { statements } of agents) {
    const more = statements.reduce((sum, { length }) => sum + length + 1, 0);
    const last = groups.at(-1);
    if (last !== undefined && last.length + statements.length <= PRESENTED_MAX && bytes + more <= BODY_BYTES_MAX) {
      last.push(...statements);
      bytes += more;
    } else {
      groups.push([...statements]);
      bytes = more;
    }
  }
  return groups;
}
