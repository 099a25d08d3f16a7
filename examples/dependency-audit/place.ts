/** Where what happens in an audit is recorded, and what it is governed by: the same for each of its nodes. */
import { type Governance, govern, type NodeAuthority } from 'ringmesh';
import type { Bundle } from 'ringmesh/policies';
import {
  type Clock,
  createLog,
  type EventLog,
  hasCode,
  openLog,
  type Random,
  type thisProcess,
} from 'ringmesh/runtime';
import { endorsementsAt } from './policy.ts';

export type PlacePorts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: ReturnType<typeof thisProcess>;
};

/** The log, made where there is none, signed and closed whatever happens. */
export async function withLog<T>(
  { log: directory, anchors }: { readonly log: string; readonly anchors: string },
  { clock, random, identity }: PlacePorts,
  work: (log: EventLog) => Promise<T>,
): Promise<T> {
  const ports = { clock, random, identity };
  const open = (): Promise<EventLog> => openLog(directory, { anchors }, ports);
  const log = await open().catch(async (error: unknown) => {
    if (!hasCode(error, 'log.not_found')) throw error;
    await createLog(directory, { anchors }, random);
    return open();
  });
  await using _ = log;
  try {
    return await work(log);
  } finally {
    if (log.stopped === undefined) await log.checkpoint();
  }
}

/** Governs the work by the bundle; whatever happens, what was to be recorded is. */
export async function governed<T>(
  log: EventLog,
  bundle: Bundle,
  { clock, random, authority }: PlacePorts & { readonly authority: NodeAuthority },
  work: (governance: Governance) => Promise<T>,
): Promise<T> {
  const endorsements = endorsementsAt(clock.now());
  const governance = govern({ log, clock, random, bundle: () => bundle, endorsements, authority });
  await governance.recorded(); // whom the operator endorses is known before anybody acts
  try {
    return await work(governance);
  } finally {
    await governance.recorded();
  }
}
