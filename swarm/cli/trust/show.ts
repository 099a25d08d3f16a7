import { createColors } from 'picocolors';
import { explainTrust, grainsInUnits, inUnits, type TrustChange } from '../../../mesh/trust/explain.ts';
import { trustProjection } from '../../../mesh/trust/projection.ts';
import { TRUST_FORMULA } from '../../../mesh/trust/rules.ts';
import { type Scored, score } from '../../../mesh/trust/score.ts';
import { nameOf, type Subject, sponsorOf } from '../../../mesh/trust/standing.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import { fold } from '../../../runtime/log/projection.ts';
import type { Shell } from '../shell.ts';
import { Table } from '../table.ts';
import { scoreFacts } from './list.ts';
import { lastMoment, subjectNamed } from './subjects.ts';

type ShowOptions = { readonly at?: number; readonly class?: string; readonly json?: boolean };

/** `trust show`: every event that moved the score, and what the score is in the end. */
export async function show(shell: Shell, directory: string, agent: string, options: ShowOptions): Promise<void> {
  await using log = await openReader(directory, systemClock);
  const at = options.at ?? lastMoment(log);
  const { state } = fold(log, trustProjection);
  const subject = subjectNamed(state, agent);
  const capability = options.class === undefined ? {} : { capability: options.class };
  const end = score(state.ledger, { subject, at, ...capability });
  const changes = explainTrust(log, (other) => other === subject);
  if (options.json === true) await writeJson(shell, changes, { subject, at, end, size: log.size });
  else await writeTable(shell, changes, { subject, at, end, log });
}

type End = { readonly subject: Subject; readonly at: number; readonly end: Scored };

/** One line per change, and one for the score in the end. */
async function writeJson(
  shell: Shell,
  changes: Iterable<TrustChange>,
  { subject, at, end, size }: End & { size: number },
) {
  for (const { index, at: when, why, capability, weightQuarters, left, from, to } of changes) {
    const change = { index, at: when, why, class: capability, weight_quarters: weightQuarters, left, from };
    const told = { schema: 'ringmesh.trust-change/1', ...change, ...scoreFacts(subject, to) };
    await shell.out.write(`${JSON.stringify(told)}\n`);
  }
  const told = { schema: 'ringmesh.trust-score/1', formula: TRUST_FORMULA, size, at, ...scoreFacts(subject, end) };
  await shell.out.write(`${JSON.stringify(told)}\n`);
}

async function writeTable(
  shell: Shell,
  changes: Iterable<TrustChange>,
  { subject, at, end, log }: End & { log: EventLog },
) {
  const colours = createColors(shell.out.hasColour);
  const right = { align: 'right' } as const;
  const columns = [
    { title: 'INDEX', ...right, widthMin: String(log.size).length },
    { title: 'TIME', widthMin: 24 },
    { title: 'WHAT', widthMin: 8 },
    { title: 'CLASS', widthMin: 8 },
    { title: 'WEIGHT', ...right },
    { title: 'FADED', ...right, widthMin: 4 },
    { title: 'SCORE', ...right },
    { title: 'OWN', ...right, widthMin: 4 },
    { title: 'FLOOR', ...right },
    { title: 'LIMIT', ...right },
    { title: 'STRIKES', ...right },
    { title: 'TIER' },
  ];
  const rows = new Table(columns, shell.out.columns, colours.bold);
  let page: string[][] = [];
  for (const { index, at: when, why, capability, weightQuarters, left, from, to } of changes) {
    page.push([
      ...[String(index), new Date(when).toISOString(), WORDS[why], capability ?? '', inUnits(weightQuarters)],
      ...[
        String(from - left),
        String(to.score),
        String(to.own),
        String(to.floor),
        String(to.limit),
        String(to.strikes),
      ],
      to.tier,
    ]);
    if (page.length < PAGE_ROWS) continue;
    await shell.out.write(rows.format(page));
    page = [];
  }
  await shell.out.write(rows.format(page));
  const { score: value, tier, own, floor, limit, goodGrains, badGrains, parties, strikes } = end;
  const sponsor = sponsorOf(subject) ?? 'nobody';
  await shell.out.write(
    `\n${nameOf(subject)}, sponsored by ${sponsor}: ${value}, ${tier}, as of ${new Date(at).toISOString()}\n` +
      `own deeds ${own} (good ${grainsInUnits(goodGrains)}, bad ${grainsInUnits(badGrains)} units, ` +
      `${parties} counterparties, ${strikes} strikes), floor ${floor}, limit ${limit}; ${TRUST_FORMULA}\n`,
  );
}

/** Enough to fix the widths of columns by. */
const PAGE_ROWS = 128;

const WORDS: Readonly<Record<TrustChange['why'], string>> = {
  good: 'done',
  failed: 'failed',
  wrong: 'wrong',
  policy: 'violated policy or ring',
  scope: 'exceeded its delegation',
  endorsed: 'endorsed',
  sponsor: 'sponsor liable for another',
};
