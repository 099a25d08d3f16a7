import { createColors } from 'picocolors';
import { trustDigest, trustProjection } from '../../../mesh/trust/projection.ts';
import { TRUST_FORMULA } from '../../../mesh/trust/rules.ts';
import { type Scored, score } from '../../../mesh/trust/score.ts';
import { nameOf, type Subject, sponsorOf } from '../../../mesh/trust/standing.ts';
import { formatDigest } from '../../../runtime/codec/digest.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import { fold } from '../../../runtime/log/projection.ts';
import type { Shell } from '../shell.ts';
import { Table } from '../table.ts';
import { lastMoment, subjectsIn } from './subjects.ts';

type ListOptions = { readonly at?: number; readonly json?: boolean };

/** `trust ls`: everybody that the log has evidence of, or hosts. */
export async function list(shell: Shell, directory: string, options: ListOptions): Promise<void> {
  await using log = await openReader(directory, systemClock);
  const at = options.at ?? lastMoment(log);
  const { state, size } = fold(log, trustProjection);
  const rows = subjectsIn(state)
    .map((subject) => ({ subject, ...score(state.ledger, { subject, at }) }))
    .sort((a, b) => b.score - a.score || (a.subject < b.subject ? -1 : 1));
  if (options.json === true) {
    const agents = rows.map(({ subject, ...scored }) => scoreFacts(subject, scored));
    const digest = formatDigest(trustDigest(state));
    const told = { schema: 'ringmesh.trust-list/1', formula: TRUST_FORMULA, size, at, digest, agents };
    await shell.out.write(`${JSON.stringify(told)}\n`);
    return;
  }
  const titles = ['SCORE', 'OWN', 'FLOOR', 'LIMIT', 'STRIKES', 'PARTIES'];
  const right = { align: 'right' } as const;
  const columns = [
    ...titles.map((title) => ({ title, ...right })),
    { title: 'TIER' },
    { title: 'AGENT' },
    { title: 'SPONSOR' },
  ];
  const cells = rows.map(({ subject, ...it }) => [
    ...[it.score, it.own, it.floor, it.limit, it.strikes, it.parties].map(String),
    ...[it.tier, nameOf(subject), sponsorOf(subject) ?? 'nobody'],
  ]);
  const table = new Table(columns, shell.out.columns, createColors(shell.out.hasColour).bold);
  await shell.out.write(table.format(cells));
  await shell.notes.write(`${size} events, as of ${new Date(at).toISOString()}, by ${TRUST_FORMULA}\n`);
}

/** A score as the command line's JSON has it. */
export function scoreFacts(subject: Subject, scored: Scored) {
  const { score: value, tier, own, floor, limit, goodGrains, badGrains, parties, strikes } = scored;
  return {
    agent: nameOf(subject),
    sponsor: sponsorOf(subject),
    ...{ score: value, tier, own, floor, limit, parties, strikes },
    good_grains: goodGrains,
    bad_grains: badGrains,
  };
}
