/** What the nodes of a realm were given by its operator (`roots.ts`), and until when. */
import { existsSync } from 'node:fs';
import type { Millis } from '../../../runtime/core/brand.ts';
import { nodeFolder, readRoster } from '../../realm/realm-folder.ts';
import { type Outlook, outlookOf, readRoots } from '../../realm/roots.ts';
import { type Check, ok, warn } from './check.ts';

/** A line for each node whose folder is here and has roots. @throws {CodedError} `realm.*` · `jwt.*` · `delegation.*` */
export async function lookAtRoots(directory: string, now: Millis): Promise<readonly Check[]> {
  const roster = readRoster(directory);
  const checks: Check[] = [];
  for (const { name } of roster.nodes) {
    if (!existsSync(nodeFolder(directory, name))) continue;
    const roots = await readRoots({ directory, roster }, name);
    if (roots.length > 0) checks.push(judgeRoots(name, outlookOf(roots, now)));
  }
  return checks;
}

/** As `roots.ts` O1 has it: due in the second half of its time; under a budget, when it has ended. */
function judgeRoots(node: string, { count, due, ended, endsAt = 0 as Millis }: Outlook): Check {
  const moment = new Date(endsAt).toISOString();
  if (due === 0) return ok('delegations', `${count} of ${node}, the first ends at ${moment}`);
  const remedy = '"ringmesh keys realm FILE" signs them anew; a node takes them up at its next start';
  const over = ended === 0 ? `the first ends at ${moment}` : `${ended} ended, the first at ${moment}`;
  return warn('delegations', `${due} of ${count} of ${node} to be renewed: ${over}`, remedy);
}
