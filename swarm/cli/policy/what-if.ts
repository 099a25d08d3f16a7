/** `policy what-if`: the recorded requests under another bundle, and what would be answered otherwise. */
import type { Difference, Newly } from '../../../policies/bundle/what-if.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import { type Reconsidered, reconsider } from '../../policy/reconsider.ts';
import { oneLine } from '../report.ts';
import type { Shell } from '../shell.ts';
import { type BundleOptions, readBundle } from './bundle-input.ts';
import { mustAgree } from './replay-decisions.ts';

type WhatIfOptions = BundleOptions & {
  readonly failIfLaxer?: boolean;
  readonly limit?: number;
  readonly json?: boolean;
};

/** @throws `replay.diverged` the log does not agree with itself · `policy.laxer` with --fail-if-laxer, after telling it */
export async function whatIfUnder(shell: Shell, directory: string, options: WhatIfOptions): Promise<void> {
  const bundle = await readBundle(shell, options, 'any');
  await using log = await openReader(directory, systemClock);
  const replay = mustAgree(log);
  const found = reconsider(log, bundle);
  const { limit = SHOWN } = options;
  if (options.json === true) {
    const { digest, version } = bundle;
    const { differences, ...rest } = found;
    const told = { schema: 'ringmesh.policy-what-if/v1', bundle: { digest, version }, replay, ...rest };
    const rows = differences.slice(0, limit).map(rowOf);
    await shell.out.write(`${JSON.stringify({ ...told, differences: rows })}\n`);
  } else {
    await shell.out.write(inWords(found, limit));
  }
  if (options.failIfLaxer === true && found.isLaxer) {
    throw new CodedError('policy.laxer', 'expected nothing to be answered more freely, found what stdout shows');
  }
}

const SHOWN = 20;

function rowOf({ index, agent, tool, before, after }: Difference) {
  const { verdict, code, message, determining } = after;
  return { index, agent, tool, before, after: { verdict, code, message, rules: determining.map(({ rule }) => rule) } };
}

function inWords(found: Reconsidered, limit: number): string {
  const { decisions, compared, same, counterfactual, inexact, newly, left, differences } = found;
  const lines = [
    `${decisions} decisions: ${compared} compared, ${same} the same, ${counterfactual} after a difference in their turn`,
    ...Object.entries(left).map(([why, count]) => `  ${count} left out: ${why}`),
    ...(inexact === 0 ? [] : [`  ${inexact} compared with the ring that the log said before them`]),
    ...newlyInWords('newly denied', newly.deny),
    ...newlyInWords('newly escalated', newly.escalate),
    ...newlyInWords('newly allowed', newly.allow),
    ...(differences.length === 0 ? [] : ['the first differences:']),
    ...differences.slice(0, limit).map(({ index, agent, tool, before, after }) => {
      const reason = after.determining[0]?.rule ?? after.code;
      return `  ${index}  ${agent}  ${tool}  ${before.verdict} -> ${after.verdict}  ${reason}: ${after.message}`;
    }),
  ];
  return lines.map((line) => `${oneLine(line)}\n`).join('');
}

function newlyInWords(title: string, { count, byRule, byAgent }: Newly): readonly string[] {
  const rows = (kind: string, counts: Readonly<Record<string, number>>): readonly string[] =>
    Object.entries(counts).map(([name, n]) => `  ${n} ${kind} ${name}`);
  return [`${title}: ${count}`, ...rows('by', byRule), ...rows('of', byAgent)];
}
