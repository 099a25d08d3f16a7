/**
 * When a swarm is over by itself, as its file says: when its start messages are answered, when an agent has recorded a fact,
 * or never. A role that has nothing of that to wait for goes on until it is told to stop.
 */
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import type { SwarmFile } from '../file/swarm-file.ts';
import type { LoadedAgent } from './load.ts';
import type { Answer } from './start-node.ts';

/** The fact that was waited for. */
export type EndingFact = { readonly agent: string; readonly records: string; readonly data: JsonValue };

export type UntilParts = {
  readonly until: SwarmFile['until'];
  /** The agents that run here. */
  readonly here: readonly Pick<LoadedAgent, 'names' | 'start'>[];
  readonly log: EventLog;
  /** Facts before this index are of earlier runs. */
  readonly begunAt: number;
};

/** Resolves when it is over, with the fact if that was waited for. `begun`: the start messages are answered; a fact is not
 *  waited for where one of them is answered with anything but ok.
 *  @throws what `begun` does · the signal's reason */
export async function untilOver(
  { until = 'stopped', here, log, begunAt }: UntilParts,
  begun: Promise<readonly Answer[]>,
  signal: AbortSignal,
): Promise<EndingFact | undefined> {
  if (until === 'answered' && here.some(({ start }) => start !== undefined)) {
    await begun;
    return undefined;
  }
  if (typeof until === 'object' && here.some(({ names }) => names.includes(until.agent))) {
    const hasFailed = begun.then((answers) => (answers.every(isOk) ? forever() : undefined));
    return Promise.race([recordedFact(log, until, begunAt, signal), hasFailed]);
  }
  await begun;
  return forever();
}

function isOk({ outcome }: Answer): boolean {
  return outcome.type === 'ok';
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

async function recordedFact(
  log: EventLog,
  { agent, records }: { readonly agent: string; readonly records: string },
  from: number,
  signal: AbortSignal,
): Promise<EndingFact> {
  for await (const record of log.subscribe(from, signal)) {
    if (record.type !== 'agent.emitted' || record.stream !== `agent/${agent}`) continue;
    const { name, data = null } = jsonOf(record, log) as { readonly name: string; readonly data?: JsonValue };
    if (name === records) return { agent, records, data };
  }
  signal.throwIfAborted();
  throw new Error('expected a log to go on, found its end');
}
