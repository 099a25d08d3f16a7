/** What a swarm says at its end, for people and as data. */
import type { LogReport } from '../../../runtime/log/fsck.ts';
import type { Configuration } from '../../file/configuration.ts';
import type { SwarmFile } from '../../file/swarm-file.ts';
import type { Deeds } from '../../up/ledger.ts';
import type { Place } from '../../up/made.ts';
import { quorumOf } from '../../up/open-swarm.ts';
import type { Answer } from '../../up/start-node.ts';
import type { EndingFact } from '../../up/until-over.ts';
import { oneLine } from '../report.ts';

export type Summary = {
  readonly schema: 'ringmesh.up/1';
  readonly realm: string;
  readonly role: string | null;
  readonly quorum: string;
  readonly isolation: string;
  readonly answers: readonly Answer[];
  /** What it waited for, if its file says so and it came. */
  readonly fact: EndingFact | null;
  readonly actions: Deeds;
  readonly log: {
    readonly directory: string;
    readonly origin: string;
    readonly size: number;
    readonly root: string | null;
  };
  readonly isVerified: boolean;
  readonly problems: readonly string[];
};

export function summaryOf(ran: {
  readonly swarm: SwarmFile;
  readonly configuration: Configuration;
  readonly answers: readonly Answer[];
  readonly fact: EndingFact | undefined;
  readonly deeds: Deeds;
  readonly isolation: string;
  readonly place: Place;
  readonly verified: LogReport;
}): Summary {
  const { swarm, configuration, answers, fact = null, deeds, isolation, place, verified } = ran;
  return {
    schema: 'ringmesh.up/1',
    realm: swarm.realm,
    role: configuration.only.value,
    quorum: quorumOf(swarm),
    isolation,
    answers,
    fact,
    actions: deeds,
    log: {
      directory: place.log,
      origin: verified.origin,
      size: verified.size,
      root: verified.root ?? null,
    },
    isVerified: verified.problemCount === 0 && verified.anchor === 'agrees',
    problems: verified.problems.map(({ code, message }) => `${code}: ${message}`),
  };
}

export function formatSummary(summary: Summary, isJson: boolean): string {
  if (isJson) return `${JSON.stringify(summary)}\n`;
  const { realm, role, quorum, isolation, answers, fact, actions, log, isVerified, problems } = summary;
  const rows: readonly (readonly [string, string])[] = [
    ['swarm', role === null ? realm : `${role} of ${realm}`],
    ['quorum', quorum],
    ['isolation', isolation],
    ...answers.map(({ agent, message, outcome }) => ['answer', `${agent}.${message} ${told(outcome)}`] as const),
    ...(fact === null ? [] : [['recorded', wordsOf(fact)] as const]),
    ['actions', `${actions.allowed} allowed, ${actions.denied} denied, ${actions.escalated} escalated`],
    ...actions.refused.map(
      ({ agent, code, count, first }) => ['refused', `${agent}: ${code}, ${times(count)}, event ${first}`] as const,
    ),
    ...actions.refused
      .slice(0, 1)
      .map(({ first }) => ['why', `ringmesh policy explain ${log.directory} ${first}`] as const),
    ...actions.demoted.map(({ agent, from, to }) => ['demoted', `${agent}: from ring ${from} to ring ${to}`] as const),
    ['log', `${log.directory}, ${log.size} events of ${log.origin}`],
    ['root', log.root ?? 'none'],
    ['verified', isVerified ? 'yes: every record, tile and checkpoint, and the anchor' : 'NO'],
    ...problems.map((problem) => ['problem', problem] as const),
  ];
  return rows.map(([name, value]) => `${name.padEnd(9)} ${oneLine(value)}\n`).join('');
}

export function wordsOf({ agent, records, data }: EndingFact): string {
  return `${agent}.${records} ${oneLine(JSON.stringify(data))}`;
}

function told(outcome: Answer['outcome']): string {
  return outcome.type === 'ok' ? (JSON.stringify(outcome.value) ?? 'null') : JSON.stringify(outcome);
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
